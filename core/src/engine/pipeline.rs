//! Commands that a host collects and gives in one call: one after the other, or as a transaction.
//! How a transaction is carried out is `transaction`'s.

use super::execute::BATCH;
use super::session::TOO_MANY;
use super::{Engine, Session};
use crate::error::Error;
use crate::resp::{Protocol, Reply, ReplyBuilder, ReplySink};
use smallvec::SmallVec;

const NO_WORDS: Error = Error::err("unknown command '', with args beginning with: ");

/// Commands that wait to be carried out together, by [`Session::run_pipeline`] or
/// [`Session::run_transaction`].
///
/// Their words are copied into one buffer, so that a pipeline that is cleared and filled again
/// allocates nothing.
///
/// ```
/// # use keyslot::{Engine, Pipeline, resp::{Protocol, Reply, ReplyBuilder}};
/// let mut session = Engine::default().session();
/// let mut pipeline = Pipeline::new();
/// pipeline.push(&[b"SET", b"a", b"1"]);
/// pipeline.push(&[b"INCR", b"a"]);
/// let mut replies = ReplyBuilder::new(Protocol::Resp3);
/// session.run_pipeline(&pipeline, &mut replies);
/// assert_eq!(replies.take(), Some(Reply::Status("OK".into())));
/// assert_eq!(replies.take(), Some(Reply::Integer(2)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    text: Vec<u8>,
    /// Where each word ends in the text.
    word_ends: Vec<usize>,
    /// Where each command ends among the words.
    command_ends: Vec<usize>,
}

impl Pipeline {
    /// An empty pipeline.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a command, whose words are copied.
    pub fn push(&mut self, words: &[&[u8]]) {
        for word in words {
            self.text.extend_from_slice(word);
            self.word_ends.push(self.text.len());
        }
        self.command_ends.push(self.word_ends.len());
    }

    /// How many commands there are.
    pub fn len(&self) -> usize {
        self.command_ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.command_ends.is_empty()
    }

    /// Forgets all commands and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.word_ends.clear();
        self.command_ends.clear();
    }

    /// The words of the command of a number, counted from 0. Panics if there is none.
    pub fn words(&self, number: usize) -> impl Iterator<Item = &[u8]> {
        let first = number.checked_sub(1).map_or(0, |before| self.command_ends[before]);
        let mut start = first.checked_sub(1).map_or(0, |before| self.word_ends[before]);
        self.word_ends[first..self.command_ends[number]].iter().map(move |&end| {
            let word = &self.text[start..end];
            start = end;
            word
        })
    }

    /// Lets `work` see all commands, each as a list of words.
    fn with_commands<R>(&self, work: impl FnOnce(&[&[&[u8]]]) -> R) -> R {
        let mut start = 0;
        let word = |&end: &usize| &self.text[std::mem::replace(&mut start, end)..end];
        let words: Vec<&[u8]> = self.word_ends.iter().map(word).collect();
        let mut start = 0;
        let command = |&end: &usize| &words[std::mem::replace(&mut start, end)..end];
        work(&self.command_ends.iter().map(command).collect::<Vec<_>>())
    }
}

impl Session {
    /// Carries out the commands of a pipeline in order and writes their replies to `sink`, as as
    /// many times [`Session::call`] would. Neighbours that have one key each share locks and wait
    /// for memory together; commands of others may come in between. Returns how many were carried
    /// out: all, unless one of them ended the session.
    pub fn run_pipeline(&mut self, pipeline: &Pipeline, sink: &mut dyn ReplySink) -> usize {
        pipeline.with_commands(|commands| self.run_commands(commands, sink))
    }

    fn run_commands(&mut self, commands: &[&[&[u8]]], sink: &mut dyn ReplySink) -> usize {
        if self.is_refused() {
            commands.iter().for_each(|_| sink.error(&TOO_MANY));
            return commands.len();
        }
        let mut done = 0;
        while done < commands.len() && !self.is_closing() {
            let batch: SmallVec<[&[&[u8]]; BATCH]> = commands[done..]
                .iter()
                .copied()
                .take_while(|words| !words.is_empty())
                .take(BATCH)
                .collect();
            if batch.is_empty() {
                sink.error(&NO_WORDS);
                done += 1;
            } else {
                done += self.call_batch(&batch, sink);
            }
        }
        done
    }

