//! Who may do what: users and their rules, what is refused to them and how, and what is noted of it.

use keyslot::time::ManualClock;
use keyslot::{AclStore, AuditEvent, Engine, EngineOptions, Session};
use std::sync::{Arc, Mutex};

fn say(session: &mut Session, input: &str) -> String {
    session.feed(input.as_bytes());
    session.poll();
    String::from_utf8(session.take_output()).expect("text").replace("\r\n", " ")
}

fn engine(settings: &[(&str, &str)]) -> Engine {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Engine::new(EngineOptions {
        settings: settings.iter().map(owned).collect(),
        clock: Box::new(Arc::new(ManualClock::new(1_000_000))),
        ..EngineOptions::default()
    })
}

/// A session of a user whose password is `p`.
fn session_of(engine: &Engine, user: &str) -> Session {
    let mut session = engine.session();
    assert_eq!(say(&mut session, &format!("AUTH {user} p\r\n")), "+OK ");
    session
}

/// An engine with a user `u` who has these rules.
fn with_user(rules: &str) -> (Engine, Session) {
    let engine = engine(&[("user", &format!("u on >p {rules}"))]);
    let session = session_of(&engine, "u");
    (engine, session)
}

const NO_KEY: &str = "-NOPERM No permissions to access a key ";
const NO_CHANNEL: &str = "-NOPERM No permissions to access a channel ";

#[test]
fn users_are_told_as_redis_tells_them() {
    let mut session = Engine::default().session();
    let default = "$51 user default on nopass sanitize-payload ~* &* +@all ";
    assert_eq!(say(&mut session, "ACL LIST\r\n"), format!("*1 {default}"));
    let rules = "on >bar ~a* %R~x %W~x &c +@all -get -@string +config|get +select|0 (+set ~k)";
    assert_eq!(say(&mut session, &format!("ACL SETUSER foo {rules}\r\n")), "+OK ");
    let said = say(&mut session, "ACL LIST\r\n");
    assert!(
        said.ends_with(
            " ~a* ~x resetchannels &c +@all -get -@string +config|get +select|0 (~k resetchannels \
             -@all +set) "
        ),
        "{said}"
    );
    let digest = "#fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9";
    assert!(said.contains(&format!("user foo on sanitize-payload {digest} ")), "{said}");
    assert_eq!(say(&mut session, "ACL USERS\r\n"), "*2 $7 default $3 foo ");
    assert_eq!(say(&mut session, "ACL WHOAMI\r\n"), "$7 default ");
    let said = say(&mut session, "HELLO 3\r\nACL GETUSER foo\r\n");
    assert!(said.contains("%6 $5 flags ~2 $2 on $16 sanitize-payload $9 passwords *1 $64 "));
    assert!(
        said.ends_with(
            "$9 selectors *1 %3 $8 commands $10 -@all +set $4 keys $2 ~k $8 channels $0  "
        )
    );
}

#[test]
fn a_later_rule_takes_the_place_of_those_that_it_covers() {
    let mut session = Engine::default().session();
    for (rules, printed) in [
        ("+get +set -get", "-@all +set -get"),
        ("+config|get +config|set +config", "-@all +config"),
        ("+@read +@READ -@read", "-@all -@read"),
        ("+get +@all -get +nosuch", ""),
        ("+GET +geT", "-@all +get"),
        ("+zrange +zrangebyscore -zrange", "-@all +zrangebyscore -zrange"),
        ("+get +@all", "+@all"),
        ("+select|0 +SELECT|0 -select", "-@all -select"),
    ] {
        let said = say(&mut session, &format!("ACL SETUSER x reset {rules}\r\nACL LIST\r\n"));
        if printed.is_empty() {
            assert!(said.starts_with("-ERR Error in ACL SETUSER modifier '+nosuch': Unknown "));
        } else {
            assert!(said.ends_with(&format!(" resetchannels {printed} ")), "{rules}: {said}");
        }
    }
}

