//! Commands on streams. Nothing that is asked depends on how late it is: ids are given, or follow
//! from the last one; times between deliveries are either nearly none or more than a test takes.

use crate::generate::{Generator, Kind};
use crate::step::{Command, Step, words};
use crate::words::{Group, integer};

pub(crate) const KINDS: &[Kind] = &[
    (250, |stream| stream.data(Generator::xadd)),
    (30, Generator::xadd_often),
    (5, |_| automatic_ids()),
    (50, |stream| stream.data(Generator::xtrim)),
    (60, |stream| stream.data(Generator::xdel)),
    (80, |stream| stream.data(Generator::xrange)),
    (60, |stream| stream.data(Generator::xread)),
    (80, |stream| stream.data(Generator::xgroup)),
    (160, Generator::xreadgroup),
    (60, |stream| stream.data(Generator::xack)),
    (60, |stream| stream.data(Generator::xpending)),
    (60, |stream| stream.claim(Generator::xclaim)),
    (50, |stream| stream.claim(Generator::xautoclaim)),
    (60, |stream| stream.data(Generator::xinfo)),
    (2, |stream| Step::one(stream.wrong_block())),
    (5, |stream| Step::one(stream.xsetid())),
    (15, |stream| stream.data(Generator::forget)),
    (10, |stream| stream.data(Generator::dump_stream)),
];

/// The millisecond that most entries are of, so that the next one is seldom too early.
const USUAL_MS: u64 = 50;

/// More than a test takes, and less than what `TIME` and `IDLE` say.
const IDLE_LONG_MS: &str = "1000000000";

/// An id that is the time is not the same on both sides; the one after an id in the future is.
fn automatic_ids() -> Step {
    let line = |line: &str| line.split(' ').map(Vec::from).collect();
    Step::all(vec![
        line("XADD {t}far 9000000000000000-* f v"),
        line("XADD {t}far * f v"),
        line("XADD {t}far MAXLEN 5 * f 10"),
        line("XRANGE {t}far - +"),
    ])
}

impl Generator {
    fn stream_key(&mut self) -> Vec<u8> {
        if self.chance.one_in(40) {
            return Group::any(&mut self.chance).key(&mut self.chance);
        }
        Group::Stream.key(&mut self.chance)
    }

    /// A command on a stream's key, with arguments.
    fn on_stream(&mut self, start: &[&str], arguments: Vec<Vec<u8>>) -> Command {
        let mut command = words(start);
        command.push(self.stream_key());
        command.extend(arguments);
        command
    }

    fn entry_id(&mut self) -> Vec<u8> {
        const EDGES: [&str; 20] = [
            "0-0",
            "0-1",
            "0",
            "50",
            "18446744073709551615-18446744073709551615",
            "18446744073709551615",
            "18446744073709551616-0",
            "9223372036854775808-0",
            "x",
            "",
            "5-",
            "-5",
            "5--1",
            "5--01",
            "007-01",
            " 5-1",
            "+5-1",
            "5-1 ",
            "-",
            "+",
        ];
        let chance = &mut self.chance;
        if chance.one_in(25) {
            return chance.pick(&EDGES).into();
        }
        match chance.below(5) {
            0 => format!("{}-{}", chance.below(USUAL_MS), chance.below(3)),
            1 => chance.below(USUAL_MS + 2).to_string(),
            _ => format!("{USUAL_MS}-{}", chance.below(40)),
        }
        .into()
    }

    fn id_bound(&mut self, open_end: &str) -> Vec<u8> {
        match self.chance.below(4) {
            0 => open_end.into(),
            1 => [b"(".to_vec(), self.entry_id()].concat(),
            _ => self.entry_id(),
        }
    }

    fn new_id(&mut self) -> Vec<u8> {
        let chance = &mut self.chance;
        match chance.below(12) {
            0 | 1 => format!("{}-*", chance.below(USUAL_MS)).into(),
            2 => self.entry_id(),
            _ => format!("{USUAL_MS}-*").into(),
        }
    }

