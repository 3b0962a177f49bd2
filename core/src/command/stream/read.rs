//! XREAD and XREADGROUP: what came after an id, from several streams. A request is first read from
//! its words, then its ids are made definite, then it is served; one that found nothing and may wait
//! can be served again.

use super::reply::{write_entries, write_entry, write_gone};
use super::{claim, integer, no_such_group};
use crate::command::call::Call;
use crate::command::key_spec::{KeyPlace, KeyPlaces};
use crate::command::table::key_use;
use crate::command::wait::{InVain, Timeout, Wait};
use crate::error::Error;
use crate::keyspace::{Access, Event, Key};
use crate::resp::{Protocol, ReplySink};
use crate::value::Type;
use crate::value::stream::{self, Stream, StreamId, parse};
use smallvec::SmallVec;

/// Asks for what no consumer of the group has got, `>`. As in Redis, the greatest id asks for the
/// same, as nothing can come after it.
const NEW: StreamId = StreamId::MAX;

/// Who reads, for XREADGROUP.
#[derive(Clone, Copy, Debug)]
struct Reader<'a> {
    group: &'a [u8],
    consumer: &'a [u8],
    /// Whether what is delivered counts as acknowledged.
    acknowledges: bool,
}

/// What the words of XREAD and XREADGROUP say.
#[derive(Clone, Debug)]
pub(super) struct ReadRequest<'a> {
    reader: Option<Reader<'a>>,
    /// Entries of each stream at most.
    count: usize,
    /// For each key, after which id to read.
    after: &'a [&'a [u8]],
    /// How long to wait if there is nothing; none for not at all.
    timeout: Option<Timeout>,
}

impl<'a> ReadRequest<'a> {
    fn parse(call: &Call<'a, '_>) -> Result<Self, Error> {
        let is_group = call.spec.command.name == "xreadgroup";
        let mut request = Self { reader: None, count: usize::MAX, after: &[], timeout: None };
        let mut acknowledges = false;
        let mut rest = &call.words[1..];
        loop {
            rest = match rest {
                [word, time, rest @ ..] if word.eq_ignore_ascii_case(b"block") => {
                    let timeout = Timeout::milliseconds(time, call.time.unix_ms())?;
                    request.timeout = Some(timeout);
                    rest
                }
                [word, count, rest @ ..] if word.eq_ignore_ascii_case(b"count") => {
                    let count = usize::try_from(integer(count)?).unwrap_or(0);
                    request.count = if count == 0 { usize::MAX } else { count };
                    rest
                }
                [word, streams @ ..]
                    if word.eq_ignore_ascii_case(b"streams") && !streams.is_empty() =>
                {
                    request.after = ids_of(call, streams)?;
                    break;
                }
                [word, group, consumer, rest @ ..] if word.eq_ignore_ascii_case(b"group") => {
                    only_for_groups(is_group, "GROUP")?;
                    request.reader = Some(Reader { group, consumer, acknowledges });
                    rest
                }
                [word, rest @ ..] if word.eq_ignore_ascii_case(b"noack") => {
                    only_for_groups(is_group, "NOACK")?;
                    acknowledges = true;
                    rest
                }
                _ => return Err(Error::SYNTAX),
            }
        }
        match &mut request.reader {
            Some(reader) => reader.acknowledges = acknowledges,
            None if is_group => {
                return Err(Error::err("Missing GROUP option for XREADGROUP"));
            }
            None => {}
        }
        Ok(request)
    }

    /// What to wait for when there was nothing after these ids. They are named when the request is
    /// tried again: what `$` stands for has changed by then. Who reads for a group waits for the end
    /// of the stream or of the group too.
    fn wait(&self, call: &Call<'_, '_>, timeout: Timeout, after: &Ids) -> Wait {
        let words = call.words.iter().map(|word| word.to_vec());
        let mut words: Vec<Vec<u8>> = words.collect();
        let first = words.len() - after.len();
        let (of_type, names) = match self.reader {
            Some(_) => (None, &mut [][..]),
            None => (Some(Type::Stream), &mut words[first..]),
        };
        for (name, id) in names.iter_mut().zip(after) {
            *name = format!("{}-{}", id.ms, id.seq).into_bytes();
        }
        let keys = call.located.len();
        Wait { keys, of_type, timeout, in_vain: InVain::NullArray, words: Some(words) }
    }