    /// Carries out the commands of a pipeline as a transaction, MULTI and EXEC included: no other
    /// caller sees a part of it, and none comes between. Writes one reply to `sink`:
    /// - an array with the reply of each command; one that fails does not undo the others;
    /// - a null if a key that this session watches (WATCH) has changed;
    /// - an error if a command was refused when it was queued, as one that does not exist is.
    ///
    /// In the last two cases nothing was done. Returns the number of the command that was refused,
    /// counted from 0, if it was one of them. Either way no key is watched any longer.
    pub fn run_transaction(
        &mut self,
        pipeline: &Pipeline,
        sink: &mut dyn ReplySink,
    ) -> Option<usize> {
        if let Err(error) = self.ask(&[b"MULTI"]) {
            sink.error(&error);
            return None;
        }
        let queue = |commands: &[&[&[u8]]]| {
            let mut refusals = commands.iter().map(|words| self.ask(words).err());
            refusals.by_ref().enumerate().find_map(|(number, error)| Some((number, error?)))
        };
        let refused = pipeline.with_commands(queue);
        if let Some((number, error)) = refused {
            // The keys are watched until this too.
            _ = self.ask(&[b"DISCARD"]);
            sink.error(&error);
            return Some(number);
        }
        self.call(&[b"EXEC"], sink);
        None
    }

    /// Carries out a command whose reply matters only if it is an error.
    fn ask(&mut self, words: &[&[u8]]) -> Result<(), Error> {
        let mut builder = ReplyBuilder::new(Protocol::Resp3);
        self.call(words, &mut builder);
        match builder.take() {
            Some(Reply::Error(text)) => Err(Error::from_line(&text)),
            _ => Ok(()),
        }
    }
}