    fn entry_pairs(&mut self) -> Command {
        const FIELDS: [&str; 5] = ["f", "field", "g", "10", ""];
        let chance = &mut self.chance;
        let usual = chance.one_in(2);
        let mut pairs = Command::new();
        for _ in 0..1 + chance.below(5) / 2 {
            pairs.push(if usual { b"f".to_vec() } else { chance.pick(&FIELDS).into() });
            pairs.push(match chance.below(12) {
                0 => vec![b'v'; 1_300],
                1 => chance.below(300).to_string().into(),
                _ => Group::Stream.value(chance),
            });
        }
        pairs
    }

    fn trimming(&mut self) -> Command {
        let mut trimming =
            if self.chance.one_in(2) { words(&["MAXLEN"]) } else { words(&["MINID"]) };
        let by_len = trimming[0] == b"MAXLEN";
        match self.chance.below(4) {
            0 => trimming.push(b"=".into()),
            1 => trimming.push(b"~".into()),
            _ => {}
        }
        let is_near = trimming.last().is_some_and(|word| word == b"~");
        trimming.push(match (by_len, self.chance.one_in(15)) {
            (true, true) => integer(&mut self.chance),
            (true, false) => self.chance.below(40).to_string().into(),
            (false, _) => self.entry_id(),
        });
        if is_near && self.chance.one_in(2) || self.chance.one_in(30) {
            let limit = self.chance.pick(&["0", "1", "5", "30", "100", "-1", "x"]);
            trimming.extend(words(&["LIMIT", limit]));
        }
        trimming
    }

    fn xadd(&mut self) -> Command {
        let mut arguments = Command::new();
        if self.chance.one_in(12) {
            arguments.push(b"NOMKSTREAM".into());
        }
        if self.chance.one_in(10) {
            arguments.extend(self.trimming());
        }
        arguments.push(self.new_id());
        arguments.extend(self.entry_pairs());
        self.on_stream(&["XADD"], arguments)
    }

    /// As many entries as a node holds, and more.
    fn xadd_often(&mut self) -> Step {
        let key = Group::Stream.key(&mut self.chance);
        let id = format!("{USUAL_MS}-*").into_bytes();
        let commands = (0..20 + self.chance.below(20))
            .map(|_| [vec![b"XADD".into(), key.clone(), id.clone()], self.entry_pairs()].concat());
        Step::all(commands.collect())
    }

    fn xtrim(&mut self) -> Command {
        let trimming = self.trimming();
        self.on_stream(&["XTRIM"], trimming)
    }

    fn entry_ids(&mut self, count_end: u64) -> Command {
        (0..1 + self.chance.below(count_end)).map(|_| self.entry_id()).collect()
    }

    fn xdel(&mut self) -> Command {
        let ids = self.entry_ids(6);
        self.on_stream(&["XDEL"], ids)
    }

    fn entry_count(&mut self) -> Vec<u8> {
        self.chance.pick(&["1", "2", "5", "100", "0", "-1", "x"]).into()
    }

    fn xrange(&mut self) -> Command {
        if self.chance.one_in(8) {
            return self.on_stream(&["XLEN"], Vec::new());
        }
        let (start, end) = (self.id_bound("-"), self.id_bound("+"));
        let mut arguments = vec![start, end];
        if self.chance.one_in(2) {
            arguments.extend([b"COUNT".into(), self.entry_count()]);
        }
        if self.chance.one_in(2) {
            return self.on_stream(&["XRANGE"], arguments);
        }
        arguments.swap(0, 1);
        self.on_stream(&["XREVRANGE"], arguments)
    }