#[test]
fn a_refused_rule_changes_nothing() {
    let mut session = Engine::default().session();
    for (rules, why) in [
        ("on +nosuch", "Error in ACL SETUSER modifier '+nosuch': Unknown command or category name"),
        ("on what", "Error in ACL SETUSER modifier 'what': Syntax error"),
        ("~* ~a", "Error in ACL SETUSER modifier '~a': Adding a pattern after the * pattern"),
        ("&* &a", "Error in ACL SETUSER modifier '&a': Adding a pattern after the * pattern"),
        ("<none", "Error in ACL SETUSER modifier '<none': The password you are trying to remove"),
        ("#12", "Error in ACL SETUSER modifier '#12': The password hash must be exactly 64"),
        ("+config|get|a", "Error in ACL SETUSER modifier '+config|get|a': Allowing first-arg of"),
        ("%X~a", "Error in ACL SETUSER modifier '%X~a': Syntax error"),
        ("(+get", "Unmatched parenthesis in acl selector starting at '(+get'."),
        ("(on)", "Error in ACL SETUSER modifier '(on)': Syntax error"),
    ] {
        let said = say(&mut session, &format!("ACL SETUSER x on {rules}\r\nACL USERS\r\n"));
        assert!(said.starts_with(&format!("-ERR {why}")), "{rules}: {said}");
        assert!(said.ends_with("*1 $7 default "), "{rules}: {said}");
    }
}

#[test]
fn what_is_not_allowed_is_refused() {
    let (_engine, mut session) = with_user("~a* %R~r* %W~w* +@all -hset -config");
    for (command, refused) in [
        ("GET a1", "$-1 "),
        ("GET b", NO_KEY),
        ("GET r1", "$-1 "),
        ("SET r1 v", NO_KEY),
        ("SET w1 v", "+OK "),
        ("SET w1 v GET", NO_KEY),
        ("GET w1", NO_KEY),
        ("COPY r1 w1", ":0 "),
        ("COPY w1 a1", NO_KEY),
        ("MGET a1 a2 b", NO_KEY),
        ("BITFIELD r1 GET u8 0", "*1 :0 "),
        ("BITFIELD r1 SET u8 0 1", NO_KEY),
        ("SORT r1 STORE w2", ":0 "),
        ("SORT r1 STORE r2", NO_KEY),
        ("SORT r1 BY w_*", "-ERR BY option of SORT denied due to insufficient ACL permissions. "),
        ("SORT r1 GET #", "-ERR GET option of SORT denied due to insufficient ACL permissions. "),
        ("DBSIZE", ":1 "),
        ("HSET a1 f v", "-NOPERM User u has no permissions to run the 'hset' command "),
        ("CONFIG GET x", "-NOPERM User u has no permissions to run the 'config|get' command "),
        ("PUBLISH c m", NO_CHANNEL),
        ("PING", "+PONG "),
        ("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with:  "),
    ] {
        assert_eq!(say(&mut session, &format!("{command}\r\n")), refused, "{command}");
    }
}

#[test]
fn a_selector_allows_a_command_as_a_whole() {
    let (_engine, mut session) = with_user("+get ~a* (+set ~b*) (%R~r* %W~w* +copy)");
    for (command, expected) in [
        ("GET a", "$-1 "),
        ("GET b", NO_KEY),
        ("SET b v", "+OK "),
        ("SET a v", NO_KEY),
        ("COPY r w", ":0 "),
        ("COPY a b", NO_KEY),
        ("DEL a", "-NOPERM User u has no permissions to run the 'del' command "),
    ] {
        assert_eq!(say(&mut session, &format!("{command}\r\n")), expected, "{command}");
    }
}

#[test]
fn a_pipeline_of_a_restricted_user_is_answered_in_order() {
    let (_engine, mut session) = with_user("~a* +get +set");
    assert_eq!(
        say(&mut session, "SET a 1\r\nGET a\r\nGET b\r\nINCR a\r\nGET a\r\n"),
        format!(
            "+OK $1 1 {NO_KEY}-NOPERM User u has no permissions to run the 'incr' command $1 1 "
        )
    );
}

