//! What COMMAND and its subcommands reply, byte by byte, in both versions of the protocol.

use keyslot::Engine;
use keyslot::resp::{Encoder, Protocol};

fn ask(protocol: Protocol, request: &str) -> String {
    let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
    let mut out = Encoder::new(protocol);
    Engine::default().call(&words, &mut out);
    String::from_utf8(out.take()).expect("text").replace("\r\n", " ")
}

fn resp2(request: &str) -> String {
    ask(Protocol::Resp2, request)
}

fn resp3(request: &str) -> String {
    ask(Protocol::Resp3, request)
}

#[test]
fn info_describes_a_command() {
    assert_eq!(
        resp2("COMMAND INFO get nosuch"),
        "*2 *10 $3 get :2 *2 +readonly +fast :1 :1 :1 *3 +@read +@string +@fast *0 *1 *6 $5 flags \
         *2 +RO +access $12 begin_search *4 $4 type $5 index $4 spec *2 $5 index :1 $9 find_keys \
         *4 $4 type $5 range $4 spec *6 $7 lastkey :0 $7 keystep :1 $5 limit :0 *0 $-1 "
    );
    assert_eq!(
        resp3("COMMAND INFO Get nosuch"),
        "*2 *10 $3 get :2 ~2 +readonly +fast :1 :1 :1 ~3 +@read +@string +@fast ~0 ~1 %3 $5 flags \
         ~2 +RO +access $12 begin_search %2 $4 type $5 index $4 spec %1 $5 index :1 $9 find_keys \
         %2 $4 type $5 range $4 spec %3 $7 lastkey :0 $7 keystep :1 $5 limit :0 ~0 _ "
    );
}

#[test]
fn info_describes_a_subcommand() {
    assert_eq!(
        resp3("COMMAND INFO command|count"),
        "*1 *10 $13 command|count :2 ~2 +loading +stale :0 :0 :0 ~2 +@slow +@connection ~0 ~0 ~0 "
    );
}

#[test]
fn docs_describe_commands_that_exist() {
    assert_eq!(
        resp3("COMMAND DOCS getex nosuch command|list"),
        "%2 $5 getex %5 $7 summary $68 Returns the string value of a key after setting its \
         expiration time. $5 since $5 6.2.0 $5 group $6 string $10 complexity $4 O(1) $9 arguments \
         *2 %4 $4 name $3 key $4 type $3 key $12 display_text $3 key $14 key_spec_index :0 %4 $4 \
         name $10 expiration $4 type $5 oneof $5 flags ~1 +optional $9 arguments *5 %4 $4 name $7 \
         seconds $4 type $7 integer $12 display_text $7 seconds $5 token $2 EX %4 $4 name $12 \
         milliseconds $4 type $7 integer $12 display_text $12 milliseconds $5 token $2 PX %4 $4 \
         name $17 unix-time-seconds $4 type $9 unix-time $12 display_text $17 unix-time-seconds $5 \
         token $4 EXAT %4 $4 name $22 unix-time-milliseconds $4 type $9 unix-time $12 display_text \
         $22 unix-time-milliseconds $5 token $4 PXAT %4 $4 name $7 persist $4 type $10 pure-token \
         $12 display_text $7 persist $5 token $7 PERSIST $12 command|list %5 $7 summary $32 \
         Returns a list of command names. $5 since $5 7.0.0 $5 group $6 server $10 complexity $50 \
         O(N) where N is the total number of Redis commands $9 arguments *1 %5 $4 name $8 filterby \
         $4 type $5 oneof $5 token $8 FILTERBY $5 flags ~1 +optional $9 arguments *3 %4 $4 name \
         $11 module-name $4 type $6 string $12 display_text $11 module-name $5 token $6 MODULE %4 \
         $4 name $8 category $4 type $6 string $12 display_text $8 category $5 token $6 ACLCAT %4 \
         $4 name $7 pattern $4 type $7 pattern $12 display_text $7 pattern $5 token $7 PATTERN "
    );
    assert_eq!(resp2("COMMAND DOCS nosuch"), "*0 ");
    assert_eq!(resp3("COMMAND DOCS nosuch"), "%0 ");
}

