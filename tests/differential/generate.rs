//! Random steps, most of which succeed: which command, with which options, on which keys. The words
//! themselves are `words`'.

use crate::chance::Chance;
use crate::step::{Command, Step, words};
use crate::words::{Group, TimeForm, database, float, index, integer, pattern};

/// Makes the steps of one stream.
pub(crate) struct Generator {
    pub(crate) chance: Chance,
    /// The family that the stream has in view.
    kinds: &'static [Kind],
    /// The version of RESP that the stream speaks.
    version: u8,
}

/// Commands of a kind that is chosen as a whole, and how often among its family.
pub(crate) type Kind = (u64, fn(&mut Generator) -> Step);

/// The kinds of each family. A stream has one of them in view; half of its steps are from there.
const FAMILIES: &[&[Kind]] = &[
    KINDS,
    crate::bitmaps::KINDS,
    crate::geo::KINDS,
    crate::hashes::KINDS,
    crate::hyperloglogs::KINDS,
    crate::lists::KINDS,
    crate::sets::KINDS,
    crate::stream_type::KINDS,
    crate::zsets::KINDS,
    crate::sorts::KINDS,
];

/// Strings, keys of every type, and the server.
const KINDS: &[Kind] = &[
    (150, |stream| stream.data(Generator::set)),
    (120, |stream| stream.data(Generator::read)),
    (120, |stream| stream.data(Generator::change)),
    (100, |stream| stream.data(Generator::count)),
    (60, |stream| stream.data(Generator::many)),
    (25, |stream| stream.data(Generator::common_sequence)),
    (110, |stream| stream.data(Generator::expire)),
    (70, |stream| stream.data(Generator::look_at_expiry)),
    (80, |stream| stream.data(Generator::existence)),
    (80, |stream| stream.data(Generator::transfer)),
    (40, |stream| stream.data(Generator::object)),
    (15, |stream| stream.data(Generator::wrong_restore)),
    (40, |stream| stream.data(Generator::databases)),
    (50, |stream| stream.data(Generator::about)),
    (15, |stream| stream.data(Generator::unknown)),
    (3, Generator::set_in_the_past),
    (4, Generator::quiet),
    (3, Generator::hello),
    (12, Generator::exchange),
    (6, Generator::scan),
    (4, |_| Step::RandomKey),
];

impl Generator {
    /// A generator for the stream with this number, which chooses the family in view.
    pub(crate) fn new(seed: u64, version: u8, number: u64) -> Self {
        let kinds = FAMILIES[number as usize % FAMILIES.len()];
        Self { chance: Chance::new(seed), kinds, version }
    }

    /// The next step.
    pub(crate) fn step(&mut self) -> Step {
        let kinds = match self.chance.below(2) {
            0 => self.kinds,
            _ => FAMILIES[self.chance.below(FAMILIES.len() as u64) as usize],
        };
        let total = kinds.iter().map(|(weight, _)| weight).sum();
        let mut at = self.chance.below(total);
        for (weight, make) in kinds {
            if at < *weight {
                return make(self);
            }
            at -= weight;
        }
        unreachable!("the weights add up to their total")
    }

    /// A command that may be spoiled: a word too many, too few, twice or wrong.
    pub(crate) fn data(&mut self, make: fn(&mut Self) -> Command) -> Step {
        let mut command = make(self);
        let chance = &mut self.chance;
        if chance.one_in(6) {
            command[0] = in_other_case(chance, &command[0]);
        }
        if chance.one_in(16) {
            spoil(chance, &mut command);
        }
        Step::one(command)
    }

    /// A group of any type.
    pub(crate) fn group(&mut self) -> Group {
        Group::any(&mut self.chance)
    }

    /// A group for a command on strings, seldom one that holds something else.
    pub(crate) fn string_group(&mut self) -> Group {
        if self.chance.one_in(30) { self.group() } else { Group::string(&mut self.chance) }
    }

    fn key(&mut self) -> Vec<u8> {
        let group = self.group();
        group.key(&mut self.chance)
    }

