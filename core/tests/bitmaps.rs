//! The bitmap commands as a client sees them. What redis-server 7.0 has as well is compared with it
//! by the differential streams; here are the errors' order, what later versions brought, and sizes.

use keyslot::{Engine, Session};

struct Client {
    session: Session,
}

impl Client {
    fn new() -> Self {
        Self { session: Engine::default().session() }
    }

    /// Sends a line and returns the reply, with blanks for its line breaks.
    fn line(&mut self, line: &str) -> String {
        self.session.feed(line.as_bytes());
        self.session.feed(b"\r\n");
        String::from_utf8_lossy(&self.session.take_output()).replace("\r\n", " ").trim_end().into()
    }

    fn check(&mut self, lines: &[(&str, &str)]) {
        for (line, reply) in lines {
            assert_eq!(self.line(line), *reply, "{line}");
        }
    }
}

const SYNTAX: &str = "-ERR syntax error";
const NOT_INTEGER: &str = "-ERR value is not an integer or out of range";
const BAD_OFFSET: &str = "-ERR bit offset is not an integer or out of range";
const BAD_BIT: &str = "-ERR bit is not an integer or out of range";
const BAD_TYPE: &str = "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is \
                        not supported but i64 is.";

#[test]
fn bits_are_set_and_read() {
    Client::new().check(&[
        ("SETBIT k 7 1", ":0"),
        ("GET k", "$1 \u{1}"),
        ("SETBIT k 7 1", ":1"),
        ("SETBIT k 23 0", ":0"),
        ("STRLEN k", ":3"),
        ("GETBIT k 7", ":1"),
        ("GETBIT k 1000", ":0"),
        ("GETBIT missing 4294967295", ":0"),
        ("GETBIT missing 4294967296", BAD_OFFSET),
        ("SETBIT k -1 1", BAD_OFFSET),
        ("SETBIT k x 2", BAD_OFFSET),
        ("SETBIT k #1 1", BAD_OFFSET),
        ("SETBIT k 1 2", BAD_BIT),
        ("SETBIT k 1 x", BAD_BIT),
        ("SET n 12", "+OK"),
        ("OBJECT ENCODING n", "$3 int"),
        ("GETBIT n 2", ":1"),
        ("SETBIT n 2 1", ":1"),
        ("OBJECT ENCODING n", "$3 raw"),
        ("SET n 12 EX 100", "+OK"),
        ("SETBIT n 7 0", ":1"),
        ("GET n", "$2 02"),
        ("TTL n", ":100"),
    ]);
}

#[test]
fn a_bit_that_is_what_it_was_is_no_change() {
    let mut client = Client::new();
    client.line("SETBIT k 100 1");
    let changes = |client: &mut Client| {
        let info = client.line("INFO persistence");
        info.split("rdb_changes_since_last_save:").nth(1).map(|rest| rest[..2].trim().to_owned())
    };
    let before = changes(&mut client);
    assert!(before.is_some());
    client.check(&[("SETBIT k 100 1", ":1"), ("BITFIELD k SET u1 100 1", "*1 :1")]);
    assert_eq!(changes(&mut client), before);
    client.check(&[("SETBIT k 100 0", ":1")]);
    assert_ne!(changes(&mut client), before);
}

#[test]
fn ranges_are_read_before_the_key_is() {
    Client::new().check(&[
        ("SET k foobar", "+OK"),
        ("BITCOUNT k", ":26"),
        ("BITCOUNT k 1", ":22"),
        ("BITCOUNT k -1", ":4"),
        ("BITCOUNT k 5 30 BIT", ":17"),
        ("BITCOUNT k -2 -5", ":0"),
        ("BITCOUNT k 0 0 byte", ":4"),
        ("BITCOUNT missing 0 x", NOT_INTEGER),
        ("BITCOUNT missing x 0", NOT_INTEGER),
        ("BITCOUNT missing 0 x FOO", NOT_INTEGER),
        ("BITCOUNT missing 0 1 FOO", SYNTAX),
        ("BITCOUNT missing 0 1 BIT BIT", SYNTAX),
        ("BITCOUNT missing", ":0"),
        ("BITPOS k 2", "-ERR The bit argument must be 1 or 0."),
        ("BITPOS k x", NOT_INTEGER),
        ("BITPOS missing 1 x", NOT_INTEGER),
        ("BITPOS missing 1 0 x FOO", SYNTAX),
        ("BITPOS missing 1 0 x BIT", NOT_INTEGER),
        ("BITPOS missing 1 0 1 BIT BIT", SYNTAX),
        ("BITPOS missing 0", ":0"),
        ("BITPOS missing 1 5 6", ":-1"),
        ("BITPOS k 0", ":0"),
        ("BITPOS k 1 3 -1 BIT", ":5"),
        ("BITPOS k 1 9 -1 byte", ":-1"),
    ]);
}

