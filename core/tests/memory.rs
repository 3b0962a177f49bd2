//! What the engine says of its memory against what the allocators handed out.
//!
//! One test alone, since the allocator counts for the whole process.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use keyslot::resp::{Encoder, Protocol};
use keyslot::{Engine, EngineOptions};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts what the system's allocator hands out, each allocation with the 8 bytes before it. The
/// engines' arena counts itself.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" {
    fn malloc_usable_size(start: *mut c_void) -> usize;
}

fn cost(start: *mut u8) -> usize {
    // SAFETY: the callers pass what the system's allocator, which is malloc, has handed out and
    // not taken back, or null, which costs nothing.
    if start.is_null() { 0 } else { unsafe { malloc_usable_size(start.cast()) + 8 } }
}

// SAFETY: every call is handed on to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the promises of `alloc`.
        let start = unsafe { System.alloc(layout) };
        ALLOCATED.fetch_add(cost(start), Relaxed);
        start
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(cost(start), Relaxed);
        // SAFETY: the caller keeps the promises of `dealloc`.
        unsafe { System.dealloc(start, layout) }
    }
}

fn allocated() -> usize {
    ALLOCATED.load(Relaxed) + Engine::arena_bytes()
}

#[global_allocator]
static COUNTING: Counting = Counting;

struct Mix {
    engine: Engine,
    allocated_before: usize,
    sink: Encoder,
}