#[test]
fn channels_are_matched_and_patterns_only_as_they_stand() {
    let (_engine, mut session) = with_user("&news.* &x +@all");
    let said = say(&mut session, "HELLO 3\r\nPUBLISH news.a m\r\nPUBLISH other m\r\n");
    assert!(said.ends_with(&format!(":0 {NO_CHANNEL}")), "{said}");
    for (command, is_allowed) in [
        ("SUBSCRIBE news.a x", true),
        ("SUBSCRIBE news.a y", false),
        ("PSUBSCRIBE news.*", true),
        ("PSUBSCRIBE news.a*", false),
        ("SSUBSCRIBE x", true),
        ("SPUBLISH y m", false),
        ("UNSUBSCRIBE y", true),
    ] {
        let said = say(&mut session, &format!("{command}\r\n"));
        assert_eq!(said != NO_CHANNEL, is_allowed, "{command}: {said}");
    }
}

#[test]
fn rules_count_when_a_command_is_queued_and_when_it_is_carried_out() {
    let (engine, mut session) = with_user("~* +@all -incr");
    let denied = "-NOPERM User u has no permissions to run the 'incr' command ";
    assert_eq!(
        say(&mut session, "MULTI\r\nINCR a\r\nEXEC\r\n"),
        format!("+OK {denied}-EXECABORT Transaction discarded because of previous errors. ")
    );
    assert_eq!(say(&mut session, "MULTI\r\nSET a 1\r\nSET b 1\r\n"), "+OK +QUEUED +QUEUED ");
    let mut other = engine.session();
    assert_eq!(say(&mut other, "ACL SETUSER u resetkeys ~a\r\n"), "+OK ");
    assert_eq!(
        say(&mut session, "EXEC\r\n"),
        "*2 +OK -NOPERM ACLs rules changed between the moment the transaction was accumulated and \
         the EXEC call. This command is no longer allowed for the following reason: no permission to \
         touch the specified keys "
    );
    let log = say(&mut other, "ACL LOG\r\n");
    assert!(log.contains("$6 reason $3 key $7 context $5 multi $6 object $1 b "), "{log}");
}

#[test]
fn sessions_of_a_removed_user_end_and_those_of_a_changed_one_follow() {
    let (engine, mut session) = with_user("~* +@all");
    let mut admin = engine.session();
    assert_eq!(say(&mut session, "SET k v\r\n"), "+OK ");
    assert_eq!(say(&mut admin, "ACL SETUSER u -set\r\n"), "+OK ");
    assert!(say(&mut session, "SET k v\r\n").starts_with("-NOPERM "));
    assert!(say(&mut admin, "CLIENT LIST\r\n").contains(" user=u "));
    assert_eq!(say(&mut admin, "ACL DELUSER u nobody\r\n"), ":1 ");
    session.poll();
    assert!(session.is_closing());
    let mut own = session_of_new(&engine, &mut admin);
    assert_eq!(say(&mut own, "ACL DELUSER v\r\n"), ":1 ");
    assert!(own.is_closing());
    let refused = say(&mut admin, "ACL DELUSER default\r\n");
    assert_eq!(refused, "-ERR The 'default' user cannot be removed ");
}

fn session_of_new(engine: &Engine, admin: &mut Session) -> Session {
    assert_eq!(say(admin, "ACL SETUSER v on >p +@all\r\n"), "+OK ");
    session_of(engine, "v")
}

#[test]
fn a_listener_whose_channel_is_taken_away_is_let_go() {
    let (engine, mut session) = with_user("&a &b +@all");
    let mut listens_to_b = session_of(&engine, "u");
    say(&mut session, "SUBSCRIBE a\r\n");
    say(&mut listens_to_b, "SUBSCRIBE b\r\n");
    let mut admin = engine.session();
    assert_eq!(say(&mut admin, "ACL SETUSER u resetchannels &b\r\n"), "+OK ");
    session.poll();
    listens_to_b.poll();
    assert_eq!((session.is_closing(), listens_to_b.is_closing()), (true, false));
}