#[test]
fn docs_say_what_is_deprecated_and_what_changed() {
    let substr = resp3("COMMAND DOCS substr");
    let deprecated = "$9 doc_flags ~1 +deprecated $16 deprecated_since $5 2.0.0 $11 replaced_by \
                      $10 `GETRANGE` ";
    assert!(substr.contains(deprecated), "{substr}");
    let scan = resp2("COMMAND DOCS scan");
    let history = "$7 history *1 *2 $5 6.0.0 $28 Added the `TYPE` subcommand. ";
    assert!(scan.contains(history), "{scan}");
    assert!(resp3("COMMAND DOCS command").contains(" $11 subcommands %7 $13 command|count %4 "));
}

#[test]
fn list_names_what_its_filter_admits() {
    let text = resp2("COMMAND LIST");
    assert!(text.contains(" $3 get ") && text.contains(" $12 command|info "), "{text}");
    assert_eq!(
        resp2("COMMAND LIST FILTERBY PATTERN Command|GET*"),
        "*2 $15 command|getkeys $23 command|getkeysandflags "
    );
    assert!(resp2("COMMAND LIST filterby aclcat STRING").contains(" $3 get "));
    assert!(!resp2("COMMAND LIST filterby aclcat string").contains(" $3 del "));
    assert_eq!(resp2("COMMAND LIST FILTERBY ACLCAT nosuch"), "*0 ");
    assert_eq!(resp2("COMMAND LIST FILTERBY MODULE any"), "*0 ");
    for wrong in ["get", "FILTERBY", "FILTERBY PATTERN", "FILTERBY NAME x", "FILTERBY PATTERN a b"]
    {
        assert_eq!(resp2(&format!("COMMAND LIST {wrong}")), "-ERR syntax error ", "{wrong}");
    }
}

#[test]
fn getkeys_finds_the_keys_of_a_request() {
    assert_eq!(resp2("COMMAND GETKEYS mset a 1 b 2"), "*2 $1 a $1 b ");
    assert_eq!(resp2("COMMAND GETKEYS LCS a b LEN"), "*2 $1 a $1 b ");
    assert_eq!(resp2("COMMAND GETKEYS object freq a"), "*1 $1 a ");
    let errors = [
        ("nosuch a", "Invalid command specified"),
        ("ping a", "The command has no key arguments"),
        ("command info", "The command has no key arguments"),
        ("get", "Invalid number of arguments specified for command"),
        ("get a b", "Invalid number of arguments specified for command"),
    ];
    for (request, text) in errors {
        assert_eq!(resp2(&format!("COMMAND GETKEYS {request}")), format!("-ERR {text} "));
        assert_eq!(resp2(&format!("COMMAND GETKEYSANDFLAGS {request}")), format!("-ERR {text} "));
    }
    let arity = "-ERR wrong number of arguments for 'command|getkeys' command ";
    assert_eq!(resp2("COMMAND GETKEYS"), arity);
}

#[test]
fn getkeysandflags_says_what_is_done_with_each_key() {
    let ask = |request| resp3(&format!("COMMAND GETKEYSANDFLAGS {request}"));
    assert_eq!(ask("set a 1"), "*1 *2 $1 a ~2 +OW +update ");
    assert_eq!(ask("set a 1 get"), "*1 *2 $1 a ~3 +RW +access +update ");
    assert_eq!(ask("rename a b"), "*2 *2 $1 a ~3 +RW +access +delete *2 $1 b ~2 +OW +update ");
}

#[test]
fn containers_answer_help_and_name_what_they_do_not_know() {
    let help = resp2("command help");
    let start = "*21 +COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are: +(no \
                 subcommand) +    Return details about all Redis commands. +COUNT ";
    assert!(help.starts_with(start), "{help}");
    assert!(help.ends_with(" +HELP +    Prints this help. "), "{help}");
    assert_eq!(resp2("command nosuch a"), "-ERR unknown subcommand 'nosuch'. Try COMMAND HELP. ");
    assert_eq!(resp2("OBJECT"), "-ERR wrong number of arguments for 'object' command ");
    assert_eq!(
        resp2("COMMAND COUNT a"),
        "-ERR wrong number of arguments for 'command|count' command "
    );
}