    /// A command on a string's key, with arguments.
    pub(crate) fn on_string(&mut self, name: &str, arguments: &[Vec<u8>]) -> Command {
        let group = self.string_group();
        [&[name.into(), group.key(&mut self.chance)], arguments].concat()
    }

    /// A command on one key, with arguments.
    fn on_key(&mut self, name: &str, arguments: &[Vec<u8>]) -> Command {
        let key = self.key();
        [&[name.into(), key], arguments].concat()
    }

    fn set(&mut self) -> Command {
        let group = self.string_group();
        let chance = &mut self.chance;
        let (key, value) = (group.key(chance), group.value(chance));
        let seconds = TimeForm::SECONDS.time(chance);
        match chance.below(12) {
            0 => vec![b"SETNX".into(), key, value],
            1 => vec![b"GETSET".into(), key, value],
            2 => vec![b"SETEX".into(), key, seconds, value],
            3 => vec![b"PSETEX".into(), key, TimeForm::MILLISECONDS.time(chance), value],
            _ => {
                let mut command = vec![b"SET".into(), key, value];
                let options: [fn(&mut Chance) -> Command; 3] =
                    [|chance| words(&[chance.pick(&["NX", "XX", "xx"])]), |_| words(&["GET"]), ttl];
                for option in options {
                    if chance.one_in(3) {
                        command.extend(option(chance));
                    }
                }
                command
            }
        }
    }

    fn read(&mut self) -> Command {
        let (start, end) = (index(&mut self.chance), index(&mut self.chance));
        match self.chance.below(10) {
            0..=2 => self.on_string("GET", &[]),
            3 => self.on_string("GETDEL", &[]),
            4 | 5 => {
                let mut command = self.on_string("GETEX", &[]);
                match self.chance.below(4) {
                    0 => {}
                    1 => command.push(b"PERSIST".into()),
                    _ => command.extend(ttl(&mut self.chance)),
                }
                command
            }
            6 => self.on_string("STRLEN", &[]),
            7 => self.on_string("SUBSTR", &[start, end]),
            _ => self.on_string("GETRANGE", &[start, end]),
        }
    }

    fn change(&mut self) -> Command {
        let group = self.string_group();
        let chance = &mut self.chance;
        let (key, mut value) = (group.key(chance), group.value(chance));
        if chance.one_in(2) {
            value.truncate(4);
            return vec![b"APPEND".into(), key, value];
        }
        const FAR: [&str; 6] = ["1000", "70000", "1048570", "1048576", "1048577", "9999999999"];
        const NEAR: [&str; 5] = ["600", "44", "-1", "9223372036854775807", "1048577"];
        let offset = match group {
            Group::Long if chance.one_in(20) => chance.pick(&FAR).into(),
            Group::Short if chance.one_in(12) => chance.pick(&NEAR).into(),
            Group::Integer | Group::Real => chance.below(3).to_string().into(),
            _ => chance.below(60).to_string().into(),
        };
        vec![b"SETRANGE".into(), key, offset, value]
    }

    fn count(&mut self) -> Command {
        let chance = &mut self.chance;
        let group = match chance.below(8) {
            0 => Group::Short,
            1..=4 => Group::Integer,
            _ => Group::Real,
        };
        let key = group.key(chance);
        match (group, chance.below(6)) {
            (Group::Real, _) | (_, 0) => vec![b"INCRBYFLOAT".into(), key, float(chance)],
            (_, 1) => vec![b"INCR".into(), key],
            (_, 2) => vec![b"DECR".into(), key],
            (_, 3) => vec![b"DECRBY".into(), key, integer(chance)],
            (_, _) => vec![b"INCRBY".into(), key, integer(chance)],
        }
    }

    fn many(&mut self) -> Command {
        let name = *self.chance.pick(&[&"MGET", &"MSET", &"MSETNX", &"MGET"]);
        let mut command = words(&[name]);
        for _ in 0..1 + self.chance.below(4) {
            let group = self.string_group();
            command.push(group.key(&mut self.chance));
            if name != "MGET" {
                command.push(group.value(&mut self.chance));
            }
        }
        command
    }