#[test]
fn a_waiter_is_refused_when_its_rules_have_changed() {
    let (engine, mut session) = with_user("~* +@all");
    assert_eq!(say(&mut session, "BLPOP l 0\r\n"), "");
    let mut admin = engine.session();
    say(&mut admin, "ACL SETUSER u -blpop\r\nRPUSH l x\r\n");
    assert_eq!(
        say(&mut session, ""),
        "-NOPERM User u has no permissions to run the 'blpop' command "
    );
    assert_eq!(say(&mut admin, "LLEN l\r\n"), ":1 ");
}

#[test]
fn names_and_passwords_let_in() {
    let engine = engine(&[("requirepass", "secret"), ("user", "u on >p >q nopass >r +@all")]);
    let mut session = engine.session();
    let refused = "-NOAUTH Authentication required. ";
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled. ";
    assert_eq!(
        say(&mut session, "PING\r\nAUTH u p\r\nAUTH wrong\r\n"),
        [refused, wrong, wrong].concat()
    );
    assert!(say(&mut session, "HELLO 3\r\n").starts_with("-NOAUTH HELLO must be called with"));
    let said = say(&mut session, "HELLO 3 AUTH u r SETNAME n\r\nACL WHOAMI\r\n");
    assert!(said.starts_with("%7 ") && said.ends_with("$1 u "), "{said}");
    assert_eq!(
        say(&mut session, "RESET\r\nPING\r\nAUTH secret\r\n"),
        format!("+RESET {refused}+OK ")
    );
    assert_eq!(say(&mut session, "ACL SETUSER u off\r\nAUTH u r\r\n"), format!("+OK {wrong}"));
    let said = say(&mut session, "CONFIG SET requirepass \"\"\r\nAUTH x\r\n");
    assert!(said.starts_with("+OK -ERR AUTH <password> called without any password"), "{said}");
    assert_eq!(say(&mut engine.session(), "PING\r\n"), "+PONG ");
}

#[test]
fn a_password_is_nowhere_to_be_read() {
    let engine = engine(&[("requirepass", "topsecret")]);
    let mut session = engine.session();
    say(&mut session, "AUTH topsecret\r\nACL SETUSER u on >topsecret\r\n");
    let said = say(&mut session, "CONFIG GET *pass*\r\nACL LIST\r\nACL GETUSER u\r\nACL LOG\r\n");
    assert!(!said.contains("topsecret"), "{said}");
    assert_eq!(engine.config_get("requirepass").expect("a setting").len(), 65);
}

#[test]
fn what_is_refused_is_in_the_log_the_latest_first() {
    let clock = Arc::new(ManualClock::new(5_000_000));
    let engine = Engine::new(EngineOptions {
        settings: vec![("user".into(), "u on >p ~a +get".into())],
        clock: Box::new(clock.clone()),
        ..EngineOptions::default()
    });
    let mut session = session_of(&engine, "u");
    say(&mut session, "GET b\r\nGET b\r\nDEL a\r\nAUTH u x\r\n");
    clock.advance_ms(1_500);
    let mut admin = engine.session();
    let log = say(&mut admin, "ACL LOG\r\n");
    assert!(log.starts_with("*3 *20 $5 count :1 $6 reason $4 auth $7 context $8 toplevel $6 object $4 AUTH $8 username $1 u $11 age-seconds $3 1.5 $11 client-info $"), "{log}");
    assert!(
        log.contains("$5 count :1 $6 reason $7 command $7 context $8 toplevel $6 object $3 del ")
    );
    assert!(log.contains("$5 count :2 $6 reason $3 key $7 context $8 toplevel $6 object $1 b "));
    assert!(log.ends_with(
        "$8 entry-id :0 $17 timestamp-created :5000000 $22 timestamp-last-updated :5000000 "
    ));
    clock.advance_ms(60_000);
    say(&mut session, "GET b\r\n");
    let log = say(&mut admin, "ACL LOG 1\r\n");
    assert!(log.starts_with("*1 *20 $5 count :1 $6 reason $3 key "), "{log}");
    assert!(log.contains(" entry-id :3 "), "{log}");
    let info = say(&mut admin, "INFO stats\r\n");
    for line in ["denied_auth:1 ", "denied_cmd:1 ", "denied_key:3 ", "denied_channel:0 "] {
        assert!(info.contains(&format!("acl_access_{line}")), "{info}");
    }
    assert_eq!(say(&mut admin, "ACL LOG RESET\r\nACL LOG\r\n"), "+OK *0 ");
    say(&mut admin, "CONFIG SET acllog-max-len 1\r\n");
    say(&mut session, "GET c\r\nGET d\r\n");
    assert!(say(&mut admin, "ACL LOG\r\n").starts_with("*1 "));
}

