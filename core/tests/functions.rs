//! Libraries of functions: what loads, what is told of them, how they run, how they are kept.

#![cfg(feature = "scripts")]

use keyslot::cluster::{Node, NodeId, Topology};
use keyslot::slot::SlotScheme;
use keyslot::{Effect, Engine, EngineOptions, RestorePolicy, Session};
use std::sync::{Arc, Mutex};

fn ask(session: &mut Session, words: &[&str]) -> String {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    ask_bytes(session, &words)
}

fn ask_bytes(session: &mut Session, words: &[&[u8]]) -> String {
    let mut input = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        input.extend(format!("${}\r\n", word.len()).bytes());
        input.extend_from_slice(word);
        input.extend(b"\r\n");
    }
    session.feed(&input);
    session.poll();
    String::from_utf8_lossy(&session.take_output()).replace("\r\n", " ")
}

/// A library with one function, whose body has `keys` and `args`.
fn library(name: &str, function: &str, body: &str) -> String {
    format!(
        "#!lua name={name}\nredis.register_function('{function}', function(keys, args) {body} end)"
    )
}

/// A session of an engine that has the function `f`.
fn session_with(body: &str) -> Session {
    let mut session = Engine::default().session();
    assert_eq!(ask(&mut session, &["FUNCTION", "LOAD", &library("lib", "f", body)]), "$3 lib ");
    session
}

fn called(body: &str) -> String {
    ask(&mut session_with(body), &["FCALL", "f", "0"])
}

#[track_caller]
fn refused(code: &str, expected: &str) {
    let mut session = Engine::default().session();
    let said = ask(&mut session, &["FUNCTION", "LOAD", code]);
    assert_eq!(said, format!("-ERR {expected} "), "{code}");
    assert_eq!(ask(&mut session, &["FUNCTION", "LIST"]), "*0 ");
}

#[test]
fn a_function_has_its_keys_and_arguments() {
    let mut session = session_with("return {keys[1], args[1], #keys, #args}");
    let said = ask(&mut session, &["FCALL", "f", "1", "k", "a", "b"]);
    assert_eq!(said, "*4 $1 k $1 a :1 :2 ");
    assert_eq!(ask(&mut session, &["FCALL", "F", "0"]), "*0 ", "names have no case");
    let refusals = [
        (&["FCALL", "g", "x"][..], "-ERR Function not found "),
        (&["FCALL", "f", "x"], "-ERR Bad number of keys provided "),
        (&["FCALL", "f", "1"], "-ERR Number of keys can't be greater than number of args "),
        (&["FCALL", "f", "-1"], "-ERR Number of keys can't be negative "),
    ];
    for (words, expected) in refusals {
        assert_eq!(ask(&mut session, words), expected, "{words:?}");
    }
}

#[test]
fn a_function_gives_commands_and_keeps_nothing_in_globals() {
    let mut session =
        session_with("redis.call('SET', keys[1], args[1]) return redis.call('GET', keys[1])");
    assert_eq!(ask(&mut session, &["FCALL", "f", "1", "k", "v"]), "$1 v ");
    assert_eq!(ask(&mut session, &["GET", "k"]), "$1 v ");
    let place = " script: f, on @user_function:2. ";
    assert_eq!(
        called("x = 1"),
        format!("-ERR user_function:2: Attempt to modify a readonly table{place}")
    );
    assert_eq!(
        called("return KEYS"),
        format!(
            "-ERR user_function:2: Script attempted to access nonexistent global variable 'KEYS'{place}"
        )
    );
    assert_eq!(called("error('x')"), format!("-ERR user_function:2: x{place}"));
    assert_eq!(called("error({err = 'MY x'})"), format!("-MY x{place}"));
    assert_eq!(
        called("return redis.call('FCALL', 'f', 0)"),
        format!("-ERR This Redis command is not allowed from script{place}")
    );
    assert_eq!(
        called("return redis.pcall('NOSUCH')"),
        "-ERR Unknown Redis command called from script "
    );
    assert_eq!(
        called("return {redis.breakpoint == nil, redis.register_function == nil}"),
        "*2 :1 :1 "
    );
}

