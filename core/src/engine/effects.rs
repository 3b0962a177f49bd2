//! What writes did, handed to the host: for a log, a replica, or whoever wants to follow. What an
//! effect is, the keyspace says.

use super::Engine;
use crate::error::Error;
use crate::keyspace::{Access, Audience, Keyspace, Listener, Recorded};
use crate::time::Moment;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// A step of what happened to an engine's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What follows, up to [`Effect::End`], happened at once.
    Begin,
    /// A command that does again what a write did.
    Command {
        /// The database that it is carried out in.
        db: usize,
        /// When the write happened, in milliseconds since the Unix epoch.
        unix_ms: u64,
        /// The command, by name.
        words: Vec<Vec<u8>>,
    },
    /// The end of what happened at once.
    End,
}

impl From<&Recorded> for Effect {
    fn from(recorded: &Recorded) -> Self {
        match recorded {
            Recorded::Begin => Self::Begin,
            Recorded::End => Self::End,
            Recorded::Effect(effect) => Self::Command {
                db: usize::from(effect.db),
                unix_ms: effect.unix_ms,
                words: effect.words.iter().map(|word| word.to_vec()).collect(),
            },
        }
    }
}

#[derive(Debug, Default)]
struct Queue(Mutex<VecDeque<Effect>>);

impl Listener for Queue {
    fn hear(&self, recorded: &[Recorded]) {
        self.0.lock().extend(recorded.iter().map(Effect::from));
    }
}

/// The effects of all writes to an engine from [`Engine::effects`] on, in order. They are kept until
/// they are taken, without a limit. Dropping it ends the recording.
pub struct Effects {
    engine: Engine,
    queue: Arc<Queue>,
    audience: Audience,
    listener: Arc<dyn Listener>,
}

impl Effects {
    /// Takes what happened next, if anything.
    pub fn poll(&mut self) -> Option<Effect> {
        self.queue.0.lock().pop_front()
    }
}

impl Drop for Effects {
    fn drop(&mut self) {
        self.engine.inner.keyspace.cease_to_listen(self.audience, &self.listener);
    }
}

impl Engine {
    /// Begins to record what writes do, as commands that do the same again whenever they are carried
    /// out: times are absolute, and what chance chose is named. Carried out in order on an engine that
    /// holds what this one holds now, they keep the two equal. While nobody records, a write costs no
    /// more than a test of a bit.
    ///
    /// ```
    /// # use keyslot::{Effect, Engine};
    /// let engine = Engine::default();
    /// let mut effects = engine.effects();
    /// engine.set(b"k", b"v")?;
    /// let Some(Effect::Command { words, .. }) = effects.poll() else { panic!() };
    /// assert_eq!(words, [&b"SET"[..], b"k", b"v"]);
    /// # Ok::<(), keyslot::error::Error>(())
    /// ```
    pub fn effects(&self) -> Effects {
        self.record(Audience::Everything)
    }

    /// As [`Engine::effects`], but what changes no key of this slot may be left out. Writes to other
    /// slots cost little more than while nobody records.
    ///
    /// # Errors
    /// If there is no such slot.
    pub fn effects_of_slot(&self, slot: u16) -> Result<Effects, Error> {
        if usize::from(slot) >= self.inner.keyspace.scheme().slots() {
            return Err(Error::err("Invalid slot"));
        }
        Ok(self.record(Audience::Slot(slot)))
    }

    fn record(&self, audience: Audience) -> Effects {
        let queue = Arc::new(Queue::default());
        let listener: Arc<dyn Listener> = queue.clone();
        let keyspace: &Keyspace = &self.inner.keyspace;
        let time = Moment::new(&*self.inner.clock);
        let everything = Access::all(keyspace, &time);
        keyspace.listen(audience, listener.clone());
        drop(everything);
        Effects { engine: self.clone(), queue, audience, listener }
    }
}