    /// STREAMS, keys, ids.
    fn read_streams(&mut self, usual: &str) -> Command {
        let count = 1 + self.chance.below(4) / 2;
        let mut streams = words(&["STREAMS"]);
        streams.extend((0..count).map(|_| self.stream_key()).collect::<Vec<_>>());
        for _ in 0..count {
            streams.push(match self.chance.below(20) {
                0 => b"$".into(),
                1 => b">".into(),
                2..=9 => usual.into(),
                // 7.4 knows `+`.
                _ => Some(self.entry_id()).filter(|id| id != b"+").unwrap_or_default(),
            });
        }
        streams
    }

    fn read_options(&mut self) -> Command {
        let mut options = Command::new();
        if self.chance.one_in(2) {
            options.extend([b"COUNT".into(), self.entry_count()]);
        }
        options
    }

    /// A time to wait that does not fit. It is not spoiled, lest it became one for ever; real waits
    /// are the conversations' of several sessions.
    fn wrong_block(&mut self) -> Command {
        let time = self.chance.pick(&["-1", "x"]);
        words(&["XREAD", "BLOCK", time, "STREAMS", "x1", "0"])
    }

    fn xread(&mut self) -> Command {
        let options = self.read_options();
        [words(&["XREAD"]), options, self.read_streams("0")].concat()
    }

    fn group_name(&mut self) -> Vec<u8> {
        self.chance.pick(&["g1", "g1", "g2", "10", "nosuch\0x"]).into()
    }

    fn consumer_name(&mut self) -> Vec<u8> {
        self.chance.pick(&["c1", "c1", "c2", "c2", "10", ""]).into()
    }

    /// A read by a consumer that is made before it: one that finds nothing makes none in 7.0.
    fn xreadgroup(&mut self) -> Step {
        let who = [self.group_name(), self.consumer_name()];
        let mut command = [words(&["XREADGROUP", "GROUP"]), who.to_vec()].concat();
        command.extend(self.read_options());
        if self.chance.one_in(5) {
            command.push(b"NOACK".into());
        }
        let streams = self.read_streams(">");
        let keys = streams[1..=streams.len() / 2].to_vec();
        command.extend(streams);
        let make = |key| [&words(&["XGROUP", "CREATECONSUMER"])[..], &[key], &who].concat();
        Step::all(keys.into_iter().map(make).chain([command]).collect())
    }

    fn xgroup(&mut self) -> Command {
        let (group, consumer) = (self.group_name(), self.consumer_name());
        match self.chance.below(10) {
            0 => self.on_stream(&["XGROUP", "DESTROY"], vec![group]),
            1 => self.on_stream(&["XGROUP", "CREATECONSUMER"], vec![group, consumer]),
            2 => self.on_stream(&["XGROUP", "DELCONSUMER"], vec![group, consumer]),
            3 => words(&["XGROUP", self.chance.pick(&["HELP", "NOSUCH", "CREATE"])]),
            kind => {
                let start = match self.chance.below(3) {
                    0 => b"$".to_vec(),
                    1 => b"0".to_vec(),
                    _ => self.entry_id(),
                };
                let mut arguments = vec![group, start];
                let create = kind > 5;
                if create && !self.chance.one_in(4) {
                    arguments.push(b"MKSTREAM".into());
                }
                if self.chance.one_in(4) {
                    arguments.extend([b"ENTRIESREAD".into(), integer(&mut self.chance)]);
                }
                self.on_stream(&["XGROUP", if create { "CREATE" } else { "SETID" }], arguments)
            }
        }
    }

    fn xack(&mut self) -> Command {
        let arguments = [vec![self.group_name()], self.entry_ids(8)].concat();
        self.on_stream(&["XACK"], arguments)
    }

    fn idle_ms(&mut self) -> Vec<u8> {
        self.chance.pick(&["0", "0", IDLE_LONG_MS, "-1", "x"]).into()
    }

