//! Carries out a stream on both sides and compares what they answer, and what is in them at the
//! end. Which replies count as the same is `compare`'s.

use crate::compare::{SEAL_LEN, agree, questions, sorted};
use crate::peer::{Keyslot, Peer, Redis};
use crate::step::{Command, Line, Step, words};
use crate::stream_payload::for_older_server;
use bytes::Bytes;
use keyslot::resp::Reply;
use std::collections::BTreeSet;
use std::fmt;

/// Commands that are sent together at most, but for those of the last step.
const BATCH: usize = 40;

/// Databases on both sides.
const DATABASES: usize = 16;

/// Both sides.
pub(crate) struct Pair {
    ours: Keyslot,
    theirs: Redis,
    version: u8,
}

/// A command among those that are sent that has an answer, and which step it is of.
struct Answered {
    number: usize,
    /// How many of the commands after it are asked only to judge its reply.
    questions: usize,
    step: usize,
}

/// Where the two sides part.
pub(crate) struct Difference {
    /// How many steps lead there.
    pub(crate) steps: usize,
    command: Command,
    ours: String,
    theirs: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", Line(&self.command))?;
        writeln!(f, "  keyslot: {}", self.ours)?;
        write!(f, "  redis:   {}", self.theirs)
    }
}

impl Difference {
    fn new<T: fmt::Debug>(command: &Command, ours: T, theirs: T) -> Self {
        let [ours, theirs] = [ours, theirs].map(|side| abbreviate(format!("{side:?}")));
        Self { steps: 0, command: command.clone(), ours, theirs }
    }

    fn after(self, steps: usize) -> Self {
        Self { steps, ..self }
    }
}

fn abbreviate(mut text: String) -> String {
    const PRINTED_MAX: usize = 2_000;
    if text.len() > PRINTED_MAX {
        // Debug prints ASCII, so that any place is between two characters.
        text = format!("{}... ({} bytes)", &text[..PRINTED_MAX], text.len());
    }
    text
}

impl Pair {
    /// Starts both sides, which will speak this version of RESP.
    pub(crate) fn start(version: u8) -> Self {
        Self { ours: Keyslot::new(), theirs: Redis::start(), version }
    }

    /// Carries out a stream from empty, and looks at everything that is there at its end.
    pub(crate) fn run(&mut self, steps: &[Step]) -> Result<(), Difference> {
        self.ours.restart(self.version);
        self.theirs.restart(self.version);
        let mut done = 0;
        while done < steps.len() {
            let batch = batch_len(&steps[done..]);
            if batch == 0 {
                self.run_alone(&steps[done]).map_err(|difference| difference.after(done + 1))?;
                done += 1;
            } else {
                self.send(&steps[done..done + batch]).map_err(|difference| {
                    let steps = done + difference.steps;
                    difference.after(steps)
                })?;
                done += batch;
            }
        }
        self.compare_contents().map_err(|difference| difference.after(steps.len()))
    }