    fn common_sequence(&mut self) -> Command {
        let chance = &mut self.chance;
        let mut command = vec![b"LCS".into(), Group::Short.key(chance), Group::Short.key(chance)];
        match chance.below(4) {
            0 => {}
            1 => command.push(b"LEN".into()),
            _ => {
                command.push(b"IDX".into());
                if chance.one_in(2) {
                    command.push(b"WITHMATCHLEN".into());
                }
                if chance.one_in(2) {
                    command.extend([b"MINMATCHLEN".into(), integer(chance)]);
                }
            }
        }
        command
    }

    fn expire(&mut self) -> Command {
        const FORMS: [(&str, TimeForm); 4] = [
            ("EXPIRE", TimeForm::SECONDS),
            ("PEXPIRE", TimeForm::MILLISECONDS),
            ("EXPIREAT", TimeForm::UNIX_SECONDS),
            ("PEXPIREAT", TimeForm::UNIX_MILLISECONDS),
        ];
        let (name, form) = FORMS[self.chance.below(4) as usize];
        let time = form.time(&mut self.chance);
        let mut command = self.on_key(name, &[time]);
        let chance = &mut self.chance;
        for _ in 0..chance.below(5) / 2 {
            command.push(chance.pick(&["NX", "XX", "GT", "LT", "gt"]).into());
        }
        command
    }

