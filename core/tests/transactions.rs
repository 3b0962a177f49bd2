//! Transactions: what is queued, what is refused, and what watched keys forbid.

use keyslot::cluster::{Node, NodeId, Topology};
use keyslot::resp::Reply;
use keyslot::slot::SlotScheme;
use keyslot::time::ManualClock;
use keyslot::{Engine, EngineOptions, Session};
use std::sync::Arc;

fn say(session: &mut Session, input: &str) -> String {
    session.feed(input.as_bytes());
    session.poll();
    String::from_utf8(session.take_output()).expect("text").replace("\r\n", " ")
}

#[test]
fn commands_wait_for_exec_and_an_error_undoes_nothing() {
    let mut session = Engine::default().session();
    let input =
        "MULTI\r\nSET k 1\r\nINCR k\r\nGETEX k x\r\nSETEX k 0 v\r\nGET k\r\nEXEC\r\nGET k\r\n";
    assert_eq!(
        say(&mut session, input),
        "+OK +QUEUED +QUEUED +QUEUED +QUEUED +QUEUED *5 +OK :2 -ERR syntax error -ERR invalid \
         expire time in 'setex' command $1 2 $1 2 "
    );
}

#[test]
fn a_refused_command_breaks_the_transaction() {
    let mut session = Engine::default().session();
    let aborted = "-EXECABORT Transaction discarded because of previous errors. ";
    for refused in ["NOSUCH", "GET", "CONFIG NOSUCH"] {
        let said =
            say(&mut session, &format!("MULTI\r\nSET k v\r\n{refused}\r\nEXEC\r\nGET k\r\n"));
        assert!(said.starts_with("+OK +QUEUED -ERR "), "{said}");
        assert!(said.ends_with(&format!("{aborted}$-1 ")), "{said}");
    }
    let arity = "wrong number of arguments for 'exec' command ";
    assert_eq!(
        say(&mut session, "MULTI\r\nEXEC x\r\nEXEC\r\n"),
        format!("+OK -EXECABORT Transaction discarded because of: {arity}-ERR EXEC without MULTI ")
    );
}

#[test]
fn nesting_and_watching_within_are_errors_that_break_nothing() {
    let mut session = Engine::default().session();
    assert_eq!(
        say(&mut session, "MULTI\r\nMULTI\r\nWATCH k\r\nPING\r\nEXEC\r\n"),
        "+OK -ERR MULTI calls can not be nested -ERR WATCH inside MULTI is not allowed +QUEUED *1 \
         +PONG "
    );
    assert_eq!(
        say(&mut session, "DISCARD\r\nEXEC\r\n"),
        "-ERR DISCARD without MULTI -ERR EXEC without MULTI "
    );
    assert_eq!(
        say(&mut session, "MULTI\r\nSET k v\r\nDISCARD\r\nGET k\r\nUNWATCH\r\n"),
        "+OK +QUEUED +OK $-1 +OK "
    );
    assert_eq!(
        say(&mut session, "MULTI\r\nRESET\r\nEXEC\r\n"),
        "+OK +RESET -ERR EXEC without MULTI "
    );
    assert_eq!(say(&mut session, "MULTI\r\nEXEC\r\n"), "+OK *0 ");
}

#[test]
fn a_selected_database_counts_for_what_follows() {
    let mut session = Engine::default().session();
    let input = "MULTI\r\nSET k 0\r\nSELECT 3\r\nSET k 3\r\nDBSIZE\r\nEXEC\r\nGET k\r\n";
    assert!(say(&mut session, input).ends_with("*4 +OK +OK +OK :1 $1 3 "));
    assert_eq!(say(&mut session, "SELECT 0\r\nGET k\r\n"), "+OK $1 0 ");
}

#[test]
fn whole_databases_can_be_changed_within() {
    let engine = Engine::default();
    let mut session = engine.session();
    let input = "SET a 1\r\nMULTI\r\nSWAPDB 0 1\r\nSET b 1\r\nDBSIZE\r\nKEYS *\r\nDEBUG SLEEP 0\r\n\
                 FLUSHALL\r\nDBSIZE\r\nRANDOMKEY\r\nSCAN 0\r\nEXEC\r\n";
    let said = say(&mut session, input);
    assert!(said.contains("*9 +OK +OK :1 *1 $1 b -ERR DEBUG"), "{said}");
    assert!(said.ends_with("+OK :0 $-1 *2 $1 0 *0 "), "{said}");
}