#[test]
fn strings_are_combined_as_long_as_the_longest() {
    Client::new().check(&[
        ("MSET a \"\\xf0\\x0f\" b \"\\xcc\" c \"\\xaa\\xff\\x01\"", "+OK"),
        ("BITOP AND t a b c", ":3"),
        ("BITCOUNT t", ":1"),
        ("BITOP or t a b c", ":3"),
        ("BITCOUNT t", ":16"),
        ("BITOP XOR t a b c", ":3"),
        ("BITCOUNT t", ":9"),
        ("BITOP NOT t a", ":2"),
        ("BITCOUNT t", ":8"),
        ("BITOP NOT t a b", "-ERR BITOP NOT must be called with a single source key."),
        ("BITOP FOO t a", SYNTAX),
        ("SET t v EX 100", "+OK"),
        ("BITOP AND t a missing", ":2"),
        ("TTL t", ":-1"),
        ("BITCOUNT t", ":0"),
        ("OBJECT ENCODING t", "$3 raw"),
        ("BITOP AND t missing missing", ":0"),
        ("EXISTS t", ":0"),
    ]);
}

#[test]
fn later_operations_compare_the_first_with_the_others() {
    Client::new().check(&[
        ("MSET x \"\\xff\" y \"\\x0f\\xf0\" z \"\\x3c\"", "+OK"),
        ("BITOP DIFF t x y z", ":2"),
        ("BITFIELD t GET u16 0", "*1 :49152"),
        ("BITOP diff1 t x y z", ":2"),
        ("BITFIELD t GET u16 0", "*1 :240"),
        ("BITOP ANDOR t x y z", ":2"),
        ("BITFIELD t GET u16 0", "*1 :16128"),
        ("BITOP ONE t x y z", ":2"),
        ("BITFIELD t GET u16 0", "*1 :49392"),
        ("BITOP ONE t x", ":1"),
        ("BITFIELD t GET u8 0", "*1 :255"),
        ("BITOP diff t x", "-ERR BITOP DIFF must be called with at least two source keys."),
        ("BITOP DIFF1 t x", "-ERR BITOP DIFF1 must be called with at least two source keys."),
        ("BITOP ANDOR t x", "-ERR BITOP ANDOR must be called with at least two source keys."),
    ]);
}

#[test]
fn fields_overflow_as_they_are_told_to() {
    Client::new().check(&[
        ("BITFIELD k", "*0"),
        ("EXISTS k", ":0"),
        ("BITFIELD k SET i8 #1 -2 GET i8 8 GET u8 8", "*3 :0 :-2 :254"),
        ("BITFIELD k INCRBY u2 100 1 OVERFLOW SAT INCRBY u2 102 1", "*2 :1 :1"),
        ("BITFIELD k OVERFLOW sat INCRBY u2 100 9 OVERFLOW WRAP INCRBY u2 102 9", "*2 :3 :2"),
        ("BITFIELD k OVERFLOW FAIL INCRBY u2 100 1 GET u2 100", "*2 $-1 :3"),
        ("BITFIELD k OVERFLOW SAT SET i8 0 -9223372036854775808 GET i8 0", "*2 :0 :127"),
        ("BITFIELD k OVERFLOW LATER GET u8 0", "-ERR Invalid OVERFLOW type specified"),
        ("BITFIELD k GET u64 0", BAD_TYPE),
        ("BITFIELD k GET u8 #4294967296", BAD_OFFSET),
        ("BITFIELD k GET u8 #9223372036854775807", BAD_OFFSET),
        ("BITFIELD k GET u8 x", BAD_OFFSET),
        ("BITFIELD k SET u8 0 x", NOT_INTEGER),
        ("BITFIELD k SET u8 0", SYNTAX),
        ("BITFIELD new SET u8 0 1 FOO", SYNTAX),
        ("EXISTS new", ":0"),
        ("BITFIELD_RO k GET i8 8", "*1 :-2"),
        ("BITFIELD_RO k", "*0"),
        ("BITFIELD_RO k SET u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand"),
        ("BITFIELD_RO missing GET i64 1000", "*1 :0"),
        ("BITFIELD far SET i64 4294967295 -1", "*1 :0"),
        ("STRLEN far", ":536870920"),
        ("DEL far", ":1"),
    ]);
}

/// A long string is changed where it is, and a long target is written over.
#[test]
fn long_strings_take_no_second_buffer() {
    let mut client = Client::new();
    let memory = |client: &mut Client| {
        let info = client.line("INFO memory");
        let rest = info.split("used_memory:").nth(1).expect("INFO has it").to_owned();
        rest.split(' ').next().and_then(|number| number.parse::<usize>().ok()).expect("a number")
    };
    let len = 10_000_000;
    client.check(&[(&format!("SETBIT a {} 1", len * 8 - 1), ":0"), ("SETBIT b 12345678 1", ":0")]);
    client.check(&[("BITOP OR t a b", ":10000000"), ("BITCOUNT t", ":2")]);
    let before = memory(&mut client);
    client.check(&[
        ("BITOP XOR t t a", ":10000000"),
        ("BITCOUNT t", ":1"),
        ("BITPOS t 1", ":12345678"),
        ("SETBIT t 0 1", ":0"),
        ("BITOP AND t a b", ":10000000"),
        ("BITPOS t 1", ":-1"),
        ("BITOP NOT t t", ":10000000"),
        ("BITPOS t 0", ":80000000"),
    ]);
    assert_eq!(memory(&mut client), before);
}