#[test]
fn a_library_keeps_what_its_functions_share() {
    let code = "#!lua name=lib\nlocal n = 0\n\
                redis.register_function('next', function() n = n + 1 return n end)\n\
                redis.register_function('last', function() return n end)";
    let mut session = Engine::default().session();
    ask(&mut session, &["FUNCTION", "LOAD", code]);
    ask(&mut session, &["FCALL", "next", "0"]);
    ask(&mut session, &["FCALL", "next", "0"]);
    assert_eq!(ask(&mut session, &["FCALL", "last", "0"]), ":2 ");
}

#[test]
fn while_it_is_loaded_a_library_sees_hardly_anything() {
    let start = "Error registering functions: ERR user_function:2: ";
    for (code, name) in [
        ("redis.call('GET', 'k')", "call"),
        ("redis.pcall('GET', 'k')", "pcall"),
        ("redis.setresp(3)", "setresp"),
        ("redis.sha1hex('')", "sha1hex"),
        ("return math.random()", "math"),
        ("error('x')", "error"),
        ("_G.x = 1", "_G"),
        ("return redis[1]", "1"),
    ] {
        let expected =
            format!("{start}Script attempted to access nonexistent global variable '{name}'");
        refused(&format!("#!lua name=l\n{code}"), &expected);
    }
    let readonly = format!("{start}Attempt to modify a readonly table");
    for code in ["x = 1", "function helper() end", "redis.x = 1"] {
        refused(&format!("#!lua name=l\n{code}"), &readonly);
    }
    refused(
        "#!lua name=l\nx =",
        "Error compiling function: user_function:2: unexpected symbol near '<eof>'",
    );
    refused("#!lua name=l\nredis.log(redis.LOG_WARNING, 'x')", "No functions registered");
    refused(
        "#!lua name=l\nwhile true do end",
        "Error registering functions: ERR FUNCTION LOAD timeout",
    );
}

#[test]
fn functions_are_registered_by_name_and_callback_or_by_a_table() {
    let bad_name = "Library names can only contain letters, numbers, or underscores(_) and must be at \
                    least one character long";
    let cases = [
        ("()", "wrong number of arguments to redis.register_function"),
        (
            "('f')",
            "calling redis.register_function with a single argument is only applicable to Lua table \
             (representing named arguments).",
        ),
        ("('f', f, 1)", "wrong number of arguments to redis.register_function"),
        ("(nil, f)", "first argument to redis.register_function must be a string"),
        ("('f', 1)", "second argument to redis.register_function must be a function"),
        ("('a-b', f)", bad_name),
        ("('', f)", bad_name),
        ("{}", "redis.register_function must get a function name argument"),
        ("{function_name = 'f'}", "redis.register_function must get a callback argument"),
        (
            "{function_name = {}}",
            "function_name argument given to redis.register_function must be a string",
        ),
        ("{callback = 1}", "callback argument given to redis.register_function must be a function"),
        (
            "{description = {}}",
            "description argument given to redis.register_function must be a string",
        ),
        (
            "{flags = 1}",
            "flags argument to redis.register_function must be a table representing function flags",
        ),
        ("{flags = {'x'}}", "unknown flag given"),
        ("{x = 1}", "unknown argument given to redis.register_function"),
        ("{[true] = 1}", "named argument key given to redis.register_function is not a string"),
        ("('f', f) redis.register_function('f', f)", "Function already exists in the library"),
    ];
    for (call, expected) in cases {
        let code = format!("#!lua name=l\nlocal function f() end redis.register_function{call}");
        refused(&code, &format!("Error registering functions: ERR {expected}"));
    }
}