/// Whether EXEC is refused when another session says `change` after this one watched `keys`.
fn is_refused(prepare: &str, keys: &str, change: &str) -> bool {
    let engine = Engine::default();
    let (mut one, mut other) = (engine.session(), engine.session());
    say(&mut one, &format!("{prepare}\r\nWATCH {keys}\r\n"));
    say(&mut other, &format!("{change}\r\n"));
    let refused = say(&mut one, "MULTI\r\nPING\r\nEXEC\r\n").ends_with(" *-1 ");
    // Either way nothing is watched any more.
    say(&mut other, &format!("{prepare}\r\n{change}\r\n"));
    assert!(say(&mut one, "MULTI\r\nPING\r\nEXEC\r\n").ends_with(" *1 +PONG "));
    refused
}

#[test]
fn a_change_to_a_watched_key_refuses_exec() {
    for (prepare, change, refused) in [
        ("PING", "SET k v", true),
        ("SET k v", "GET k", false),
        ("SET k v", "APPEND k w", true),
        ("SET k 1", "INCR k", true),
        ("SET k v", "SETRANGE k 1000 x", true),
        ("SET k v", "DEL k", true),
        ("SET k v", "EXPIRE k 100", true),
        ("SET k v", "PERSIST k", false),
        ("SETEX k 100 v", "PERSIST k", true),
        ("SET k v", "RENAME k l", true),
        ("SET l v", "RENAME l k", true),
        ("SET l v", "COPY l k", true),
        ("SET k v", "MOVE k 1", true),
        ("PING", "DEL k", false),
        ("PING", "SELECT 1\r\nSET k v", false),
        ("SET k v", "SETNX k w", false),
        ("SET k v", "FLUSHALL", true),
        ("SET k v", "FLUSHDB", true),
        ("PING", "FLUSHALL", false),
        ("SET k v", "SWAPDB 0 1", true),
        ("SELECT 1\r\nSET k v\r\nSELECT 0", "SWAPDB 1 0", true),
        ("SET k v", "SWAPDB 1 2", false),
        ("PING", "SWAPDB 0 1", false),
        ("SET k v", "MULTI\r\nSET k w\r\nEXEC", true),
        ("SET k v", "MULTI\r\nSET k w\r\nDISCARD", false),
    ] {
        assert_eq!(is_refused(prepare, "x k", change), refused, "{prepare}; {change}");
    }
}

#[test]
fn a_session_is_held_to_its_own_changes_too_until_it_forgets() {
    let mut session = Engine::default().session();
    assert!(say(&mut session, "WATCH k\r\nSET k v\r\nMULTI\r\nEXEC\r\n").ends_with("*-1 "));
    assert!(
        say(&mut session, "WATCH k\r\nSET k v\r\nUNWATCH\r\nMULTI\r\nEXEC\r\n").ends_with("*0 ")
    );
    assert!(
        say(&mut session, "WATCH k\r\nMULTI\r\nDISCARD\r\nSET k v\r\nMULTI\r\nEXEC\r\n")
            .ends_with("*0 ")
    );
}

#[test]
fn time_that_runs_out_is_a_change_unless_it_had_before() {
    let clock = Arc::new(ManualClock::new(1_000));
    let options = EngineOptions { clock: Box::new(clock.clone()), ..EngineOptions::default() };
    let engine = Engine::new(options);
    for maintain in [false, true] {
        let mut session = engine.session();
        say(&mut session, "SET k v PX 10\r\nWATCH k\r\nMULTI\r\nPING\r\n");
        clock.advance_ms(20);
        while maintain && engine.maintain(10) {}
        assert_eq!(say(&mut session, "EXEC\r\n"), "*-1 ");
        say(&mut session, "SET k v PX 10\r\n");
        clock.advance_ms(20);
        say(&mut session, "WATCH k\r\n");
        while maintain && engine.maintain(10) {}
        assert_eq!(say(&mut session, "MULTI\r\nPING\r\nEXEC\r\n"), "+OK +QUEUED *1 +PONG ");
    }
}

#[test]
fn the_list_of_clients_tells_of_transactions() {
    let engine = Engine::default();
    let (mut one, mut other) = (engine.session(), engine.session());
    say(&mut one, "MULTI\r\nPING\r\n");
    let list = say(&mut other, "CLIENT LIST\r\n");
    assert!(list.contains(" flags=x ") && list.contains(" multi=1 "), "{list}");
    assert!(list.contains(" multi=-1 "), "{list}");
}