#[test]
fn the_managed_profile_keeps_users_from_administration() {
    let settings = [
        ("user", "u on >p ~* +@all"),
        ("user", "op on >p ~* +@all"),
        ("managed-profile", "yes"),
        ("managed-administrators", "op root"),
    ];
    let engine = engine(&settings);
    let refused = "-ERR command role not support for normal user ";
    let mut session = session_of(&engine, "u");
    for command in ["CONFIG GET maxmemory", "ACL LIST", "DEBUG SLEEP 0", "CLIENT LIST"] {
        assert_eq!(say(&mut session, &format!("{command}\r\n")), refused, "{command}");
    }
    assert_eq!(say(&mut session, "SET k v\r\nGET k\r\nACL WHOAMI\r\n"), "+OK $1 v $1 u ");
    assert_eq!(say(&mut session, "MULTI\r\nCONFIG GET *\r\n"), format!("+OK {refused}"));
    let mut op = session_of(&engine, "op");
    assert_eq!(say(&mut op, "CONFIG SET hz 20\r\n"), "+OK ");
    let protected = say(&mut op, "CONFIG SET managed-profile no\r\n");
    assert!(protected.ends_with("can't set protected config "), "{protected}");
    engine.config_set("managed-profile", "no").expect("a host may");
    assert_eq!(say(&mut session, "DISCARD\r\nCONFIG SET hz 10\r\n"), "+OK +OK ");
}

#[test]
fn an_auditor_hears_of_everything_but_secrets() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = heard.clone();
    let engine = Engine::new(EngineOptions {
        settings: vec![("user".into(), "u on >hidden ~a &a +@all -del".into())],
        audit: Some(Arc::new(move |origin, event: &AuditEvent<'_>| {
            let user = String::from_utf8_lossy(&origin.user);
            sink.lock().expect("nobody panics").push(format!("{user}: {event:?}"));
        })),
        ..EngineOptions::default()
    });
    let mut session = engine.session();
    say(&mut session, "AUTH u wrong\r\nAUTH u hidden\r\nDEL a\r\nGET b\r\nPUBLISH b m\r\n");
    say(
        &mut session,
        "CONFIG SET requirepass hidden\r\nACL SETUSER v >hidden\r\nACL DELUSER v\r\n",
    );
    say(&mut session, "POST / HTTP/1.1\r\n");
    let heard = heard.lock().expect("nobody panics");
    let kinds: Vec<&str> =
        heard.iter().map(|line| line.split([' ', '{']).nth(1).expect("a name")).collect();
    assert_eq!(
        kinds,
        [
            "LoginFailed",
            "LoggedIn",
            "CommandDenied",
            "KeyDenied",
            "ChannelDenied",
            "SettingChanged",
            "UserChanged",
            "UserRemoved",
            "ForeignProtocolClosed",
        ]
    );
    assert!(heard[0].starts_with("default: ") && heard[2].starts_with("u: "), "{heard:?}");
    assert!(!format!("{heard:?}").contains("hidden"));
}

#[test]
fn generated_passwords_follow_from_the_secret_alone() {
    let password = |secret| {
        let options = EngineOptions { secret, ..EngineOptions::default() };
        say(&mut Engine::new(options).session(), "ACL GENPASS 5\r\nACL GENPASS\r\n")
    };
    let said = password(Some([7; 32]));
    assert!(said.starts_with("$2 ") && said.contains(" $64 "), "{said}");
    assert_eq!(said, password(Some([7; 32])));
    assert_ne!(said, password(Some([8; 32])));
    let mut session = Engine::default().session();
    for bits in ["0", "4097", "-1"] {
        let said = say(&mut session, &format!("ACL GENPASS {bits}\r\n"));
        assert!(said.starts_with("-ERR ACL GENPASS argument must be the number of bits"), "{said}");
    }
}

