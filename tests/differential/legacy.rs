//! Payloads as older versions of Redis wrote them, written out by hand, restored here and in a
//! redis-server and compared. Streams do not meet them, since 7.0 writes none of these forms.

use crate::peer::{Keyslot, Peer, Redis};
use crate::step::{Command, words};
use keyslot::resp::Reply;

/// What 7.0 reads; both sides take older payloads.
const RDB_VERSION: u16 = 9;

/// "a", 1, "bb" and -300, with lengths before of one byte and of five.
const ZIPLIST: &[u8] =
    b"\x1c\0\0\0\x17\0\0\0\x04\0\0\x01a\x03\xf2\xfe\x02\0\0\0\x02bb\x08\xc0\xd4\xfe\xff";
/// Numbers of every width, and texts with lengths of 6, 14 and 32 bits.
fn wide_ziplist() -> Vec<u8> {
    let texts = [vec![b'x'; 63], vec![b'y'; 64], vec![b'z'; 20_000]];
    let mut entries: Vec<Vec<u8>> = vec![
        b"\xf1".to_vec(),
        b"\xfd".to_vec(),
        b"\xfe\x80".to_vec(),
        b"\xc0\x00\x80".to_vec(),
        b"\xf0\x00\x00\x80".to_vec(),
        b"\xd0\x00\x00\x00\x80".to_vec(),
        b"\xe0\x00\x00\x00\x00\x00\x00\x00\x80".to_vec(),
    ];
    entries.push([&b"\x3f"[..], &texts[0]].concat());
    entries.push([&b"\x40\x40"[..], &texts[1]].concat());
    entries.push([&b"\x80\x00\x00\x4e\x20"[..], &texts[2]].concat());
    ziplist(&entries)
}

fn ziplist(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0; 10];
    let (mut last_at, mut before) = (10, 0);
    for entry in entries {
        last_at = bytes.len();
        match before {
            0..254 => bytes.push(before as u8),
            _ => {
                bytes.push(254);
                bytes.extend((before as u32).to_le_bytes());
            }
        }
        bytes.extend(entry);
        before = bytes.len() - last_at;
    }
    bytes.push(255);
    let len = bytes.len() as u32;
    bytes[..4].copy_from_slice(&len.to_le_bytes());
    bytes[4..8].copy_from_slice(&(last_at as u32).to_le_bytes());
    bytes[8..10].copy_from_slice(&(entries.len() as u16).to_le_bytes());
    bytes
}

/// A text as RDB files have it.
fn text(bytes: &[u8]) -> Vec<u8> {
    [&b"\x80"[..], &(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

fn value(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    [&[kind], &parts.concat()[..]].concat()
}

/// Values of every old form, each with what it is.
fn values() -> Vec<(&'static str, Vec<u8>)> {
    let short = text(ZIPLIST);
    let wide = text(&wide_ziplist());
    let scores = text(&ziplist(&[
        b"\x01a".to_vec(),
        b"\xf2".to_vec(),
        b"\x01b".to_vec(),
        b"\x031.5".to_vec(),
        b"\x01c".to_vec(),
        b"\x03inf".to_vec(),
    ]));
    let zipmap = text(b"\x02\x03foo\x03\x00bar\x05hello\x05\x02world..\xff");
    let intset = text(b"\x04\0\0\0\x03\0\0\0\xff\xff\xff\xff\x02\0\0\0\x70\x11\x01\0");
    vec![
        ("a list of texts", value(1, &[b"\x03\x01a\xc0\x05\x02bb"])),
        ("a set of texts", value(2, &[b"\x03\x01a\xc0\x05\x02bb"])),
        (
            "a sorted set with scores as texts",
            value(3, &[b"\x04\x01a\x031.5\x01b\xfe\x01c\xff\x01d\x0217"]),
        ),
        ("a hash of texts", value(4, &[b"\x02\x01a\xc0\x05\x02bb\x01c"])),
        ("a hash as a zipmap", value(9, &[&zipmap])),
        ("a list as a ziplist", value(10, &[&short])),
        ("a list as a ziplist of everything", value(10, &[&wide])),
        ("a set as an intset", value(11, &[&intset])),
        ("a sorted set as a ziplist", value(12, &[&scores])),
        ("a hash as a ziplist", value(13, &[&short])),
        ("a list as ziplists", value(14, &[b"\x02", &short, &wide])),
    ]
}

/// CRC-64 with the polynomial of Jones, reflected, bit by bit.
fn crc64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |checksum, byte| {
        (0..8).fold(checksum ^ u64::from(*byte), |checksum, _| {
            (checksum >> 1) ^ (0x95ac_9329_ac4b_c9b5 * (checksum & 1))
        })
    })
}

fn sealed(value: &[u8]) -> Vec<u8> {
    let mut payload = [value, &RDB_VERSION.to_le_bytes()].concat();
    payload.extend(crc64(&payload).to_le_bytes());
    payload
}

fn both(sides: &mut [&mut dyn Peer; 2], command: &Command) -> [Reply; 2] {
    sides.each_mut().map(|side| side.ask(command).expect("a reply"))
}

#[test]
fn payloads_of_older_versions_are_read_as_redis_reads_them() {
    let (mut ours, mut theirs) = (Keyslot::new(), Redis::start());
    let mut sides: [&mut dyn Peer; 2] = [&mut ours, &mut theirs];
    sides.iter_mut().for_each(|side| side.restart(2));
    for (what, value) in values() {
        let restore = vec![b"RESTORE".into(), what.into(), b"0".into(), sealed(&value)];
        let [ours, theirs] = both(&mut sides, &restore);
        assert_eq!((&ours, &theirs), (&theirs, &Reply::Status("OK".into())), "{what}");
        for look in [&["TYPE"][..], &["DEBUG", "DIGEST-VALUE"]] {
            let [ours, theirs] = both(&mut sides, &[words(look), vec![what.into()]].concat());
            assert_eq!(ours, theirs, "{look:?} of {what}");
        }
    }
}

/// Redis itself is not asked: it trusts payloads unless told not to.
#[test]
fn damaged_payloads_are_refused_or_read_and_do_no_harm() {
    let mut ours = Keyslot::new();
    ours.restart(2);
    for (what, value) in values() {
        for at in (0..value.len()).take(100) {
            for change in [0x01, 0x80, 0xff, value[at]] {
                let mut changed = value.clone();
                changed[at] ^= change;
                for cut in [changed.len(), at] {
                    let payload = sealed(&changed[..cut]);
                    let restore = vec![
                        b"RESTORE".into(),
                        b"key".into(),
                        b"0".into(),
                        payload,
                        b"REPLACE".into(),
                    ];
                    let reply = ours.ask(&restore).expect("a reply");
                    let refused = Reply::Error("ERR Bad data format".into());
                    let read = reply == Reply::Status("OK".into());
                    assert!(read || reply == refused, "{reply:?} to {what}");
                    assert!(!read || cut > at, "{what} cut at {at} was taken");
                }
            }
        }
    }
}