#[test]
fn a_function_cannot_register_another() {
    let code = "#!lua name=l\nlocal register = redis.register_function\n\
                register('f', function() register('g', function() end) end)";
    let mut session = Engine::default().session();
    ask(&mut session, &["FUNCTION", "LOAD", code]);
    assert_eq!(
        ask(&mut session, &["FCALL", "f", "0"]),
        "-ERR redis.register_function can only be called on FUNCTION LOAD command script: f, on \
         @user_function:3. "
    );
}

#[test]
fn names_collide_and_nothing_is_lost() {
    let mut session = session_with("return 1");
    let load = |session: &mut Session, words: &[&str]| {
        ask(session, &[&["FUNCTION", "LOAD"], words].concat())
    };
    let other = library("lib", "g", "return 2");
    assert_eq!(load(&mut session, &[&other]), "-ERR Library 'lib' already exists ");
    let colliding = library("other", "F", "return 2");
    assert_eq!(load(&mut session, &[&colliding]), "-ERR Function F already exists ");
    assert_eq!(
        load(&mut session, &["REPLACE", "#!lua name=lib\nx ="]).split(':').next(),
        Some("-ERR Error compiling function")
    );
    assert_eq!(ask(&mut session, &["FCALL", "f", "0"]), ":1 ");
    assert_eq!(load(&mut session, &["replace", "REPLACE", &other]), "$3 lib ");
    assert_eq!(ask(&mut session, &["FCALL", "f", "0"]), "-ERR Function not found ");
    assert_eq!(ask(&mut session, &["FCALL", "g", "0"]), ":2 ");
    assert_eq!(load(&mut session, &["X", &other]), "-ERR Unknown option given: X ");
    assert_eq!(load(&mut session, &["REPLACE"]), "-ERR Missing library metadata ");
}

#[test]
fn libraries_are_listed_and_forgotten() {
    let code = "#!lua name=lib\nredis.register_function{function_name = 'f', callback = function() end, \
                description = 'what', flags = {'no-writes', 'ALLOW-OOM'}}";
    let mut session = Engine::default().session();
    ask(&mut session, &["FUNCTION", "LOAD", code]);
    ask(&mut session, &["FUNCTION", "LOAD", &library("other", "g", "")]);
    let lib = "$12 library_name $3 lib $6 engine $3 LUA $9 functions *1 *6 $4 name $1 f \
               $11 description $4 what $5 flags *2 +no-writes +allow-oom ";
    let other = "$12 library_name $5 other $6 engine $3 LUA $9 functions *1 *6 $4 name $1 g \
                 $11 description $-1 $5 flags *0 ";
    assert_eq!(ask(&mut session, &["FUNCTION", "LIST"]), format!("*2 *6 {lib}*6 {other}"));
    let with_code = format!("*1 *8 {lib}$12 library_code ${} {code} ", code.len());
    let words = ["FUNCTION", "LIST", "libraryname", "L*", "WITHCODE"];
    assert_eq!(ask(&mut session, &words), with_code);
    let odd = [
        (&["FUNCTION", "LIST", "x"][..], "-ERR Unknown argument x "),
        (&["FUNCTION", "LIST", "LIBRARYNAME"], "-ERR library name argument was not given "),
        (&["FUNCTION", "LIST", "WITHCODE", "withcode"], "-ERR Unknown argument withcode "),
        (&["FUNCTION", "DELETE", "LIB"], "-ERR Library not found "),
        (&["FUNCTION", "FLUSH", "x"], "-ERR FUNCTION FLUSH only supports SYNC|ASYNC option "),
    ];
    for (words, expected) in odd {
        assert_eq!(ask(&mut session, words), expected);
    }
    assert_eq!(ask(&mut session, &["FUNCTION", "DELETE", "lib"]), "+OK ");
    assert_eq!(ask(&mut session, &["FUNCTION", "LIST"]), format!("*1 *6 {other}"));
    assert_eq!(ask(&mut session, &["FUNCTION", "FLUSH", "async"]), "+OK ");
    assert_eq!(ask(&mut session, &["FUNCTION", "LIST"]), "*0 ");
    assert_eq!(ask(&mut session, &["FCALL", "g", "0"]), "-ERR Function not found ");
}

