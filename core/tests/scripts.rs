//! Scripts: what they may see, what they cannot do, and what is answered of them.

#![cfg(feature = "scripts")]

use keyslot::cluster::{Node, NodeId, Topology};
use keyslot::slot::SlotScheme;
use keyslot::{Engine, EngineOptions, Session};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

fn ask(session: &mut Session, words: &[&str]) -> String {
    let mut input = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| input += &format!("${}\r\n{word}\r\n", word.len()));
    session.feed(input.as_bytes());
    session.poll();
    String::from_utf8_lossy(&session.take_output()).replace("\r\n", " ")
}

/// What a script without keys and arguments answers.
fn eval(session: &mut Session, script: &str) -> String {
    ask(session, &["EVAL", script, "0"])
}

fn told(script: &str, expected: &str) {
    let said = eval(&mut Engine::default().session(), script);
    assert_eq!(said.trim_end(), expected, "{script}");
}

/// The error is told with the script's digest, which is left out here.
fn refused(script: &str, expected: &str) {
    let said = eval(&mut Engine::default().session(), script);
    let (error, place) = said.split_once(" script: ").expect("the script's error is told");
    assert_eq!(error, expected, "{script}");
    assert!(place.ends_with(", on @user_script:1. "), "{said}");
}

#[test]
fn values_become_replies() {
    told("return {1, 2, nil, 3}", "*2 :1 :2");
    told("return {3.99, true, false, 'x'}", "*4 :3 :1 $-1 $1 x");
    told("return {ok = 'fine'}", "+fine");
    told("return {err = 'MY error'}", "-MY error");
    told("return {map = {a = 1}}", "*2 $1 a :1");
    told("return {double = 1.5}", "$3 1.5");
    let mut session = Engine::default().session();
    ask(&mut session, &["HELLO", "3"]);
    assert_eq!(eval(&mut session, "return {double = 1.5}"), ",1.5 ");
    assert_eq!(eval(&mut session, "redis.setresp(3) return {true, false}"), "*2 #t #f ");
    assert_eq!(eval(&mut session, "return {true, false}"), "*2 :1 _ ");
}

#[test]
fn keys_and_arguments_are_told_apart() {
    let mut session = Engine::default().session();
    let script = "return {KEYS[1], ARGV[1], #KEYS, #ARGV}";
    let said = ask(&mut session, &["EVAL", script, "1", "k", "a", "b"]);
    assert_eq!(said, "*4 $1 k $1 a :1 :2 ");
    assert_eq!(eval(&mut session, script), "*0 ");
}

#[test]
fn a_script_sees_what_it_has_written_and_its_database_is_its_own() {
    let mut session = Engine::default().session();
    let script =
        "redis.call('SELECT', 3) redis.call('SET', 'k', 'v') return redis.call('GET', 'k')";
    assert_eq!(eval(&mut session, script), "$1 v ");
    assert_eq!(ask(&mut session, &["GET", "k"]), "$-1 ");
    ask(&mut session, &["SELECT", "3"]);
    assert_eq!(ask(&mut session, &["GET", "k"]), "$1 v ");
}

#[test]
fn errors_of_commands_are_raised_or_returned() {
    refused("return redis.call('NOSUCH')", "-ERR Unknown Redis command called from script");
    refused("redis.call('GET')", "-ERR Wrong number of args calling Redis command from script");
    refused("redis.call('MULTI')", "-ERR This Redis command is not allowed from script");
    refused(
        "redis.call('EVAL', 'return 1', 0)",
        "-ERR This Redis command is not allowed from script",
    );
    let wrong_type = "redis.call('SET', 'k', 'v') return redis.pcall('LPUSH', 'k', 'v')";
    told(wrong_type, "-WRONGTYPE Operation against a key holding the wrong kind of value");
    told(
        "local ok, text = pcall(redis.call, 'NOSUCH') return text",
        "$44 ERR Unknown Redis command called from script",
    );
}

#[test]
fn what_came_before_an_error_stays() {
    let mut session = Engine::default().session();
    assert!(eval(&mut session, "redis.call('SET', 'k', 'v') error('late')").starts_with("-ERR "));
    assert_eq!(ask(&mut session, &["GET", "k"]), "$1 v ");
}