    fn look_at_expiry(&mut self) -> Command {
        let name = self.chance.pick(&["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "PERSIST"]);
        self.on_key(name, &[])
    }

    fn existence(&mut self) -> Command {
        let chance = &mut self.chance;
        match chance.below(9) {
            0 => return vec![b"KEYS".into(), pattern(chance)],
            1 => return words(&["DBSIZE"]),
            2 => return self.on_key("TYPE", &[]),
            _ => {}
        }
        let mut command = words(&[chance.pick(&["DEL", "UNLINK", "EXISTS", "TOUCH", "EXISTS"])]);
        for _ in 0..1 + self.chance.below(3) {
            command.push(self.key());
        }
        command
    }

    fn transfer(&mut self) -> Command {
        let group = self.group();
        let chance = &mut self.chance;
        let (source, target) = (group.key(chance), group.key(chance));
        match chance.below(6) {
            0 => vec![b"RENAME".into(), source, target],
            1 => vec![b"RENAMENX".into(), source, target],
            2 => vec![b"MOVE".into(), source, database(chance)],
            _ => {
                let mut command = vec![b"COPY".into(), source, target];
                if chance.one_in(3) {
                    command.extend([b"DB".into(), database(chance)]);
                }
                if chance.one_in(2) {
                    command.push(b"REPLACE".into());
                }
                command
            }
        }
    }

    fn object(&mut self) -> Command {
        let key = self.key();
        let about: [&str; 6] = ["ENCODING", "encoding", "REFCOUNT", "IDLETIME", "FREQ", "NOSUCH"];
        match self.chance.below(8) {
            0 => vec![b"DUMP".into(), key],
            1 => vec![b"DEBUG".into(), b"DIGEST-VALUE".into(), key],
            _ => vec![b"OBJECT".into(), self.chance.pick(&about).into(), key],
        }
    }

    fn wrong_restore(&mut self) -> Command {
        const PAYLOADS: [&[u8]; 4] = [b"", b"x", b"\x00\x01a\x0a\x00aaaaaaaa", b"0123456789"];
        let payload = self.chance.pick::<[u8]>(&PAYLOADS).to_vec();
        self.restore(payload)
    }

    fn restore(&mut self, payload: Vec<u8>) -> Command {
        let group = if payload.is_empty() { Group::Long } else { Group::Short };
        let chance = &mut self.chance;
        let absolute = chance.one_in(4);
        let form = if absolute { TimeForm::UNIX_MILLISECONDS } else { TimeForm::MILLISECONDS };
        let time = if chance.one_in(2) { b"0".to_vec() } else { form.time(chance) };
        let name = if chance.one_in(8) { "RESTORE-ASKING" } else { "RESTORE" };
        let mut command = vec![name.into(), group.key(chance), time, payload];
        if absolute {
            command.push(b"ABSTTL".into());
        }
        if !chance.one_in(4) {
            command.push(b"REPLACE".into());
        }
        match chance.below(8) {
            0 => command.extend(words(&["IDLETIME", chance.pick(&["1000", "0", "-1", "x"])])),
            1 => command.extend(words(&["FREQ", chance.pick(&["5", "255", "256", "-1"])])),
            2 => command.push(b"FOO".into()),
            _ => {}
        }
        command
    }

    fn databases(&mut self) -> Command {
        let chance = &mut self.chance;
        match chance.below(40) {
            0 => words(&["FLUSHDB"]),
            1 => words(&["FLUSHALL", chance.pick(&["ASYNC", "SYNC", "sync", "NOW"])]),
            2..=9 => vec![b"SWAPDB".into(), database(chance), database(chance)],
            _ => vec![b"SELECT".into(), database(chance)],
        }
    }

    fn about(&mut self) -> Command {
        const LINES: &str = "PING|PING hello|PING a b|ECHO hello|ECHO|TIME|RANDOMKEY|CLIENT GETNAME|\
             CLIENT SETNAME me|CLIENT SETNAME you|CLIENT ID|CLIENT NO-EVICT on|\
             CLIENT NO-EVICT maybe|CLIENT REPLY ON|CLIENT REPLY maybe|CLIENT NOSUCH|CLIENT|\
             CLIENT LIST TYPE nosuch|CLIENT LIST ID x|OBJECT|OBJECT HELP|DEBUG DIGEST|\
             DEBUG PROTOCOL map|DEBUG PROTOCOL set|DEBUG PROTOCOL attrib|DEBUG PROTOCOL bignum|\
             DEBUG PROTOCOL verbatim|DEBUG PROTOCOL true|CONFIG GET databases|\
             CONFIG GET proto-max-bulk-len|CONFIG SET nosuch 1|CONFIG SET databases x|\
             COMMAND GETKEYS MSET a 1 b 2|COMMAND GETKEYS GET|AUTH secret|\
             CLIENT SETINFO LIB-NAME us|CLIENT NO-TOUCH OFF|CLIENT LIST|\
             CLIENT INFO|MEMORY USAGE a|MEMORY USAGE b SAMPLES -1|MEMORY USAGE c SAMPLES 0|\
             INFO server|COMMAND COUNT|CONFIG GET max[m]emory|CONFIG GET|CONFIG SET databases|\
             OBJECT ENCODING|COMMAND NOSUCH|DEBUG NOSUCH|MEMORY NOSUCH";
        let lines: Vec<_> = LINES.split('|').collect();
        self.chance.pick(&lines).split(' ').map(|word| word.as_bytes().to_vec()).collect()
    }

    fn unknown(&mut self) -> Command {
        const NAMES: [&[u8]; 5] = [b"FOO", b"", b"get\r\n", b"\xffset", &[b'n'; 200]];
        let chance = &mut self.chance;
        let mut command = vec![chance.pick::<[u8]>(&NAMES).to_vec()];
        for _ in 0..chance.below(4) {
            command.push(Group::Short.value(chance));
        }
        command
    }

    /// SET with a time that has passed. Redis deletes the key when it is next looked at, or a
    /// little later by itself, so it is looked at here.
    fn set_in_the_past(&mut self) -> Step {
        let key = self.key();
        let chance = &mut self.chance;
        let (option, time) = if chance.one_in(2) { ("EXAT", "1") } else { ("PXAT", "1000") };
        let set = vec![b"SET".into(), key.clone(), b"v".into(), option.into(), time.into()];
        Step::all(vec![set, vec![b"EXISTS".into(), key]])
    }

    /// Commands without replies.
    fn quiet(&mut self) -> Step {
        let (hidden, shown) = (self.set(), self.read());
        let commands = if self.chance.one_in(2) {
            vec![words(&["CLIENT", "REPLY", "SKIP"]), hidden, shown]
        } else {
            vec![words(&["CLIENT", "REPLY", "OFF"]), hidden, words(&["CLIENT", "REPLY", "ON"])]
        };
        Step::Send { commands, answered: 1 }
    }

    /// HELLO and RESET, after which the stream speaks its version again.
    fn hello(&mut self) -> Step {
        const WRONG: [&str; 6] =
            ["HELLO 4", "HELLO x", "HELLO 3 FOO", "HELLO 2 SETNAME a\tb", "HELLO", "HELLO 1 1"];
        let version = self.version.to_string();
        let first = match self.chance.below(4) {
            0 => words(&["RESET"]),
            1 => words(&["HELLO", "2"]),
            2 => words(&["HELLO", "3", "SETNAME", "us"]),
            _ => self.chance.pick(&WRONG).split(' ').map(Vec::from).collect(),
        };
        Step::all(vec![first, words(&["HELLO", &version])])
    }

    fn exchange(&mut self) -> Step {
        let group = self.group();
        let source = group.key(&mut self.chance);
        let mut restore = self.restore(Vec::new());
        restore[1] = group.key(&mut self.chance);
        let damage = self.chance.one_in(8).then(|| 1 + self.chance.below(16) as usize);
        Step::Exchange { source, restore, damage }
    }

    fn scan(&mut self) -> Step {
        let chance = &mut self.chance;
        let mut options = Command::new();
        if chance.one_in(2) {
            options.extend([b"MATCH".into(), pattern(chance)]);
        }
        if chance.one_in(2) {
            options.extend(words(&["COUNT", chance.pick(&["1", "3", "1000", "0", "x"])]));
        }
        if chance.one_in(3) {
            options.extend(words(&["TYPE", chance.pick(&["string", "STRING", "hash", "nosuch"])]));
        }
        if chance.one_in(10) {
            options.push(b"FOO".into());
        }
        Step::Scan { start: words(&["SCAN"]), options }
    }
}

/// The options that say when a key expires, of SET and GETEX.
fn ttl(chance: &mut Chance) -> Command {
    const FORMS: [(&str, TimeForm); 4] = [
        ("EX", TimeForm::SECONDS),
        ("px", TimeForm::MILLISECONDS),
        ("EXAT", TimeForm::UNIX_SECONDS),
        ("PXAT", TimeForm::UNIX_MILLISECONDS),
    ];
    if chance.one_in(4) {
        return words(&["KEEPTTL"]);
    }
    let (name, form) = FORMS[chance.below(4) as usize];
    vec![name.into(), form.time(chance)]
}

fn in_other_case(chance: &mut Chance, name: &[u8]) -> Vec<u8> {
    name.iter()
        .map(|byte| if chance.one_in(2) { byte.to_ascii_lowercase() } else { *byte })
        .collect()
}

/// Makes a command wrong, or perhaps another right one. No word that comes in is a small number
/// above zero, which as a time would make keys expire while the stream runs.
fn spoil(chance: &mut Chance, command: &mut Command) {
    const JUNK: [&[u8]; 16] = [
        b"NX",
        b"XX",
        b"GET",
        b"KEEPTTL",
        b"EX",
        b"PX",
        b"REPLACE",
        b"DB",
        b"0",
        b"-1",
        b"foo",
        b"9223372036854775807",
        b"gt",
        b"",
        b"\x00\xff",
        b"LEN",
    ];
    let at = 1 + chance.below(command.len() as u64) as usize;
    let junk = chance.pick::<[u8]>(&JUNK).to_vec();
    match chance.below(4) {
        0 if at < command.len() => drop(command.remove(at)),
        1 if at < command.len() => command[at] = junk,
        2 if at < command.len() => command.push(command[at].clone()),
        _ => command.insert(at, junk),
    }
}