#[test]
fn the_list_in_the_third_protocol_has_maps_and_sets() {
    let mut session = session_with("return 1");
    ask(&mut session, &["HELLO", "3"]);
    let expected = "*1 %3 $12 library_name $3 lib $6 engine $3 LUA $9 functions *1 %3 $4 name $1 f \
                    $11 description _ $5 flags ~0 ";
    assert_eq!(ask(&mut session, &["FUNCTION", "LIST"]), expected);
    let expected = "%2 $14 running_script _ $7 engines %1 $3 LUA %2 $15 libraries_count :1 \
                    $15 functions_count :1 ";
    assert_eq!(ask(&mut session, &["FUNCTION", "STATS"]), expected);
}

#[test]
fn flags_say_what_a_function_may_do() {
    let with_flags = |flags: &str, body: &str| {
        format!(
            "#!lua name=lib\nredis.register_function{{function_name = 'f', flags = {{{flags}}}, \
             callback = function() {body} end}}"
        )
    };
    let mut session = Engine::default().session();
    let set = with_flags("'no-writes'", "return redis.call('SET', 'k', 'v')");
    ask(&mut session, &["FUNCTION", "LOAD", &set]);
    let refused = "-ERR Write commands are not allowed from read-only scripts. script: f, on \
                   @user_function:2. ";
    assert_eq!(ask(&mut session, &["FCALL", "f", "0"]), refused);
    assert_eq!(ask(&mut session, &["FCALL_RO", "f", "0"]), refused);
    let get = with_flags("", "return redis.call('GET', 'k')");
    ask(&mut session, &["FUNCTION", "LOAD", "REPLACE", &get]);
    let refused = "-ERR Can not execute a script with write flag using *_ro command. ";
    assert_eq!(ask(&mut session, &["FCALL_RO", "f", "0"]), refused);
    assert_eq!(ask(&mut session, &["EVAL_RO", "#!lua\nreturn 1", "0"]), refused);
    assert_eq!(ask(&mut session, &["EVAL_RO", "#!lua flags=no-writes\nreturn 1", "0"]), ":1 ");
}

#[test]
fn in_a_cluster_keys_are_judged_as_those_of_scripts_with_flags() {
    let id = NodeId::parse(&[b'a'; 40]).expect("forty hexadecimal digits");
    let mut topology = Topology::new(SlotScheme::Redis, Node::primary(id, "me", 1));
    (0..16_384).for_each(|slot| _ = topology.assign(slot, id));
    let options = EngineOptions { cluster: Some(topology), ..EngineOptions::default() };
    let mut session = Engine::new(options).session();
    let body = "redis.call('SET', 'a', 1) redis.call('SET', 'b', 2)";
    ask(&mut session, &["FUNCTION", "LOAD", &library("lib", "f", body)]);
    let said = ask(&mut session, &["FCALL", "f", "0"]);
    let expected = "-ERR Script attempted to access keys that do not hash to the same slot script: f, \
                    on @user_function:2. ";
    assert_eq!(said, expected);
    let said = ask(&mut session, &["FCALL", "f", "2", "a", "b"]);
    assert_eq!(said, "-CROSSSLOT Keys in request don't hash to the same slot ");
    let code = "#!lua name=lib\nredis.register_function{function_name = 'f', flags = {'no-cluster'}, \
                callback = function() end}";
    ask(&mut session, &["FUNCTION", "LOAD", "REPLACE", code]);
    let expected = "-ERR Can not run script on cluster, 'no-cluster' flag is set. ";
    assert_eq!(ask(&mut session, &["FCALL", "f", "0"]), expected);
}