#[test]
fn what_a_script_answers_counts_as_an_error_once() {
    let counted = |script: &str| {
        let mut session = Engine::default().session();
        ask(&mut session, &["SET", "k", "v"]);
        eval(&mut session, script);
        let info = ask(&mut session, &["INFO", "commandstats", "errorstats"]);
        let figures = |name: &str| {
            let line = info.split(' ').find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(",rejected").map_or("none", |(_, rest)| rest).to_owned()
        };
        let errors: Vec<String> = info
            .split(' ')
            .filter_map(|line| line.strip_prefix("errorstat_"))
            .map(str::to_owned)
            .collect();
        (figures("cmdstat_eval:"), figures("cmdstat_lpush:"), errors.join(" "))
    };
    let (done, failed) = ("_calls=0,failed_calls=0", "_calls=0,failed_calls=1");
    for (script, eval, lpush, errors) in [
        ("error('x')", failed, "none", "ERR:count=1"),
        ("return redis.error_reply('MY x')", failed, "none", "MY:count=1"),
        ("return {{err = 'A b'}}", failed, "none", "A:count=1"),
        ("return redis.call('LPUSH', 'k', 1)", failed, failed, "WRONGTYPE:count=1"),
        ("return {redis.pcall('LPUSH', 'k', 1)}", failed, failed, "WRONGTYPE:count=1"),
        ("redis.pcall('LPUSH', 'k', 1)", done, failed, "WRONGTYPE:count=1"),
        ("redis.pcall('LPUSH', 'k')", done, "_calls=1,failed_calls=0", "ERR:count=1"),
        ("return 1", done, "none", ""),
    ] {
        let expected = (eval.to_owned(), lpush.to_owned(), errors.to_owned());
        assert_eq!(counted(script), expected, "{script}");
    }
}

#[test]
fn nothing_leaks_from_a_script_to_the_next() {
    let readonly = "-ERR user_script:1: Attempt to modify a readonly table";
    for script in [
        "x = 1",
        "_G.x = 1",
        "redis.x = 1",
        "redis.call = nil",
        "string.x = 1",
        "math.pi = 3",
        "cjson.null = 1",
        "getmetatable('').__index = {}",
        "getmetatable(_G).__index = {}",
        "function helper() end",
        "loadstring('x = 1')()",
    ] {
        let said = eval(&mut Engine::default().session(), script);
        assert!(said.contains("Attempt to modify a readonly table"), "{script}: {said}");
    }
    refused("KEYS = {}", readonly);
    refused("rawset(_G, 'x', 1)", "-ERR Attempt to modify a readonly table");
    refused("setmetatable(redis, {})", "-ERR Attempt to modify a readonly table");
    refused("table.insert(redis, 1)", "-ERR Attempt to modify a readonly table");
    let unknown = "-ERR user_script:1: Script attempted to access nonexistent global variable 'x'";
    refused("return x", unknown);
    refused("return _G.x", unknown);
    let mut session = Engine::default().session();
    eval(&mut session, "local t = pairs(redis) KEYS.x = 1");
    assert_eq!(eval(&mut session, "return KEYS.x"), "$-1 ");
}

#[test]
fn what_reaches_the_process_is_not_there() {
    for name in [
        "io", "package", "require", "dofile", "loadfile", "debug", "print", "getfenv", "setfenv",
        "newproxy", "module",
    ] {
        let said = eval(&mut Engine::default().session(), &format!("return {name}"));
        assert!(said.contains("nonexistent global variable"), "{name}: {said}");
    }
    told(
        "local all = {} for name in pairs(os) do all[#all + 1] = name end return all",
        "*1 $5 clock",
    );
    told("return tostring(os.execute)", "$3 nil");
}

#[test]
fn bytecode_is_not_code() {
    refused(
        "load('return 1')",
        "-ERR user_script:1: bad argument #1 to 'load' (function expected, got string)",
    );
    told("return tostring(loadstring(string.dump(function() return 1 end)))", "$3 nil");
    let once =
        "local done local function read() if not done then done = true return '\\27Lua' end end ";
    told(&format!("{once} return tostring(load(read))"), "$3 nil");
    let said = eval(&mut Engine::default().session(), "\u{1b}Lua");
    assert!(
        said.starts_with("-ERR Error compiling script (new function): user_script:1:"),
        "{said}"
    );
}