impl Engine {
    /// Carries out several commands of database 0 as one: no other caller sees a part of it, and
    /// none comes between. Returns the reply of each; a command that fails does not undo the others.
    /// To watch keys first, use [`Session::run_transaction`].
    ///
    /// # Errors
    /// If a command does not exist or has too few or too many words, is not allowed here, or, in a
    /// cluster, is not served here or has keys in other slots than the rest. Nothing was done then.
    ///
    /// ```
    /// # use keyslot::{Engine, resp::Reply};
    /// let engine = Engine::default();
    /// let replies = engine.atomic(&[&[b"SET", b"a", b"1"], &[b"INCR", b"a"]])?;
    /// assert_eq!(replies[1], Reply::Integer(2));
    /// # Ok::<(), keyslot::error::Error>(())
    /// ```
    pub fn atomic(&self, commands: &[&[&[u8]]]) -> Result<Vec<Reply>, Error> {
        let mut pipeline = Pipeline::new();
        commands.iter().for_each(|words| pipeline.push(words));
        let mut builder = ReplyBuilder::new(Protocol::Resp3);
        Session::new(self.clone()).run_transaction(&pipeline, &mut builder);
        match builder.take() {
            Some(Reply::Array(replies)) => Ok(replies),
            Some(Reply::Error(text)) => Err(Error::from_line(&text)),
            other => unreachable!("EXEC without a watched key answers an array, not {other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(commands: &[&str]) -> Pipeline {
        let mut pipeline = Pipeline::new();
        for command in commands {
            pipeline.push(&command.split(' ').map(str::as_bytes).collect::<Vec<_>>());
        }
        pipeline
    }

    fn replies(run: impl FnOnce(&mut ReplyBuilder)) -> Vec<Reply> {
        let mut builder = ReplyBuilder::new(Protocol::Resp3);
        run(&mut builder);
        std::iter::from_fn(|| builder.take()).collect()
    }

    fn error(text: &'static str) -> Reply {
        Reply::Error(text.into())
    }

    #[test]
    fn a_pipeline_keeps_order_across_its_batches() {
        let mut session = Engine::default().session();
        let mut many = Pipeline::new();
        for _ in 0..3 * BATCH {
            many.push(&[b"INCR", b"n"]);
        }
        many.push(&[]);
        many.push(&[b"MGET", b"n", b"none"]);
        let got = replies(|sink| assert_eq!(session.run_pipeline(&many, sink), many.len()));
        let counts = (1..=3 * BATCH as i64).map(Reply::Integer);
        assert!(counts.eq(got[..3 * BATCH].iter().cloned()));
        assert!(matches!(got[3 * BATCH], Reply::Error(_)));
        let last = Reply::Array(vec![Reply::Bulk("48".into()), Reply::Null]);
        assert_eq!(got[3 * BATCH + 1..], [last]);
        assert_eq!(many.words(many.len() - 1).collect::<Vec<_>>(), [&b"MGET"[..], b"n", b"none"]);
        assert_eq!(many.words(0).collect::<Vec<_>>(), [&b"INCR"[..], b"n"]);
        assert_eq!(many.words(3 * BATCH).count(), 0);
    }

    #[test]
    fn a_pipeline_ends_where_the_session_does() {
        let mut session = Engine::default().session();
        let work = pipeline(&["SET a 1", "QUIT", "SET a 2"]);
        let got = replies(|sink| assert_eq!(session.run_pipeline(&work, sink), 2));
        assert_eq!(got, [Reply::Status("OK".into()), Reply::Status("OK".into())]);
    }

    #[test]
    fn a_pipeline_waits_for_nothing() {
        let engine = Engine::default();
        let mut session = engine.session();
        engine.call(&[b"CLIENT", b"PAUSE", b"100000"], &mut ReplyBuilder::new(Protocol::Resp3));
        let got =
            replies(|sink| _ = session.run_pipeline(&pipeline(&["BLPOP l 0", "GET k"]), sink));
        assert_eq!(got, [Reply::Null, Reply::Null]);
    }

    #[test]
    fn a_transaction_is_done_undone_by_a_watched_key_or_refused() {
        let engine = Engine::default();
        let mut session = engine.session();
        let work = pipeline(&["SET a 1", "LPUSH a x", "INCR a"]);
        let got = replies(|sink| assert_eq!(session.run_transaction(&work, sink), None));
        let wrong = "WRONGTYPE Operation against a key holding the wrong kind of value";
        let done = vec![Reply::Status("OK".into()), error(wrong), Reply::Integer(2)];
        assert_eq!(got, [Reply::Array(done)]);

        session.call(&[b"WATCH", b"a"], &mut ReplyBuilder::new(Protocol::Resp3));
        engine.set(b"a", b"7").unwrap();
        assert_eq!(replies(|sink| _ = session.run_transaction(&work, sink)), [Reply::Null]);
        assert_eq!(engine.get(b"a").unwrap().as_deref(), Some(&b"7"[..]));

        session.call(&[b"WATCH", b"a"], &mut ReplyBuilder::new(Protocol::Resp3));
        let refused = pipeline(&["SET a 1", "GET", "FOO"]);
        let got = replies(|sink| assert_eq!(session.run_transaction(&refused, sink), Some(1)));
        assert_eq!(got, [error("ERR wrong number of arguments for 'get' command")]);
        engine.set(b"a", b"8").unwrap();
        let got = replies(|sink| _ = session.run_transaction(&pipeline(&["GET a"]), sink));
        assert_eq!(got, [Reply::Array(vec![Reply::Bulk("8".into())])], "nothing is watched");
    }

    #[test]
    fn a_twin_is_in_the_same_database_and_speaks_the_same_version() {
        let mut session = Engine::default().session();
        session.feed(b"HELLO 3\r\nSELECT 4\r\nMULTI\r\n");
        let twin = session.twin();
        assert_eq!((twin.database(), twin.protocol()), (4, Protocol::Resp3));
        assert_eq!(twin.plain_database(), Some(4), "a transaction is the session's own");
        assert_ne!(twin.id(), session.id());
    }
}