#[test]
fn a_function_in_a_transaction_is_one_of_its_commands() {
    let mut session = Engine::default().session();
    ask(&mut session, &["MULTI"]);
    let incr = library("lib", "f", "return redis.call('INCR', keys[1])");
    ask(&mut session, &["FUNCTION", "LOAD", &incr]);
    ask(&mut session, &["FCALL", "f", "1", "k"]);
    ask(&mut session, &["FUNCTION", "STATS"]);
    ask(&mut session, &["FUNCTION", "KILL"]);
    ask(&mut session, &["FUNCTION", "DELETE", "lib"]);
    ask(&mut session, &["FCALL", "f", "0"]);
    let stats = "*4 $14 running_script $-1 $7 engines *2 $3 LUA *4 $15 libraries_count :1 \
                 $15 functions_count :1 ";
    let idle = "-NOTBUSY No scripts in execution right now. ";
    let expected = format!("*6 $3 lib :1 {stats}{idle}+OK -ERR Function not found ");
    assert_eq!(ask(&mut session, &["EXEC"]), expected);
}

/// As redis-server 7.0 answers FUNCTION DUMP with the library below: as it is, and compressed.
const TEXT: &str = "#!lua name=l\nredis.register_function('f',function(k,a) return {k,a} end) \
                    redis.register_function{function_name='g',description='desc',flags={'no-writes',\
                    'allow-oom','allow-stale','no-cluster','allow-cross-slot-keys'},callback=function\
                    (k,a) return redis.call('set','x',1) end}";
const PLAIN_END: &[u8] = b"\n\x00\x88\xebzG=\xdf]\xea";
const COMPRESSED: &[u8] = b"\xf5\xc3@\xd2A\x13\x1f#!lua name=l\nredis.register_func\x08tion('f',\
    \xe0\x00\x0c\x0ck,a) return { \x0c\x04} end@\x11\xe0\x0c;\x00{\xc07\x00_`c\n'g',descrip@Y\x01=\
    '@\x0c \\\x1blags={'no-writes','allow-oom\xe0\x00\x0b\x04stale \r %\x02clu@\xa2 \x0c\x80&\x12\
    cross-slot-keys'},c \x18\x04back=\xc0\x80\xe0\x04\xb8\x80\xad@#\x04('set G\x04x',1) \xca\x01d}\
    \n\x00:\xc40\x96\xe8\xbc\xf1\xf7";

#[test]
fn payloads_are_those_of_redis() {
    let plain = [&b"\xf5A\x13"[..], TEXT.as_bytes(), PLAIN_END].concat();
    for payload in [&*plain, COMPRESSED] {
        let engine = Engine::default();
        let mut session = engine.session();
        assert_eq!(ask_bytes(&mut session, &[b"FUNCTION", b"RESTORE", payload]), "+OK ");
        assert_eq!(ask(&mut session, &["FCALL", "f", "1", "k"]), "*2 *1 $1 k *0 ");
        let dumped = engine.dump_functions().expect("scripts are built in");
        assert_eq!(dumped, plain);
    }
}

#[test]
fn restored_libraries_join_take_the_place_or_are_all() {
    let saved = Engine::default();
    for (name, function) in [("a", "one"), ("b", "two")] {
        let code = library(name, function, "return 'restored'");
        ask(&mut saved.session(), &["FUNCTION", "LOAD", &code]);
    }
    let payload = saved.dump_functions().expect("scripts are built in");
    let restore = |before: &[(&str, &str)], policy| {
        let engine = Engine::default();
        for (name, function) in before {
            let code = library(name, function, "return 'old'");
            ask(&mut engine.session(), &["FUNCTION", "LOAD", &code]);
        }
        let error = engine.restore_functions(&payload, policy).err().map(|error| error.to_string());
        let mut session = engine.session();
        let calls = ["one", "two", "old"].map(|name| ask(&mut session, &["FCALL", name, "0"]));
        (error, calls.map(|said| said.split(' ').nth(1).unwrap_or_default().to_owned()))
    };
    let texts = |one: &str, two: &str, old: &str| [one, two, old].map(str::to_owned);
    let gone = "Function";
    assert_eq!(
        restore(&[("c", "old")], RestorePolicy::Append),
        (None, texts("restored", "restored", "old"))
    );
    assert_eq!(
        restore(&[("b", "old")], RestorePolicy::Append),
        (Some("ERR Library b already exists".to_owned()), texts(gone, gone, "old"))
    );
    assert_eq!(
        restore(&[("b", "old")], RestorePolicy::Replace),
        (None, texts("restored", "restored", gone))
    );
    assert_eq!(
        restore(&[("c", "TWO")], RestorePolicy::Replace),
        (Some("ERR Function two already exists".to_owned()), texts(gone, "old", gone))
    );
    assert_eq!(
        restore(&[("c", "TWO"), ("d", "old")], RestorePolicy::Flush),
        (None, texts("restored", "restored", gone))
    );
}