#[test]
fn shared_tables_can_be_looked_through() {
    told("for name in pairs(redis) do if name == 'call' then return 1 end end", ":1");
    told("return {type(redis), type(_G), type(cjson.null)}", "*3 $5 table $5 table $8 userdata");
    told("return rawget(_G, 'x')", "$-1");
    told("return ('x'):rep(3)", "$3 xxx");
}

#[test]
fn scripts_are_known_by_their_digest() {
    let mut session = Engine::default().session();
    let digest = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
    let unknown = "-NOSCRIPT No matching script. Please use EVAL. ";
    assert_eq!(ask(&mut session, &["EVALSHA", digest, "0"]), unknown);
    assert_eq!(ask(&mut session, &["SCRIPT", "LOAD", "return 1"]), format!("$40 {digest} "));
    assert_eq!(ask(&mut session, &["EVALSHA", &digest.to_uppercase(), "0"]), ":1 ");
    assert_eq!(ask(&mut session, &["SCRIPT", "EXISTS", digest, "x"]), "*2 :1 :0 ");
    assert_eq!(ask(&mut session, &["SCRIPT", "SHOW", digest]), "$8 return 1 ");
    assert_eq!(ask(&mut session, &["SCRIPT", "FLUSH"]), "+OK ");
    assert_eq!(ask(&mut session, &["SCRIPT", "EXISTS", digest]), "*1 :0 ");
    assert_eq!(ask(&mut session, &["SCRIPT", "SHOW", digest]), unknown);
    let idle = "-NOTBUSY No scripts in execution right now. ";
    assert_eq!(ask(&mut session, &["SCRIPT", "KILL"]), idle);
}

#[test]
fn a_script_that_only_reads_writes_nothing() {
    let mut session = Engine::default().session();
    let refused = "-ERR Write commands are not allowed from read-only scripts. script: ";
    let script = "return redis.call('SET', 'k', 'v')";
    assert!(ask(&mut session, &["EVAL_RO", script, "0"]).starts_with(refused));
    let flagged = format!("#!lua flags=no-writes\n{script}");
    assert!(eval(&mut session, &flagged).starts_with(refused));
    assert_eq!(ask(&mut session, &["EVAL_RO", "return redis.call('GET', 'k')", "0"]), "$-1 ");
}

#[test]
fn a_script_in_a_transaction_is_one_of_its_commands() {
    let mut session = Engine::default().session();
    ask(&mut session, &["MULTI"]);
    ask(&mut session, &["SET", "k", "41"]);
    ask(&mut session, &["EVAL", "return redis.call('INCR', 'k')", "0"]);
    ask(&mut session, &["SCRIPT", "LOAD", "return 1"]);
    let said = ask(&mut session, &["EXEC"]);
    assert_eq!(said, "*3 +OK :42 $40 e0e1f9fabfc9d4800c877a703b823ac0578ff8db ");
}

#[test]
fn what_a_script_writes_wakes_who_waits() {
    let engine = Engine::default();
    let mut waiting = engine.session();
    assert_eq!(ask(&mut waiting, &["BLPOP", "list", "0"]), "");
    let script = "redis.call('RPUSH', 'list', 'a', 'b') return redis.call('LLEN', 'list')";
    assert_eq!(eval(&mut engine.session(), script), ":2 ");
    waiting.poll();
    assert_eq!(waiting.take_output(), b"*2\r\n$4\r\nlist\r\n$1\r\na\r\n");
}

#[test]
fn a_script_does_not_wait() {
    told("return redis.call('BLPOP', 'list', 0)", "$-1");
}

#[test]
fn info_counts_scripts() {
    let mut session = Engine::default().session();
    eval(&mut session, "return 1");
    let info = ask(&mut session, &["INFO", "memory"]);
    assert!(info.contains(" number_of_cached_scripts:1 "), "{info}");
    assert!(info.contains(" used_memory_scripts_eval:8 "), "{info}");
}