    /// The ids after which to read, one for each key.
    fn resolve(&self, keys: &mut Access<'_>, located: &[Key<'_>]) -> Result<Ids, Error> {
        let pairs = located.iter().zip(self.after);
        pairs.map(|(key, word)| self.resolve_one(keys, key, word)).collect()
    }

    fn resolve_one(
        &self,
        keys: &mut Access<'_>,
        key: &Key<'_>,
        word: &[u8],
    ) -> Result<StreamId, Error> {
        let stream = keys.read(key).map(stream::read).transpose()?;
        if let Some(reader) = &self.reader
            && stream.and_then(|stream| stream.group(reader.group)).is_none()
        {
            return Err(no_such_group(key.bytes, reader.group, " in XREADGROUP with GROUP option"));
        }
        match (word, &self.reader) {
            (b"$" | b"+", Some(_)) => Err(meaningless(word)),
            (b"$", None) => Ok(stream.map_or(StreamId::MIN, |stream| stream.history().last_id())),
            (b"+", None) => Ok(stream.map_or(StreamId::MIN, before_last)),
            (b">", Some(_)) => Ok(NEW),
            (b">", None) => Err(Error::err(
                "The > ID can be specified only when calling XREADGROUP using the GROUP <group> \
                 <consumer> option.",
            )),
            _ => parse(word, 0),
        }
    }
}

/// The id before that of the last entry.
fn before_last(stream: &Stream) -> StreamId {
    stream.history().log().last_id().and_then(StreamId::previous).unwrap_or(StreamId::MIN)
}

type Ids = SmallVec<[StreamId; 4]>;

fn only_for_groups(is_group: bool, option: &str) -> Result<(), Error> {
    if is_group {
        return Ok(());
    }
    Err(Error::repeating(
        "The ",
        option.as_bytes(),
        " option is only supported by XREADGROUP. You called XREAD instead.",
    ))
}

fn meaningless(id: &[u8]) -> Error {
    let text = [
        b"The ",
        id,
        b" ID is meaningless in the context of XREADGROUP: you want to read the history of this \
          consumer by specifying a proper ID, or use the > ID to get new messages. The ",
        id,
        b" ID would just return an empty result set.",
    ];
    Error::new(crate::error::ErrorKind::Err, text.concat())
}