#[test]
fn what_cannot_be_restored_is_told_and_changes_nothing() {
    let mut session = session_with("return 1");
    let wrong_policy =
        "-ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE. ";
    assert_eq!(ask(&mut session, &["FUNCTION", "RESTORE", "x", "y"]), wrong_policy);
    let wrong = "-ERR DUMP payload version or checksum are wrong ";
    assert_eq!(ask(&mut session, &["FUNCTION", "RESTORE", "x", "flush"]), wrong);
    let of_a_key = b"\x00\xc0\x01\n\x00&x\xe7\xb6\xd1\x01\x11\xfc";
    let said = ask_bytes(&mut session, &[b"FUNCTION", b"RESTORE", of_a_key, b"FLUSH"]);
    assert_eq!(said, "-ERR given type is not a function ");
    assert_eq!(ask(&mut session, &["FCALL", "f", "0"]), ":1 ");
}

#[test]
fn changes_of_libraries_are_effects_and_calls_are_what_they_did() {
    let engine = Engine::default();
    let mut session = engine.session();
    let mut effects = engine.effects();
    let code = library("lib", "f", "redis.call('INCR', keys[1]) return redis.call('GET', keys[1])");
    ask(&mut session, &["FUNCTION", "LOAD", &code]);
    ask(&mut session, &["FCALL", "f", "1", "k"]);
    ask(&mut session, &["FUNCTION", "LIST"]);
    ask(&mut session, &["FUNCTION", "DELETE", "nosuch"]);
    ask(&mut session, &["FUNCTION", "FLUSH"]);
    let said = std::iter::from_fn(|| effects.poll()).map(|effect| match effect {
        Effect::Command { words, .. } => {
            words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
        }
        other => vec![format!("{other:?}")],
    });
    let said: Vec<Vec<String>> = said.collect();
    assert_eq!(said, [&["FUNCTION", "LOAD", &*code][..], &["INCR", "k"], &["FUNCTION", "FLUSH"]]);
}

#[test]
fn info_counts_libraries() {
    let mut session = session_with("return 1");
    let info = ask(&mut session, &["INFO", "memory"]);
    assert!(info.contains(" number_of_functions:1 number_of_libraries:1 "), "{info}");
    assert!(!info.contains(" used_memory_vm_functions:0 "), "{info}");
    assert!(!info.contains(" used_memory_functions:0 "), "{info}");
    ask(&mut session, &["FUNCTION", "FLUSH"]);
    let info = ask(&mut session, &["INFO", "memory"]);
    assert!(info.contains(" number_of_functions:0 number_of_libraries:0 "), "{info}");
}

const SLOW: &str =
    "-BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE. ";