/// Users kept in memory, as a host may keep them in a file.
struct Shelf(Arc<Mutex<Result<Vec<u8>, String>>>);

impl AclStore for Shelf {
    fn name(&self) -> String {
        "users.acl".to_owned()
    }

    fn load(&self) -> Result<Vec<u8>, String> {
        self.0.lock().expect("nobody panics").clone()
    }

    fn save(&self, text: &[u8]) -> Result<(), String> {
        let mut kept = self.0.lock().expect("nobody panics");
        if let Ok(kept) = &mut *kept {
            *kept = text.to_vec();
            return Ok(());
        }
        Err("it is read-only".to_owned())
    }
}

fn open_with(shelf: &Arc<Mutex<Result<Vec<u8>, String>>>) -> Result<Engine, String> {
    let acl_store: Option<Box<dyn AclStore>> = Some(Box::new(Shelf(shelf.clone())));
    let options = EngineOptions { acl_store, ..EngineOptions::default() };
    Engine::open(options).map_err(|error| error.to_string())
}

#[test]
fn users_are_kept_where_the_host_keeps_them() {
    let text = b"user u on >p ~a* (%R~b +get) +set\n\n  user default on nopass ~* +@all &*\n";
    let shelf = Arc::new(Mutex::new(Ok(text.to_vec())));
    let engine = open_with(&shelf).expect("the users are right");
    let mut session = session_of(&engine, "u");
    assert_eq!(say(&mut session, "SET a1 v\r\nGET b\r\n"), "+OK $-1 ");
    let mut admin = engine.session();
    let list = say(&mut admin, "ACL LIST\r\n");
    assert_eq!(say(&mut admin, "ACL SAVE\r\nACL SETUSER w on\r\nACL LOAD\r\n"), "+OK +OK +OK ");
    assert_eq!(say(&mut admin, "ACL LIST\r\n"), list);
    assert_eq!(say(&mut session, "SET a1 v\r\n"), "+OK ");
    *shelf.lock().expect("nobody panics") = Ok(Vec::new());
    assert_eq!(say(&mut admin, "ACL LOAD\r\nACL USERS\r\n"), "+OK *1 $7 default ");
    session.poll();
    assert!(session.is_closing() && !admin.is_closing());
}

#[test]
fn users_with_a_fault_change_nothing() {
    let shelf = Arc::new(Mutex::new(Ok(Vec::new())));
    let engine = open_with(&shelf).expect("no users are right");
    let mut session = engine.session();
    let unchanged =
        "WARNING: ACL errors detected, no change to the previously active ACL rules was performed ";
    for (text, fault) in [
        ("what", "users.acl:1: should start with user keyword followed by the username. "),
        (
            "\nuser u +no ~a",
            "users.acl:2: Error in applying operation '+no': Unknown command or \
                            category name in ACL. ",
        ),
        ("user u >secret what", "users.acl:1: Syntax error. "),
        ("user u\nuser u", "WARNING: Duplicate user 'u' found on line 2. "),
        ("user u (+get", "users.acl:1: Unmatched parenthesis in selector definition."),
    ] {
        *shelf.lock().expect("nobody panics") = Ok(text.as_bytes().to_vec());
        let said = say(&mut session, "ACL LOAD\r\nACL USERS\r\n");
        assert_eq!(said, format!("-ERR {fault}{unchanged}*1 $7 default "));
        assert!(open_with(&shelf).is_err(), "{text}");
    }
    *shelf.lock().expect("nobody panics") = Err("no such file".to_owned());
    assert_eq!(
        say(&mut session, "ACL LOAD\r\n"),
        "-ERR Error loading ACLs, opening file 'users.acl': no such file "
    );
    let refused = say(&mut session, "ACL SAVE\r\n");
    assert!(refused.starts_with("-ERR There was an error trying to save the ACLs."), "{refused}");
    let refused = say(&mut Engine::default().session(), "ACL LOAD\r\n");
    assert!(refused.starts_with("-ERR This Redis instance is not configured to use an ACL file."));
}

