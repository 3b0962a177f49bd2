//! `resp`: the codec by itself, in gigabytes of RESP a second, beside hiredis's reader and the
//! crate `redis-protocol`.
//!
//! Every side does like work and in its fastest form. Where ours borrows from the input (`parse`,
//! `pull`), hiredis's reader makes no objects and redis-protocol gives ranges; where ours makes
//! trees (`tree`), so do they. A batch of 64 requests or replies is handed over at once.

use crate::hiredis::{Hiredis, Output};
use crate::measure::interleave;
use crate::row::{Better, Report, Row};
use crate::workload::{Chance, Commands, FEED, Mix, VALUE};
use bytes::{Buf, Bytes};
use keyslot::resp::{
    Encoder, Parsed, Protocol, ReplyDecoder, ReplyLimits, ReplyReader, ReplySink, RequestLimits,
    RequestParser, Requests,
};
use redis_protocol::resp2::decode::{decode_bytes, decode_range};
use redis_protocol::resp2::encode::encode_borrowed;
use redis_protocol::resp2::types::BorrowedFrame;
use std::hint::black_box;
use std::time::Instant;

/// Batches in a pass: few enough that they stay in the processor's cache.
const BATCHES: usize = 32;
/// Passes in a round.
const PASSES: usize = 300;

/// Gigabytes a second, where `work` gets through one batch and says how many requests or replies
/// were in it.
fn speed(batches: &[Bytes], mut work: impl FnMut(&Bytes) -> usize) -> f64 {
    let bytes: usize = batches.iter().map(Bytes::len).sum();
    let start = Instant::now();
    for _ in 0..PASSES {
        for batch in batches {
            assert_eq!(work(batch), FEED, "every side finds all there is");
        }
    }
    (bytes * PASSES) as f64 / start.elapsed().as_secs_f64() / 1e9
}

/// A case's name and its metric.
type Case = (&'static str, &'static str);

const PARSE: Case = ("parse", "requests parsed");
const TREE: Case = ("tree", "replies made trees of");
const PULL: Case = ("pull", "replies read token by token");
const ENCODE: Case = ("encode", "replies encoded");

/// The crate's name.
const RIVAL: &str = "redis-protocol";

/// Measures two sides at the same batches.
fn compare(
    report: &mut Report,
    (case, metric): Case,
    peer: &str,
    batches: &[Bytes],
    mut ours: impl FnMut(&Bytes) -> usize,
    mut theirs: impl FnMut(&Bytes) -> usize,
) {
    let (ours, theirs) = interleave(|| speed(batches, &mut ours), || speed(batches, &mut theirs));
    let id = format!("resp.{case}.{peer}");
    report.row(&Row { id: &id, metric, unit: "GB/s", ours, theirs, better: Better::Higher });
}

/// Requests as a pipeline has them: ten GETs to one SET.
fn requests() -> Vec<Bytes> {
    let commands = Commands::new(Mix::TenToOne, BATCHES * FEED, &mut Chance(4));
    commands.feeds.into_iter().map(Bytes::from).collect()
}

/// Which reply is the `number`-th of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Value,
    Ok,
    Integer,
    Null,
    /// Ten values.
    Array,
}

impl Kind {
    fn nth(number: usize) -> Self {
        match number % 16 {
            3 | 9 => Self::Ok,
            5 | 12 => Self::Integer,
            7 => Self::Null,
            15 => Self::Array,
            _ => Self::Value,
        }
    }

    fn write(self, number: usize, out: &mut Encoder) {
        match self {
            Self::Value => out.bulk(&VALUE),
            Self::Ok => out.ok(),
            Self::Integer => out.integer(number as i64),
            Self::Null => out.null(),
            Self::Array => {
                out.array(ARRAY.len());
                ARRAY.iter().for_each(|_| out.bulk(&VALUE));
            }
        }
    }

    fn frame(self, number: usize) -> BorrowedFrame<'static> {
        match self {
            Self::Value => VALUE_FRAME,
            Self::Ok => BorrowedFrame::SimpleString(b"OK"),
            Self::Integer => BorrowedFrame::Integer(number as i64),
            Self::Null => BorrowedFrame::Null,
            Self::Array => BorrowedFrame::Array(&ARRAY),
        }
    }
}