#[test]
fn in_a_cluster_keys_are_judged_one_command_at_a_time() {
    let id = |byte| NodeId::parse(&[byte; 40]).expect("forty hexadecimal digits");
    let mut topology = Topology::new(SlotScheme::Redis, Node::primary(id(b'a'), "me", 1));
    topology.put_node(Node::primary(id(b'b'), "other", 2));
    for slot in 0..16_383 {
        topology.assign(slot, id(b'a'));
    }
    topology.assign(16_383, id(b'b'));
    let options = EngineOptions { cluster: Some(topology), ..EngineOptions::default() };
    let mut session = Engine::new(options).session();
    assert_eq!(
        eval(&mut session, "redis.call('SET', 'a', 1) return redis.call('SET', 'b', 2)"),
        "+OK "
    );
    // The slot of this key is 16,383.
    let said = eval(&mut session, "return redis.pcall('GET', 'ajq8')");
    assert_eq!(said, "-ERR Script attempted to access a non local key in a cluster node ");
    let flagged = "#!lua\nredis.call('SET', 'a', 1) redis.call('SET', 'b', 2)";
    let said = eval(&mut session, flagged);
    assert!(
        said.starts_with("-ERR Script attempted to access keys that do not hash to the same slot "),
        "{said}"
    );
}

const SLOW: &str =
    "Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";

fn engine_with(settings: &[(&str, &str)]) -> Engine {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let settings = settings.iter().map(owned).collect();
    Engine::new(EngineOptions { settings, ..EngineOptions::default() })
}

/// Runs a script that does not end by itself on another thread, and tells what it answers once
/// another session has killed it.
fn killed(script: &'static str) -> String {
    let engine = engine_with(&[("busy-reply-threshold", "1")]);
    let (said, answer) = mpsc::channel();
    let (slow, is_slow) = mpsc::channel();
    engine.set_slow_script_callback(Arc::new(move || _ = slow.send(())));
    let runner = engine.clone();
    let thread = thread::spawn(move || said.send(eval(&mut runner.session(), script)));
    let mut session = engine.session();
    let busy = format!("-BUSY {SLOW} ");
    is_slow.recv().expect("the script becomes slow");
    assert_eq!(ask(&mut session, &["GET", "k"]), busy);
    assert!(engine.get(b"k").is_err_and(|error| error.to_string() == format!("BUSY {SLOW}")));
    assert_eq!(ask(&mut session, &["MULTI"]), "+OK ");
    assert_eq!(ask(&mut session, &["DBSIZE"]), busy);
    ask(&mut session, &["DISCARD"]);
    assert_eq!(ask(&mut session, &["SCRIPT", "KILL"]), "+OK ");
    let answer = answer.recv().expect("the script ends");
    thread.join().expect("the thread ends").expect("the answer was awaited");
    assert_eq!(ask(&mut session, &["GET", "k"]), "$-1 ");
    assert!(ask(&mut session, &["SCRIPT", "KILL"]).starts_with("-NOTBUSY "));
    answer
}

#[test]
fn a_script_that_does_not_end_can_be_killed_and_cannot_help_it() {
    let expected = "-ERR Script killed by user with SCRIPT KILL... script: ";
    for script in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() end) end",
        "local co = coroutine.wrap(function() while true do end end) while true do pcall(co) end",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        "while true do load(function() while true do end end) end",
    ] {
        let said = killed(script);
        assert!(said.starts_with(expected), "{script}: {said}");
        assert!(said.ends_with(", on @user_script:1. "), "{script}: {said}");
    }
}

#[test]
fn a_host_with_one_thread_serves_others_within_its_callback() {
    let engine = engine_with(&[("busy-reply-threshold", "0")]);
    let other = Mutex::new((engine.session(), Vec::new()));
    let other = Arc::new(other);
    let served = other.clone();
    engine.set_slow_script_callback(Arc::new(move || {
        let (session, said) = &mut *served.lock().expect("one thread");
        for words in [&["SET", "k", "v"][..], &["SCRIPT", "KILL"]] {
            said.push(ask(session, words));
        }
    }));
    let said = eval(&mut engine.session(), "while true do end");
    assert!(said.starts_with("-ERR Script killed by user"), "{said}");
    let (session, said) = &mut *other.lock().expect("one thread");
    assert_eq!(*said, [format!("-BUSY {SLOW} "), "+OK ".to_owned()]);
    assert_eq!(ask(session, &["GET", "k"]), "$-1 ");
}