    /// Sends steps that are commands, all at once, and what has to be asked of them.
    fn send(&mut self, steps: &[Step]) -> Result<(), Difference> {
        let mut commands = Vec::new();
        let mut answered = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            let Step::Send { commands: some, answered: count } = step else { continue };
            let quiet = some.len() - count;
            for (place, command) in some.iter().enumerate() {
                let (number, questions) = (commands.len(), questions(command));
                commands.push(command.clone());
                if place >= quiet {
                    answered.push(Answered { number, questions: questions.len(), step: at });
                    commands.extend(questions);
                }
            }
        }
        let count = answered.iter().map(|one| 1 + one.questions).sum();
        let last = commands.last().expect("a batch has commands");
        let ours = self.ours.exchange(&commands, count);
        let theirs = self.theirs.exchange(&commands, count);
        let (ours, theirs) = match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => (ours, theirs),
            (ours, theirs) => {
                let [ours, theirs] = [ours, theirs].map(|side| side.map(|_| "replies"));
                return Err(Difference::new(last, ours, theirs).after(steps.len()));
            }
        };
        let (mut ours, mut theirs) = (&ours[..], &theirs[..]);
        for Answered { number, questions, step } in answered {
            let (mine, other) = (&ours[0], &theirs[..1 + questions]);
            check(&commands[number], mine, &other[0], &other[1..])
                .map_err(|difference| difference.after(step + 1))?;
            (ours, theirs) = (&ours[1 + questions..], &theirs[1 + questions..]);
        }
        Ok(())
    }

    fn run_alone(&mut self, step: &Step) -> Result<(), Difference> {
        match step {
            Step::Send { .. } => self.send(std::slice::from_ref(step)),
            Step::Exchange { source, restore, damage } => self.cross(source, restore, *damage),
            Step::Scan { start, options } => self.scan(start, options),
            Step::RandomKey => self.random_key(),
        }
    }

    fn both(&mut self, command: &Command) -> Result<(Reply, Reply), Difference> {
        match (self.ours.ask(command), self.theirs.ask(command)) {
            (Ok(ours), Ok(theirs)) => Ok((ours, theirs)),
            (ours, theirs) => Err(Difference::new(command, ours, theirs)),
        }
    }

    fn compare(&mut self, command: &Command) -> Result<(Reply, Reply), Difference> {
        let (ours, theirs) = self.both(command)?;
        let mut answers = Vec::new();
        for question in questions(command) {
            answers.push(self.both(&question)?.1);
        }
        check(command, &ours, &theirs, &answers)?;
        Ok((ours, theirs))
    }

    /// Restores here what was dumped there, and there what was dumped here.
    fn cross(
        &mut self,
        source: &[u8],
        restore: &Command,
        damage: Option<usize>,
    ) -> Result<(), Difference> {
        let (ours, theirs) = self.compare(&words(&[b"DUMP", source]))?;
        let (Reply::Bulk(ours), Reply::Bulk(theirs)) = (ours, theirs) else { return Ok(()) };
        let ours = if is_packed_set(&ours) { self.set_payload(source)? } else { ours.to_vec() };
        let prepare = |payload: Vec<u8>| {
            let mut command = restore.clone();
            if is_small_integer(&payload) {
                command.retain(|word| word != b"IDLETIME" && word != b"1000");
            }
            command[3] = payload;
            if let Some(from_end) = damage {
                let at = command[3].len() - from_end.min(command[3].len());
                command[3][at] ^= 0x10;
            }
            command
        };
        let (at_ours, at_theirs) = (prepare(theirs.to_vec()), prepare(resealed(&ours)));
        match (self.ours.ask(&at_ours), self.theirs.ask(&at_theirs)) {
            (Ok(ours), Ok(theirs)) => check(&at_ours, &ours, &theirs, &[])?,
            (ours, theirs) => return Err(Difference::new(&at_ours, ours, theirs)),
        }
        // None of these counts as an access, which would end the idleness that was restored.
        for look in [["OBJECT", "IDLETIME"], ["OBJECT", "ENCODING"], ["DEBUG", "DIGEST-VALUE"]] {
            self.compare(&[words(&look), vec![restore[1].clone()]].concat())?;
        }
        Ok(())
    }

    /// A payload of our set for a server that knows no sets in listpacks.
    fn set_payload(&mut self, key: &[u8]) -> Result<Vec<u8>, Difference> {
        let command = words(&[b"SRANDMEMBER", key, b"1000"]);
        let (ours, theirs) = self.both(&command)?;
        let Reply::Array(members) = &ours else {
            return Err(Difference::new(&command, ours, theirs));
        };
        const TYPE_TEXTS: u8 = 2;
        const LEN_32_BITS: u8 = 0x80;
        let head = |len: usize| [&[LEN_32_BITS][..], &(len as u32).to_be_bytes()].concat();
        let mut payload = [vec![TYPE_TEXTS], head(members.len())].concat();
        for member in sorted(members) {
            payload.extend(head(member.len()));
            payload.extend(member);
        }
        payload.extend([0; SEAL_LEN]);
        Ok(payload)
    }

    fn scan(&mut self, start: &Command, options: &Command) -> Result<(), Difference> {
        let first = [start.clone(), words(&["0"]), options.clone()].concat();
        let ours = scan_to_end(&mut self.ours, start, options);
        let theirs = scan_to_end(&mut self.theirs, start, options);
        if ours == theirs { Ok(()) } else { Err(Difference::new(&first, ours, theirs)) }
    }

    fn random_key(&mut self) -> Result<(), Difference> {
        let command = words(&["RANDOMKEY"]);
        let (ours, theirs) = self.compare(&command)?;
        let Reply::Bulk(key) = &ours else { return Ok(()) };
        match self.theirs.ask(&words(&[b"EXISTS", &key[..]])) {
            Ok(Reply::Integer(1)) => Ok(()),
            _ => Err(Difference::new(&command, ours, theirs)),
        }
    }

    /// Compares everything that is there.
    fn compare_contents(&mut self) -> Result<(), Difference> {
        for db in 0..DATABASES {
            self.compare(&words(&["SELECT", &db.to_string()]))?;
            let (_, keys) = self.compare(&words(&["KEYS", "*"]))?;
            let Reply::Array(keys) = keys else { continue };
            for key in sorted(&keys) {
                let (_, kind) = self.both(&words(&[b"TYPE", key]))?;
                if kind == Reply::Status("stream".into()) {
                    self.compare(&words(&[b"DUMP", key]))?;
                    let about = [&b"XINFO"[..], b"STREAM", key, b"FULL", b"COUNT", b"0"];
                    self.compare(&words(&about))?;
                }
                let look = ["TYPE", "GET", "PTTL", "EXPIRETIME"].map(|name| vec![name.into()]);
                let inside = ["ENCODING", "REFCOUNT"].map(|sub| words(&["OBJECT", sub]));
                let looks = look.into_iter().chain(inside).map(|start: Command| {
                    let command = [start, vec![key.to_vec()]].concat();
                    Step::one(command)
                });
                let range =
                    [words(&["ZRANGE"]), vec![key.to_vec()], words(&["0", "-1", "WITHSCORES"])];
                let range = Step::one(range.concat());
                let list = [words(&["LRANGE"]), vec![key.to_vec()], words(&["0", "-1"])].concat();
                let fields = [words(&["HGETALL"]), vec![key.to_vec()]].concat();
                let whole = [range, Step::one(list), Step::one(fields)];
                self.send(&looks.chain(whole).collect::<Vec<_>>())?;
            }
        }
        self.compare(&words(&["DEBUG", "DIGEST"]))?;
        Ok(())
    }
}