#[test]
fn in_a_cluster_all_keys_lie_in_one_slot_that_is_here() {
    let me = NodeId::parse(&[b'a'; 40]).expect("forty letters");
    let other = NodeId::parse(&[b'b'; 40]).expect("forty letters");
    let mut topology = Topology::new(SlotScheme::Redis, Node::primary(me, "me", 1));
    topology.put_node(Node::primary(other, "other", 2));
    topology.require_full_coverage = false;
    let slot = |key: &[u8]| SlotScheme::Redis.slot(key);
    for key in [&b"a"[..], b"b"] {
        topology.assign(slot(key), me);
    }
    topology.assign(slot(b"c"), other);
    let engine = Engine::new(EngineOptions { cluster: Some(topology), ..EngineOptions::default() });
    let mut session = engine.session();
    let cross = "-CROSSSLOT Keys in request don't hash to the same slot ";
    let two = "MULTI\r\nSET a 1\r\nSET b 1\r\nEXEC\r\nEXEC\r\nEXISTS a\r\n";
    assert_eq!(
        say(&mut session, two),
        format!("+OK +QUEUED +QUEUED {cross}-ERR EXEC without MULTI :0 ")
    );
    let moved = format!("-MOVED {} other:2 ", slot(b"c"));
    assert_eq!(
        say(&mut session, "MULTI\r\nSET c 1\r\nEXEC\r\n"),
        format!("+OK {moved}-EXECABORT Transaction discarded because of previous errors. ")
    );
    assert_eq!(
        say(&mut session, "MULTI\r\nSET {a}1 1\r\nGET a\r\nEXEC\r\n"),
        "+OK +QUEUED +QUEUED *2 +OK $-1 "
    );
    // The slot goes between the queueing and the execution.
    say(&mut session, "MULTI\r\nSET a 1\r\n");
    let change = |topology: &mut Topology| _ = topology.assign(slot(b"a"), other);
    engine.change_topology(change).expect("a cluster");
    assert_eq!(
        say(&mut session, "EXEC\r\nPING\r\n"),
        format!("-MOVED {} other:2 +PONG ", slot(b"a"))
    );
}

#[test]
fn silence_counts_for_what_is_queued_too() {
    let mut session = Engine::default().session();
    let input = "CLIENT REPLY OFF\r\nMULTI\r\nSET k v\r\nEXEC\r\nCLIENT REPLY ON\r\nGET k\r\n";
    assert_eq!(say(&mut session, input), "+OK $1 v ");
}

#[test]
fn programs_have_a_form_of_their_own() {
    let engine = Engine::default();
    let replies = engine.atomic(&[&[b"SET", b"a", b"x"], &[b"INCR", b"a"], &[b"GET", b"a"]]);
    let replies = replies.expect("all of them exist");
    assert!(matches!(&replies[1], Reply::Error(text) if text.starts_with(b"ERR value is not")));
    assert_eq!(replies[2], Reply::Bulk(b"x"[..].into()));
    let refused = engine.atomic(&[&[b"SET", b"a", b"y"], &[b"NOSUCH"]]).unwrap_err();
    assert!(refused.to_string().starts_with("ERR unknown command"), "{refused}");
    assert_eq!(engine.get(b"a").expect("a string").as_deref(), Some(&b"x"[..]));
}

#[test]
fn threads_never_see_half_of_a_transaction() {
    let engine = Engine::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut session = engine.session();
                for _ in 0..2_000 {
                    say(&mut session, "MULTI\r\nINCR a\r\nINCR b\r\nEXEC\r\n");
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..4_000 {
                let replies =
                    engine.atomic(&[&[b"GET", b"b"], &[b"GET", b"a"]]).expect("both exist");
                assert_eq!(replies[0], replies[1]);
            }
        });
        scope.spawn(|| {
            let mut session = engine.session();
            let mut done = 0;
            while done < 200 {
                session.feed(b"WATCH c\r\nGET c\r\n");
                let said = say(&mut session, "");
                let value: u64 =
                    said.split(' ').nth(2).and_then(|text| text.parse().ok()).unwrap_or(0);
                let said = say(&mut session, &format!("MULTI\r\nSET c {}\r\nEXEC\r\n", value + 1));
                done += u64::from(said.ends_with("+OK "));
            }
        });
        scope.spawn(|| {
            let mut session = engine.session();
            for _ in 0..200 {
                say(&mut session, "INCR c\r\n");
            }
        });
    });
    let count = |key: &[u8]| engine.get(key).expect("a string").map(|text| text.to_vec());
    assert_eq!((count(b"a"), count(b"b")), (Some(b"4000".to_vec()), Some(b"4000".to_vec())));
    assert_eq!(count(b"c"), Some(b"400".to_vec()));
}

/// A move counts as one change, at its source, and that of its target was told to nobody.
#[test]
fn an_element_that_is_moved_changes_the_list_that_it_comes_to() {
    let engine = Engine::default();
    let (mut one, mut other) = (engine.session(), engine.session());
    one.feed(b"RPUSH a 1\r\nRPUSH b 2\r\nWATCH b\r\nMULTI\r\nPING\r\n");
    one.take_output();
    other.feed(b"LMOVE a b LEFT LEFT\r\n");
    one.feed(b"EXEC\r\n");
    assert_eq!(one.take_output(), b"*-1\r\n");
}
