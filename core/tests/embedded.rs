//! Commands that make no sense inside another process: each has an answer, and says what is so.

use keyslot::{Engine, EngineOptions, Session};

fn say(session: &mut Session, input: &str) -> String {
    session.feed(format!("{input}\r\n").as_bytes());
    String::from_utf8(session.take_output()).expect("text").replace("\r\n", " ")
}

#[test]
fn what_a_server_does_with_its_files_and_its_process_is_the_hosts() {
    let mut session = Engine::default().session();
    for (command, answer) in [
        ("SAVE", "-ERR SAVE is not supported: an embedded engine writes no files, its host does "),
        (
            "BGSAVE SCHEDULE",
            "-ERR BGSAVE is not supported: an embedded engine writes no files, its host does ",
        ),
        ("BGSAVE NOW", "-ERR syntax error "),
        (
            "BGREWRITEAOF",
            "-ERR BGREWRITEAOF is not supported: an embedded engine has no append-only file ",
        ),
        (
            "SHUTDOWN",
            "-ERR SHUTDOWN is not supported: an embedded engine ends when its host ends it ",
        ),
        (
            "SHUTDOWN NOSAVE NOW FORCE",
            "-ERR SHUTDOWN is not supported: an embedded engine ends when its host ends it ",
        ),
        ("SHUTDOWN ABORT", "-ERR No shutdown in progress. "),
        ("SHUTDOWN SAVE NOSAVE", "-ERR syntax error "),
        ("SHUTDOWN ABORT NOW", "-ERR syntax error "),
        ("SHUTDOWN x", "-ERR syntax error "),
        ("MODULE LIST", "*0 "),
    ] {
        assert_eq!(say(&mut session, command), answer, "{command}");
    }
    assert!(say(&mut session, "MODULE LOAD x").starts_with("-ERR MODULE command not allowed. If "));
    assert!(say(&mut session, "LASTSAVE").starts_with(':'));
}

#[test]
fn modules_are_refused_where_they_are_allowed_too() {
    let settings = vec![("enable-module-command".into(), "local".into())];
    let mut session = Engine::new(EngineOptions { settings, ..Default::default() }).session();
    assert!(say(&mut session, "MODULE LOAD x").starts_with("-ERR Error loading the extension: "));
    assert_eq!(
        say(&mut session, "MODULE UNLOAD x"),
        "-ERR Error unloading module: no such module with that name "
    );
    session.set_peer("10.0.0.1:5", "10.0.0.2:6");
    assert!(say(&mut session, "MODULE LOADEX x").starts_with("-ERR MODULE command not allowed."));
}

#[test]
fn an_engine_is_a_master_without_replicas() {
    let mut session = Engine::default().session();
    for (command, answer) in [
        ("ROLE", "*3 $6 master :0 *0 "),
        ("REPLICAOF NO ONE", "+OK "),
        ("SLAVEOF no one", "+OK "),
        ("REPLICAOF host x", "-ERR Invalid master port "),
        (
            "REPLICAOF host 1",
            "-ERR REPLICAOF is not supported: an embedded engine opens no connection ",
        ),
        ("SYNC", "-ERR SYNC is not supported: an embedded engine feeds no replicas "),
        ("PSYNC ? -1", "-ERR PSYNC is not supported: an embedded engine feeds no replicas "),
        ("REPLCONF ACK 1", "-ERR REPLCONF is not supported: an embedded engine feeds no replicas "),
        ("FAILOVER", "-ERR FAILOVER requires connected replicas. "),
        ("FAILOVER TO h 1 FORCE TIMEOUT 5", "-ERR FAILOVER requires connected replicas. "),
        ("FAILOVER ABORT", "-ERR No failover in progress. "),
        ("FAILOVER ABORT FORCE", "-ERR syntax error "),
        ("FAILOVER TO h", "-ERR syntax error "),
        ("FAILOVER TIMEOUT x", "-ERR value is not an integer or out of range "),
        ("FAILOVER TIMEOUT 0", "-ERR FAILOVER timeout must be greater than 0 "),
    ] {
        assert_eq!(say(&mut session, command), answer, "{command}");
    }
}