const VALUE_FRAME: BorrowedFrame<'static> = BorrowedFrame::BulkString(&VALUE);
static ARRAY: [BorrowedFrame<'static>; 10] = [VALUE_FRAME; 10];

/// Writes the replies of one batch.
fn encode(out: &mut Encoder) -> usize {
    (0..FEED).for_each(|number| Kind::nth(number).write(number, out));
    FEED
}

fn replies() -> Vec<Bytes> {
    let mut out = Encoder::new(Protocol::Resp2);
    encode(&mut out);
    vec![Bytes::from(out.into_inner()); BATCHES]
}

/// Parses a batch and takes the words of every request, which are borrowed.
fn parse(parser: &mut RequestParser, requests: &mut Requests, input: &[u8]) -> usize {
    requests.clear();
    let mut from = 0;
    while let Parsed::Complete { end } =
        parser.parse(input, from, requests).expect("the requests are right")
    {
        from = end;
    }
    let mut words = Vec::with_capacity(4);
    for number in 0..requests.len() {
        words.clear();
        requests.words(number, input, &mut words);
        black_box(&words);
    }
    requests.len()
}

/// Reads a batch into trees and drops them.
fn read_trees(decoder: &mut ReplyDecoder, batch: &Bytes) -> usize {
    let mut input = batch.clone();
    let mut replies = 0;
    while let Some(reply) = decoder.decode_shared(&mut input).expect("the replies are right") {
        black_box(&reply);
        replies += 1;
    }
    replies
}

/// Reads a batch token by token and counts the replies that are not parts of others.
fn read_tokens(batch: &[u8]) -> usize {
    let mut reader = ReplyReader::new(batch);
    let (mut tokens, mut parts) = (0, 0);
    while let Some(token) = reader.next_token().expect("the replies are right") {
        parts += black_box(&token).parts();
        tokens += 1;
    }
    tokens - parts
}

/// redis-protocol's form that borrows, for requests and replies.
fn their_ranges(batch: &[u8]) -> usize {
    let (mut from, mut frames) = (0, 0);
    while let Some((frame, len)) = decode_range(&batch[from..]).expect("the batch is right") {
        black_box(&frame);
        from += len;
        frames += 1;
    }
    frames
}

/// redis-protocol's form that makes trees whose texts share the input.
fn their_trees(batch: &Bytes) -> usize {
    let mut input = batch.clone();
    let mut frames = 0;
    while let Some((frame, len)) = decode_bytes(&input).expect("the batch is right") {
        black_box(&frame);
        input.advance(len);
        frames += 1;
    }
    frames
}

/// Writes frames that were made beforehand into memory that is there.
fn their_encode(frames: &[BorrowedFrame<'_>], out: &mut [u8]) -> usize {
    let mut end = 0;
    for frame in frames {
        end += encode_borrowed(&mut out[end..], frame, false).expect("there is room");
    }
    black_box(&out[..end]);
    frames.len()
}

fn compare_parsing(report: &mut Report, hiredis: &Hiredis) {
    let batches = requests();
    let mut reader = hiredis.reader(Output::Nothing);
    let mut parser = RequestParser::new(RequestLimits::DEFAULT);
    let mut store = Requests::new();
    let mut ours = |batch: &Bytes| parse(&mut parser, &mut store, batch);
    compare(report, PARSE, "hiredis", &batches, &mut ours, |batch| reader.read(batch));
    compare(report, PARSE, RIVAL, &batches, ours, |batch| their_ranges(batch));
}

fn compare_decoding(report: &mut Report, hiredis: &Hiredis) {
    let batches = replies();
    let mut decoder = ReplyDecoder::new(ReplyLimits::DEFAULT);
    let mut trees = |batch: &Bytes| read_trees(&mut decoder, batch);
    let tokens = |batch: &Bytes| read_tokens(batch);
    let (mut objects, mut nothing) =
        (hiredis.reader(Output::Tree), hiredis.reader(Output::Nothing));
    let rival = |batch: &Bytes| their_ranges(batch);
    compare(report, TREE, "hiredis", &batches, &mut trees, |batch| objects.read(batch));
    compare(report, TREE, RIVAL, &batches, trees, their_trees);
    compare(report, PULL, "hiredis", &batches, tokens, |batch| nothing.read(batch));
    compare(report, PULL, RIVAL, &batches, tokens, rival);
}

/// hiredis encodes no replies.
fn compare_encoding(report: &mut Report) {
    let batches = replies();
    let frames: Vec<_> = (0..FEED).map(|number| Kind::nth(number).frame(number)).collect();
    let mut room = vec![0; batches[0].len()];
    their_encode(&frames, &mut room);
    assert_eq!(room, batches[0], "both sides write the same");
    let mut out = Encoder::new(Protocol::Resp2);
    let ours = |_: &Bytes| {
        out.clear();
        let replies = encode(&mut out);
        black_box(out.bytes());
        replies
    };
    let theirs = |_: &Bytes| their_encode(&frames, &mut room);
    compare(report, ENCODE, RIVAL, &batches, ours, theirs);
}

pub(crate) fn run(report: &mut Report) -> Result<(), String> {
    let hiredis = Hiredis::load()?;
    compare_parsing(report, &hiredis);
    compare_decoding(report, &hiredis);
    compare_encoding(report);
    Ok(())
}