/// How many of these steps are sent together: none if the first must be alone.
fn batch_len(steps: &[Step]) -> usize {
    let is_plain = |step: &&Step| matches!(step, Step::Send { .. });
    steps.iter().take(BATCH).take_while(is_plain).count()
}

fn check(
    command: &Command,
    ours: &Reply,
    theirs: &Reply,
    answers: &[Reply],
) -> Result<(), Difference> {
    if agree(command, ours, theirs, answers) {
        return Ok(());
    }
    Err(Difference::new(command, ours, theirs))
}

/// What a scan finds, or the first reply that is no page of it.
fn scan_to_end(
    peer: &mut dyn Peer,
    start: &Command,
    options: &Command,
) -> Result<BTreeSet<Bytes>, String> {
    let mut found = BTreeSet::new();
    let mut cursor = Bytes::from_static(b"0");
    // A scan that never ends is an error too.
    for _ in 0..10_000 {
        let command = [start.clone(), words(&[&cursor[..]]), options.clone()].concat();
        let reply = peer.ask(&command)?;
        let Reply::Array(parts) = &reply else { return Err(format!("{reply:?}")) };
        let [Reply::Bulk(next), Reply::Array(keys)] = &parts[..] else {
            return Err(format!("{reply:?}"));
        };
        for key in keys {
            let Reply::Bulk(key) = key else { return Err(format!("{reply:?}")) };
            found.insert(key.clone());
        }
        if next == "0" {
            return Ok(found);
        }
        cursor = next.clone();
    }
    Err("the scan does not end".to_owned())
}

/// Whether a payload is a set in a listpack, which 7.0 does not have.
pub(crate) fn is_packed_set(payload: &[u8]) -> bool {
    const TYPE_SET_LISTPACK: u8 = 20;
    payload.first() == Some(&TYPE_SET_LISTPACK)
}

/// Whether a payload holds an integer of one or two bytes. Keys with the same such integer share one
/// object in Redis, and with it how long they have been idle; in keyslot they do not.
fn is_small_integer(payload: &[u8]) -> bool {
    matches!(payload, [0, 0xc0 | 0xc1, ..])
}

/// A payload as a server of version 7.0 reads it, which takes no newer ones: sealed with the version
/// of the RDB format that it writes itself.
fn resealed(payload: &[u8]) -> Vec<u8> {
    const RDB_VERSION: u16 = 10;
    let value = &payload[..payload.len() - SEAL_LEN];
    let mut payload = for_older_server(value).unwrap_or_else(|| value.to_vec());
    payload.extend_from_slice(&RDB_VERSION.to_le_bytes());
    let checksum = crc64(&payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

/// CRC-64 with the polynomial of Jones, reflected, bit by bit.
fn crc64(bytes: &[u8]) -> u64 {
    const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;
    bytes.iter().fold(0, |checksum, byte| {
        (0..8).fold(checksum ^ u64::from(*byte), |checksum, _| {
            (checksum >> 1) ^ (POLYNOMIAL * (checksum & 1))
        })
    })
}