#[test]
fn a_script_that_has_written_cannot_be_killed() {
    let engine = engine_with(&[("busy-reply-threshold", "0")]);
    let other = Arc::new(Mutex::new((engine.session(), String::new())));
    let served = other.clone();
    engine.set_slow_script_callback(Arc::new(move || {
        let (session, said) = &mut *served.lock().expect("one thread");
        *said = ask(session, &["SCRIPT", "KILL"]);
    }));
    let script = "redis.call('SET', 'k', 'v') for i = 1, 1e6 do end return 1";
    assert_eq!(eval(&mut engine.session(), script), ":1 ");
    let said = &other.lock().expect("one thread").1;
    assert!(said.starts_with("-UNKILLABLE Sorry the script already executed write"), "{said}");
}

#[test]
fn memory_of_scripts_is_limited_and_the_engine_goes_on() {
    let engine = engine_with(&[("script-memory-limit", "2mb")]);
    let mut session = engine.session();
    for script in [
        "local t = {} while true do t[#t + 1] = string.rep('x', 1000) .. #t end",
        "return string.rep('x', 1e8)",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} for i = 1, 1e8 do t[i] = i end",
    ] {
        let said = eval(&mut session, script);
        assert!(said.contains("not enough memory"), "{script}: {said}");
        assert_eq!(eval(&mut session, "return #string.rep('x', 1e5)"), ":100000 ");
    }
}

#[test]
fn a_monitor_sees_a_script_and_then_what_it_does() {
    let engine = Engine::default();
    let (mut monitor, mut session) = (engine.session(), engine.session());
    session.set_peer("127.0.0.1:5000", "127.0.0.1:6379");
    ask(&mut monitor, &["MONITOR"]);
    eval(&mut session, "return redis.call('SET', 'k', 'v')");
    monitor.poll();
    let shown = String::from_utf8_lossy(&monitor.take_output()).into_owned();
    let shown: Vec<&str> = shown.lines().filter_map(|line| Some(line.split_once(' ')?.1)).collect();
    let first = "[0 127.0.0.1:5000] \"EVAL\" \"return redis.call('SET', 'k', 'v')\" \"0\"";
    assert_eq!(shown, [first, "[0 lua] \"SET\" \"k\" \"v\""]);
}

#[test]
fn scripts_that_find_their_keys_by_and_by_are_one_for_everybody() {
    const ACCOUNTS: usize = 8;
    let engine = Engine::new(EngineOptions { shards: 4, ..EngineOptions::default() });
    let accounts: Vec<String> = (0..ACCOUNTS).map(|number| format!("account:{number}")).collect();
    for account in &accounts {
        engine.set(account.as_bytes(), b"100").expect("it is stored");
    }
    // The second key is declared, the first is not.
    let script = "local from = 'account:' .. ARGV[1] if redis.call('GET', from) ~= '0' then \
                  redis.call('DECR', from) redis.call('INCR', KEYS[1]) end \
                  if ARGV[1] == '3' then redis.call('DBSIZE') end";
    let transfer = |seed: usize| {
        let mut session = engine.session();
        for round in 0..300 {
            let (from, to) = ((seed + round * 5) % ACCOUNTS, (seed + round * 3) % ACCOUNTS);
            let words = ["EVAL", script, "1", &accounts[to], &from.to_string()];
            assert_eq!(ask(&mut session, &words), "$-1 ");
        }
    };
    let move_back = || {
        let mut session = engine.session();
        for round in 0..300 {
            let [from, to] = [&accounts[round % ACCOUNTS], &accounts[(round + 3) % ACCOUNTS]];
            ask(&mut session, &["MULTI"]);
            ask(&mut session, &["DECR", from]);
            ask(&mut session, &["INCR", to]);
            assert!(ask(&mut session, &["EXEC"]).starts_with("*2 "));
        }
    };
    let add_up = || {
        let mut session = engine.session();
        let names = accounts.iter().map(String::as_str);
        let words: Vec<&str> = std::iter::once("MGET").chain(names).collect();
        for _ in 0..300 {
            let said = ask(&mut session, &words);
            let amounts = said.split(' ').filter(|word| !word.starts_with(['$', '*']));
            let sum: i64 = amounts.filter_map(|word| word.parse::<i64>().ok()).sum();
            assert_eq!(sum, 100 * ACCOUNTS as i64, "{said}");
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| transfer(0));
        scope.spawn(|| transfer(1));
        scope.spawn(move_back);
        scope.spawn(add_up);
    });
}