/// Lets another session give commands, all of them again and again, while a script is slow, and tells
/// what they were answered the first time.
fn meanwhile(
    script: &[&str],
    library: Option<&str>,
    commands: &'static [&'static [&'static str]],
) -> (String, Vec<String>) {
    let settings = vec![("busy-reply-threshold".to_owned(), "0".to_owned())];
    let engine = Engine::new(EngineOptions { settings, ..EngineOptions::default() });
    if let Some(library) = library {
        ask(&mut engine.session(), &["FUNCTION", "LOAD", library]);
    }
    let other = Arc::new(Mutex::new((engine.session(), Vec::new())));
    let served = other.clone();
    engine.set_slow_script_callback(Arc::new(move || {
        let (session, said) = &mut *served.lock().expect("one thread");
        let answers = commands.iter().map(|words| ask(session, words)).collect::<Vec<_>>();
        if said.is_empty() {
            *said = answers;
        }
    }));
    let answer = ask(&mut engine.session(), script);
    let said = other.lock().expect("one thread").1.clone();
    (answer, said)
}

#[test]
fn a_slow_function_is_told_of_and_killed_as_a_function() {
    let code = library("lib", "loop", "while true do end");
    let commands: &[&[&str]] = &[
        &["GET", "k"],
        &["FUNCTION", "LIST"],
        &["SCRIPT", "KILL"],
        &["FUNCTION", "STATS"],
        &["FUNCTION", "KILL"],
    ];
    let (answer, said) = meanwhile(&["FCALL", "Loop", "1", "a", "b"], Some(&code), commands);
    let killed =
        "-ERR Script killed by user with SCRIPT KILL... script: loop, on @user_function:2. ";
    assert_eq!(answer, killed);
    assert_eq!(said[..3], [SLOW; 3]);
    let start = "*4 $14 running_script *6 $4 name $4 loop $7 command *5 $5 FCALL $4 Loop $1 1 $1 a \
                 $1 b $11 duration_ms :";
    let end = " $7 engines *2 $3 LUA *4 $15 libraries_count :1 $15 functions_count :1 ";
    assert!(said[3].starts_with(start) && said[3].ends_with(end), "{}", said[3]);
    assert_eq!(said[4], "+OK ");
}

#[test]
fn a_slow_script_is_no_function() {
    let commands: &[&[&str]] =
        &[&["FUNCTION", "STATS"], &["FUNCTION", "KILL"], &["SCRIPT", "KILL"]];
    let (answer, said) = meanwhile(&["EVAL", "while true do end", "0"], None, commands);
    assert!(answer.starts_with("-ERR Script killed by user with SCRIPT KILL... "), "{answer}");
    let slow = SLOW.replace("FUNCTION KILL", "SCRIPT KILL");
    assert_eq!(said, [&*slow, &*slow, "+OK "]);
}

#[test]
fn a_function_that_has_written_cannot_be_killed() {
    let body = "redis.call('SET', 'k', 'v') for i = 1, 1e6 do end return 1";
    let code = library("lib", "f", body);
    let (answer, said) = meanwhile(&["FCALL", "f", "0"], Some(&code), &[&["FUNCTION", "KILL"]]);
    assert_eq!(answer, ":1 ");
    assert!(said[0].starts_with("-UNKILLABLE Sorry the script already executed write"), "{said:?}");
    let mut session = Engine::default().session();
    let idle = "-NOTBUSY No scripts in execution right now. ";
    assert_eq!(ask(&mut session, &["FUNCTION", "KILL"]), idle);
}

#[test]
fn a_monitor_sees_a_call_and_then_what_it_does() {
    let engine = Engine::default();
    let (mut monitor, mut session) = (engine.session(), engine.session());
    session.set_peer("127.0.0.1:5000", "127.0.0.1:6379");
    let code = library("lib", "f", "return redis.call('SET', 'k', 'v')");
    ask(&mut session, &["FUNCTION", "LOAD", &code]);
    ask(&mut monitor, &["MONITOR"]);
    ask(&mut session, &["FCALL", "f", "0"]);
    monitor.poll();
    let shown = String::from_utf8_lossy(&monitor.take_output()).into_owned();
    let shown: Vec<&str> = shown.lines().filter_map(|line| Some(line.split_once(' ')?.1)).collect();
    let first = "[0 127.0.0.1:5000] \"FCALL\" \"f\" \"0\"";
    assert_eq!(shown, [first, "[0 lua] \"SET\" \"k\" \"v\""]);
}