    fn xpending(&mut self) -> Command {
        let mut arguments = vec![self.group_name()];
        if self.chance.one_in(4) {
            return self.on_stream(&["XPENDING"], arguments);
        }
        if self.chance.one_in(3) {
            arguments.extend([b"IDLE".into(), self.idle_ms()]);
        }
        let range = [self.id_bound("-"), self.id_bound("+"), self.entry_count()];
        arguments.extend(range);
        if self.chance.one_in(3) {
            arguments.push(self.consumer_name());
        }
        self.on_stream(&["XPENDING"], arguments)
    }

    /// A claim by a consumer that is made before it: a claim of nothing makes none in 7.0.
    fn claim(&mut self, make: fn(&mut Self) -> Command) -> Step {
        let claim = make(self);
        let consumer = [words(&["XGROUP", "CREATECONSUMER"]), claim[1..4].to_vec()].concat();
        Step::all(vec![consumer, claim])
    }

    fn xclaim(&mut self) -> Command {
        let mut arguments = vec![self.group_name(), self.consumer_name(), self.idle_ms()];
        arguments.extend(self.entry_ids(5));
        let options: [&[&str]; 6] = [
            &["IDLE", "5000000000"],
            &["TIME", "1000"],
            &["RETRYCOUNT", "7"],
            &["FORCE"],
            &["JUSTID"],
            &["LASTID", "50-3"],
        ];
        for option in options {
            if self.chance.one_in(4) {
                arguments.extend(words(option));
            }
        }
        if self.chance.one_in(20) {
            arguments
                .extend(words(&[self.chance.pick(&["FOO", "IDLE", "TIME", "RETRYCOUNT"]), "x"]));
        }
        self.on_stream(&["XCLAIM"], arguments)
    }

    fn xautoclaim(&mut self) -> Command {
        let mut arguments =
            vec![self.group_name(), self.consumer_name(), self.idle_ms(), self.id_bound("-")];
        if self.chance.one_in(2) {
            arguments.extend([b"COUNT".into(), self.entry_count()]);
        }
        if self.chance.one_in(3) {
            arguments.push(b"JUSTID".into());
        }
        self.on_stream(&["XAUTOCLAIM"], arguments)
    }

    fn xinfo(&mut self) -> Command {
        match self.chance.below(8) {
            0 | 1 => self.on_stream(&["XINFO", "GROUPS"], Vec::new()),
            2 => {
                let group = self.group_name();
                self.on_stream(&["XINFO", "CONSUMERS"], vec![group])
            }
            3 => words(&["XINFO", self.chance.pick(&["HELP", "NOSUCH", "GROUPS"])]),
            4 | 5 => self.on_stream(&["XINFO", "STREAM"], Vec::new()),
            6 => self.on_stream(&["XINFO", "STREAM"], words(&["FULL"])),
            _ => {
                let count = self.entry_count();
                self.on_stream(&["XINFO", "STREAM"], vec![b"full".into(), b"COUNT".into(), count])
            }
        }
    }

    /// Nothing is set back: 7.0 lets it be where 7.2 does not, and then keeps ids out of order.
    fn xsetid(&mut self) -> Command {
        let id = format!("{}-5", USUAL_MS + 1).into_bytes();
        let mut arguments = vec![id.clone()];
        if self.chance.one_in(3) {
            arguments.extend([b"ENTRIESADDED".into(), integer(&mut self.chance)]);
        }
        match self.chance.below(6) {
            0 => arguments.extend([b"MAXDELETEDID".into(), id]),
            1 => arguments.extend(words(&["MAXDELETEDID", "99-1"])),
            _ => {}
        }
        self.on_stream(&["XSETID"], arguments)
    }

    /// Makes room for ids that were used up.
    fn forget(&mut self) -> Command {
        vec![b"DEL".into(), Group::Stream.key(&mut self.chance)]
    }

    fn dump_stream(&mut self) -> Command {
        vec![b"DUMP".into(), Group::Stream.key(&mut self.chance)]
    }
}