/// The second half of the words after STREAMS.
fn ids_of<'a>(call: &Call<'a, '_>, streams: &'a [&'a [u8]]) -> Result<&'a [&'a [u8]], Error> {
    if streams.len().is_multiple_of(2) {
        return Ok(&streams[streams.len() / 2..]);
    }
    let name = call.spec.command.name;
    let sign = if name == "xreadgroup" { '>' } else { '$' };
    Err(Error::new(
        crate::error::ErrorKind::Err,
        format!(
            "Unbalanced '{name}' list of streams: for each stream key an ID or '{sign}' must be \
             specified."
        ),
    ))
}

/// The keys of a request: half of the words after STREAMS, which is looked for where options are.
pub(super) fn keys_of_read(words: &[&[u8]]) -> Option<KeyPlaces> {
    let mut at = 1;
    loop {
        let word = words.get(at)?;
        let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
        at += match () {
            () if is(b"streams") => break,
            () if is(b"block") || is(b"count") => 2,
            () if is(b"group") => 3,
            () if is(b"noack") => 1,
            () => return None,
        };
    }
    let count = words.len() - at - 1;
    if count == 0 || !count.is_multiple_of(2) {
        return None;
    }
    let place = |place| KeyPlace { place, uses: key_use::RO | key_use::ACCESS };
    Some((at + 1..=at + count / 2).map(place).collect())
}

/// What is answered of one stream.
#[derive(Debug)]
enum Served {
    Nothing,
    /// So many entries from one id to another.
    Entries {
        count: usize,
        start: StreamId,
        end: StreamId,
    },
    /// Entries that a consumer got before, some of which may be no more.
    Again(Vec<StreamId>),
}

pub(super) fn xread(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let request = ReadRequest::parse(call)?;
    let after = request.resolve(call.keys, call.located)?;
    if serve(call, &request, &after) {
        return Ok(());
    }
    match request.timeout {
        None => call.out.null_array(),
        Some(timeout) => call.wait(request.wait(call, timeout, &after)),
    }
    Ok(())
}

/// Answers what came after ids that are definite. Returns whether there was anything; if not,
/// nothing was written.
fn serve(call: &mut Call<'_, '_>, request: &ReadRequest<'_>, after: &Ids) -> bool {
    let mut served: SmallVec<[Served; 4]> = SmallVec::new();
    for (key, &after) in call.located.iter().zip(after) {
        served.push(match &request.reader {
            Some(reader) => deliver(call, key, reader, after, request.count),
            None => look(call.keys, key, after, request.count),
        });
    }
    let answered = served.iter().filter(|one| !matches!(one, Served::Nothing)).count();
    if answered == 0 {
        return false;
    }
    let is_map = call.out.protocol() == Protocol::Resp3;
    if is_map {
        call.out.map(answered);
    } else {
        call.out.array(answered);
    }
    for (key, served) in call.located.iter().zip(&served) {
        let Some(Ok(stream)) = call.keys.peek(key).map(stream::read) else { continue };
        write_served(key, stream, served, is_map, call.out);
    }
    true
}

/// What came into a stream after an id.
fn look(keys: &mut Access<'_>, key: &Key<'_>, after: StreamId, limit: usize) -> Served {
    let Some(Ok(stream)) = keys.read(key).map(stream::read) else { return Served::Nothing };
    let Some(start) = after.next() else { return Served::Nothing };
    match stream.history().log().count(start, StreamId::MAX, limit) {
        0 => Served::Nothing,
        count => Served::Entries { count, start, end: StreamId::MAX },
    }
}

/// Delivers to a consumer what it got before, from an id on, or what nobody of its group has got.
fn deliver(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    reader: &Reader<'_>,
    after: StreamId,
    limit: usize,
) -> Served {
    let now_ms = call.time.unix_ms() as i64;
    let changed = call.keys.change(key, |record| {
        let stream = stream::write(record)?;
        let delivered = stream.change_group(reader.group, |history, group| {
            let (consumer, is_new) = group.asking_consumer(reader.consumer, now_ms);
            if after != NEW {
                let start = after.next().unwrap_or(StreamId::MIN);
                let ids = group.deliver_again(history, consumer, start, limit, now_ms);
                return (Served::Again(ids), is_new);
            }
            let ends = group.deliver(history, consumer, limit, reader.acknowledges, now_ms);
            let served = ends.map_or(Served::Nothing, |(start, end)| {
                let count = history.log().count(start, end, usize::MAX);
                Served::Entries { count, start, end }
            });
            (served, is_new)
        });
        Ok::<_, Error>((1, delivered))
    });
    let Ok(Some(changed)) = changed else { return Served::Nothing };
    let Some((served, is_new)) = changed.result else { return Served::Nothing };
    say_delivered(call, key, reader, &served, is_new);
    if is_new {
        call.notify(Event::Stream, "xgroup-createconsumer", key);
    }
    served
}

/// Says what was delivered to a consumer: whose entries are whose now, and how far the group is.
fn say_delivered(
    call: &mut Call<'_, '_>,
    key: &Key<'_>,
    reader: &Reader<'_>,
    served: &Served,
    is_new: bool,
) {
    call.keys.say_no_more();
    if !call.keys.is_recording() {
        return;
    }
    if is_new {
        claim::say_consumer(call.keys, key, reader.group, reader.consumer);
    }
    let ids = match served {
        Served::Nothing => return,
        Served::Again(ids) => ids.clone(),
        Served::Entries { .. } if reader.acknowledges => Vec::new(),
        Served::Entries { start, end, .. } => {
            let Some(Ok(stream)) = call.keys.peek(key).map(stream::read) else { return };
            stream.history().log().range(*start, *end).map(|entry| entry.id).collect()
        }
    };
    claim::say_owner(call.keys, key, reader.group, reader.consumer, &ids);
    if let Served::Entries { .. } = served {
        claim::say_position(call.keys, key, reader.group);
    }
}

fn write_served(
    key: &Key<'_>,
    stream: &Stream,
    served: &Served,
    is_map: bool,
    out: &mut dyn ReplySink,
) {
    let log = stream.history().log();
    if matches!(served, Served::Nothing) {
        return;
    }
    if !is_map {
        out.array(2);
    }
    out.bulk(key.bytes);
    match served {
        Served::Nothing => {}
        Served::Entries { count, start, end } => {
            write_entries(*count, log.range(*start, *end), out);
        }
        Served::Again(ids) => {
            out.array(ids.len());
            for &id in ids {
                match log.get(id) {
                    Some(entry) => write_entry(&entry, out),
                    None => write_gone(id, out),
                }
            }
        }
    }
}