#[test]
fn renamed_commands_are_called_by_their_new_names_alone() {
    let settings = [
        ("rename-command", "GET fetch"),
        ("rename-command", "FLUSHALL \"\""),
        ("user", "u on >p ~* +get"),
    ];
    let engine = engine(&settings);
    let mut session = engine.session();
    for (command, answer) in [
        ("GET k", "-ERR unknown command 'GET', with args beginning with: 'k'  "),
        ("FLUSHALL", "-ERR unknown command 'FLUSHALL', with args beginning with:  "),
        ("Fetch k", "$-1 "),
        ("FETCH", "-ERR wrong number of arguments for 'get' command "),
        ("COMMAND INFO get flushall", "*2 *-1 *-1 "),
        ("COMMAND LIST FILTERBY PATTERN flusha*", "*0 "),
        ("COMMAND LIST FILTERBY PATTERN get", "*1 $3 get "),
        ("COMMAND GETKEYS fetch k", "*1 $1 k "),
        ("ACL DRYRUN u get k", "-ERR Command 'get' not found "),
        ("ACL DRYRUN u fetch k", "+OK "),
        ("ACL SETUSER u +flushall", "+OK "),
    ] {
        let said = say(&mut session, &format!("{command}\r\n"));
        assert!(said == answer || said == answer.replace("*-1", "$-1"), "{command}: {said}");
    }
    let many = "SET k v\r\nfetch k\r\nget k\r\nfetch k\r\n";
    assert!(say(&mut session, many).ends_with("$1 v "));
    assert_eq!(engine.get(b"k").expect("a string").as_deref(), Some(&b"v"[..]));
    assert!(
        engine.execute(&[b"FLUSHALL"]).is_ok(),
        "the host's calls know commands by their names"
    );
}

#[test]
fn clients_come_from_where_they_may() {
    let engine = engine(&[("allowed-peers", "10.0.0.0/8 ::1")]);
    for (peer, is_allowed) in [
        ("10.1.2.3:4000", true),
        ("[::1]:4000", true),
        ("/run/keyslot.socket:0", true),
        ("11.1.2.3:4000", false),
        ("[2001:db8::1]:4000", false),
    ] {
        let mut session = engine.session();
        session.set_peer(peer, "10.0.0.1:6379");
        let refused = "-ERR illegal address ";
        let said = say(&mut session, "PING\r\n");
        assert_eq!(said, if is_allowed { "+PONG " } else { refused }, "{peer}");
        assert_eq!(session.is_closing(), !is_allowed, "{peer}");
    }
    let mut session = engine.session();
    assert!(say(&mut session, "INFO stats\r\n").contains("peer_address_disconnections:2 "));
    let fault = engine.config_set("allowed-peers", "10.0.0.0/40").expect_err("there are 32 bits");
    assert!(fault.to_string().contains("argument must be addresses or ranges"), "{fault}");
    engine.config_set("allowed-peers", "").expect("everybody may come");
    session.set_peer("11.1.2.3:4000", "10.0.0.1:6379");
    assert_eq!(say(&mut session, "PING\r\n"), "+PONG ");
}

#[cfg(feature = "scripts")]
#[test]
fn a_script_may_what_its_session_may() {
    let (engine, mut session) = with_user("~a* +eval +get");
    let mut ask =
        |words: &str| say(&mut session, &format!("EVAL \"return redis.call({words})\" 0\r\n"));
    assert_eq!(ask("'get', 'a'"), "$-1 ");
    let denied = ask("'get', 'b'");
    assert!(denied.starts_with("-ERR ACL failure in script: No permissions to access a key"));
    let denied = ask("'set', 'a', 'v'");
    assert!(denied.contains("User u has no permissions to run the 'set' command"), "{denied}");
    let log = say(&mut engine.session(), "ACL LOG\r\n");
    assert!(log.contains("$6 reason $3 key $7 context $3 lua $6 object $1 b "), "{log}");
}