impl Mix {
    fn new(shards: usize) -> Self {
        let sink = Encoder::new(Protocol::Resp2);
        // What depends on how busy the machine is would be counted too.
        let settings = [("latency-tracking", "no"), ("slowlog-log-slower-than", "-1")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let engine = Engine::new(EngineOptions { shards, settings, ..EngineOptions::default() });
        // What each command costs is counted for each thread, from its first command on.
        engine.call(&[b"PING"], &mut Encoder::new(Protocol::Resp2));
        // An engine has more than keys; that is made with it and does not grow with them.
        let allocated_before = allocated() - engine.memory_bytes();
        Self { engine, allocated_before, sink }
    }

    fn call(&mut self, words: &[&[u8]]) {
        self.engine.call(words, &mut self.sink);
        assert_ne!(self.sink.bytes()[0], b'-', "{:?}", self.sink.bytes());
        self.sink.clear();
    }

    fn set(&mut self, keys: std::ops::Range<u32>, value_len: impl Fn(u32) -> usize) {
        let value = vec![b'v'; 1 << 20];
        for number in keys {
            self.call(&[b"SET", &name(number), &value[..value_len(number)]]);
        }
    }

    fn check(&self, what: &str) {
        let allocated = allocated() - self.allocated_before;
        let said = self.engine.memory_bytes();
        let ratio = said as f64 / allocated as f64;
        assert!((0.98..1.02).contains(&ratio), "{what}: {said} of {allocated}, {ratio:.4}");
        println!("{what}: {said} of {allocated}, {ratio:.4}");
    }
}

fn name(number: u32) -> Vec<u8> {
    format!("key:{number:08}").into_bytes()
}

/// Spreads numbers, so that lengths and times come in no order.
fn spread(number: u32) -> u32 {
    number.wrapping_mul(0x9e37_79b9) >> 8
}

#[test]
fn memory_is_counted_as_the_allocator_counts_it() {
    // What is made once for all engines is not counted.
    Mix::new(1).call(&[b"PING"]);
    for shards in [1, 1024] {
        small_keys(shards);
        expiring_keys(shards);
        large_values(shards);
        deletions(shards);
        databases(shards);
        hashes(shards);
        sets(shards);
        lists(shards);
        streams(shards);
        zsets(shards);
    }
}

fn zsets(shards: usize) {
    let mut mix = Mix::new(shards);
    for number in 0..20_000u32 {
        let member = vec![b'm'; 1 + spread(number) as usize % 20];
        let score = spread(number).to_string();
        mix.call(&[b"ZADD", &name(number % 2_000), score.as_bytes(), &member]);
    }
    mix.check(&format!("small sorted sets in {shards} shards"));
    let mut mix = Mix::new(shards);
    for number in 0..100_000u32 {
        let score = if number < 50_000 { number } else { spread(number) }.to_string();
        mix.call(&[b"ZADD", b"z", score.as_bytes(), &name(number)]);
    }
    mix.check(&format!("a large sorted set in {shards} shards"));
    for number in (0..100_000u32).filter(|number| number % 7 != 0) {
        mix.call(&[b"ZREM", b"z", &name(number)]);
    }
    mix.check(&format!("a sorted set that was large in {shards} shards"));
}

fn small_keys(shards: usize) {
    let mut mix = Mix::new(shards);
    for keys in [1_000, 10_000, 100_000] {
        mix.set(0..keys, |_| 8);
        mix.check(&format!("{keys} small keys in {shards} shards"));
    }
    mix.set(0..100_000, |number| spread(number) as usize % 300);
    mix.check("values of many lengths");
}

fn expiring_keys(shards: usize) {
    type Order = fn(u32) -> u32;
    let times: [(&str, Order); 3] = [
        ("in order", |number| number),
        ("in reverse", |number| u32::MAX - number),
        ("in no order", spread),
    ];
    for (order, time) in times {
        let mut mix = Mix::new(shards);
        let mut set = 0;
        for keys in [1_000, 10_000, 50_000] {
            for number in set..keys {
                let at = (10_000_000_000_000 + u64::from(time(number))).to_string();
                mix.set(number..number + 1, |_| 8);
                mix.call(&[b"PEXPIREAT", &name(number), at.as_bytes()]);
            }
            set = keys;
            mix.check(&format!("{keys} keys that expire {order} in {shards} shards"));
        }
        for number in (0..set).filter(|number| number % 5 != 0) {
            mix.call(&[b"PERSIST", &name(number)]);
        }
        mix.check(&format!("a fifth that still expires {order} in {shards} shards"));
    }
}

fn large_values(shards: usize) {
    let mut mix = Mix::new(shards);
    mix.set(0..5_000, |number| 1_000 + spread(number) as usize % 4_000);
    mix.check("values of a few thousand bytes");
    mix.set(0..200, |number| 50_000 + spread(number) as usize % 900_000);
    mix.check("values of up to a million bytes");
}

fn deletions(shards: usize) {
    let mut mix = Mix::new(shards);
    mix.set(0..50_000, |number| spread(number) as usize % 100);
    for number in (0..50_000).filter(|number| number % 10 != 0) {
        mix.call(&[b"DEL", &name(number)]);
    }
    mix.check("a tenth that is left");
    mix.set(0..50_000, |_| 30);
    mix.check("all anew");
}

fn databases(shards: usize) {
    let mut mix = Mix::new(shards);
    mix.set(0..50_000, |_| 20);
    for number in 0..50_000 {
        mix.call(&[b"MOVE", &name(number), if number % 2 == 0 { b"3" } else { b"1" }]);
    }
    mix.check("keys in two databases");
}

fn hashes(shards: usize) {
    let mut mix = Mix::new(shards);
    for number in 0..20_000 {
        let key = name(number);
        let mut words: Vec<&[u8]> = vec![b"HSET", &key];
        for field in [&b"f1"[..], b"f2", b"f3", b"f4", b"f5", b"f6", b"f7", b"f8"] {
            words.extend([field, b"some value"]);
        }
        mix.call(&words);
    }
    mix.check("small hashes");
    for number in 0..100_000 {
        let value = vec![b'v'; spread(number) as usize % 200];
        mix.call(&[b"HSET", b"large", &name(number), &value]);
    }
    mix.check("a large hash");
    for number in 0..50_000 {
        let at = (10_000_000_000_000 + u64::from(spread(number))).to_string();
        mix.call(&[b"HPEXPIREAT", b"large", at.as_bytes(), b"FIELDS", b"1", &name(number)]);
    }
    mix.check("a large hash with fields that expire");
    for number in (0..100_000).filter(|number| number % 10 != 0) {
        mix.call(&[b"HDEL", b"large", &name(number)]);
    }
    mix.check("a tenth of it");
}

fn sets(shards: usize) {
    let mut mix = Mix::new(shards);
    for number in 0..20_000 {
        let text = number.to_string();
        mix.call(&[b"SADD", &name(number), b"1", b"2", b"70000", text.as_bytes()]);
        mix.call(&[b"SADD", &name(number + 20_000), b"some", b"members", text.as_bytes()]);
    }
    mix.check("small sets");
    for number in 0..100_000 {
        mix.call(&[b"SADD", b"names", &name(number)]);
        mix.call(&[b"SADD", b"numbers", spread(number).to_string().as_bytes()]);
    }
    mix.check("large sets");
    mix.call(&[b"SUNIONSTORE", b"all", b"names", b"numbers"]);
    mix.call(&[b"COPY", b"names", b"copy"]);
    mix.check("what is stored and copied");
    for _ in 0..1_200 {
        // A longer reply would stay in the sink, which is no part of the engine.
        mix.call(&[b"SPOP", b"all", b"100"]);
    }
    for number in (0..100_000).filter(|number| number % 10 != 0) {
        mix.call(&[b"SREM", b"names", &name(number)]);
    }
    mix.check("what is left of sets");
}

fn lists(shards: usize) {
    let mut mix = Mix::new(shards);
    for number in 0..20_000 {
        let texts = vec![&b"some element"[..]; spread(number) as usize % 100];
        mix.call(&[&[b"RPUSH", &name(number)[..], b"first"], &texts[..]].concat());
    }
    mix.check("small lists");
    for number in 0..200_000 {
        let end: &[u8] = if number % 3 == 0 { b"LPUSH" } else { b"RPUSH" };
        let text = vec![b'v'; spread(number) as usize % 100];
        mix.call(&[end, b"long", &text, &name(number)]);
    }
    mix.check("a long list");
    for number in (0..200_000).step_by(200) {
        mix.call(&[b"LINSERT", b"long", b"BEFORE", &name(number), &name(number)]);
        mix.call(&[b"LSET", b"long", number.to_string().as_bytes(), &[b'x'; 500]]);
    }
    for element in 0..60 {
        mix.call(&[b"LREM", b"long", b"-1000", &vec![b'v'; element]]);
    }
    mix.check("a long list with a part of it removed");
    mix.call(&[b"LTRIM", b"long", b"-100000", b"-1"]);
    mix.check("a part of it");
    mix.call(&[b"CONFIG", b"SET", b"list-max-listpack-size", b"1"]);
    for number in 0..50_000 {
        mix.call(&[b"RPUSH", b"nodes", &name(number)]);
    }
    mix.check("a list of elements by themselves");
}

fn streams(shards: usize) {
    let mut mix = Mix::new(shards);
    for number in 0..20_000 {
        let (key, value) = (name(number % 2_000), name(number));
        mix.call(&[b"XADD", &key, b"*", b"field", &value]);
    }
    mix.check("many streams of few entries");
    let mut mix = Mix::new(shards);
    let value = [b'v'; 500];
    for number in 0..50_000 {
        let len = spread(number) as usize % 100 * if number % 50 == 0 { 5 } else { 1 };
        mix.call(&[b"XADD", b"s", b"*", b"field", &value[..len], b"number", b"17"]);
    }
    mix.check("a stream of many entries");
    mix.call(&[b"XGROUP", b"CREATE", b"s", b"g", b"0"]);
    // Few at a time, lest the sink grows.
    for number in 0..450 {
        let consumer = [b"a", b"b", b"c"][number % 3];
        let read = [&b"XREADGROUP"[..], b"GROUP", b"g", consumer, b"COUNT", b"100"];
        mix.call(&[&read[..], &[b"STREAMS", b"s", b">"]].concat());
    }
    mix.check("entries that wait for their consumers");
    mix.call(&[b"XTRIM", b"s", b"MAXLEN", b"10000"]);
    for _ in 0..300 {
        let claim = [&b"XAUTOCLAIM"[..], b"s", b"g", b"a", b"0", b"-", b"COUNT", b"100"];
        mix.call(&[&claim[..], &[b"JUSTID"]].concat());
    }
    mix.check("what is left after a trim and claims");
    mix.call(&[b"COPY", b"s", b"t"]);
    mix.check("a stream and its copy");
}
