//! Slots that arrive whole from another engine. What arrives is carried out in an engine of its own
//! behind this one, where no client sees it, at the times that the source names; when the slot changes
//! hands its tables are taken over as they are.

use super::{Engine, Inner};
use crate::cluster::{Fence, Node, NodeId, SlotState};
use crate::command::{ClientState, Environment, Names, Users};
use crate::config::{Authority, Config};
use crate::error::Error;
use crate::keyspace::Access;
use crate::migration::{Feed, Frame, FrameReader, Header, Import, Imports, Kind, Standing};
use crate::migration::{begins, each_request, number, write_frame};
use crate::resp::{Encoder, Protocol};
use crate::time::{ManualClock, Moment};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::OnceLock;

/// What a host may want to know of slots that arrive. It acts on what it is told before it sends the
/// answers that a [`Receiver`] gave: they may say that what arrived is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportEvent {
    /// All of a slot has arrived, and the source asks for it to be durable. The host keeps what
    /// [`Engine::save_import`] gives and calls [`Engine::handle_import_saved`].
    Save {
        /// The slot.
        slot: u16,
    },
    /// A slot is served here now. What was saved of its arrival is not needed any more once what
    /// this engine holds is durable. The answer that is about to be sent tells the source, which then
    /// deletes what it has and says no more: a host that wants crashes to be survived makes the slot
    /// durable before it sends that answer.
    Served {
        /// The slot.
        slot: u16,
        /// How many keys came with it.
        keys: usize,
    },
    /// A slot does not arrive after all, and nothing of it is kept.
    Dropped {
        /// The slot.
        slot: u16,
    },
}

/// The part of an engine that takes slots in.
#[derive(Default)]
pub(super) struct Arrivals {
    imports: Mutex<Imports>,
    /// Where what arrives is kept.
    staging: OnceLock<Box<Inner>>,
    events: Mutex<VecDeque<ImportEvent>>,
}

impl Arrivals {
    /// Bytes that are kept out of sight.
    pub(super) fn footprint(&self) -> usize {
        self.staging.get().map_or(0, |staging| staging.keyspace.footprint())
    }
}

/// After so long without a word of its source, in microseconds, an arrival that is not complete is
/// given up.
const SILENCE_US_MAX: u64 = 300_000_000;

/// The receiving end of atomic migrations, for one connection. What it answers goes back the same way.
/// Frames may be lost, doubled, late, or out of order; a host whose transport keeps frames apart can
/// give all of them to one receiver.
///
/// A source's [`crate::Migration`] is at the other end: what it gives to be sent goes to
/// [`Receiver::handle_frame`], and the answers to its own `handle_frame`.
pub struct Receiver {
    engine: Engine,
    reader: FrameReader,
}

impl Receiver {
    /// Whether what came first over a connection is a source's and no client's, for hosts that serve
    /// both at one port: at least the first forty bytes of it, or all that came.
    pub fn is_frame(bytes: &[u8]) -> bool {
        begins(bytes)
    }

    /// Takes in what the source sent, in pieces of any size, and appends the answers to `out`.
    pub fn handle_frame(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let inner = &self.engine.inner;
        for frame in self.reader.read(bytes) {
            if let Some(answer) = inner.receive(frame) {
                answer.write(out);
            }
        }
        inner.redirect_waiting();
        inner.env.post.send();
    }
}

impl Engine {
    /// Opens the receiving end of atomic migrations for one connection. In a host that faces strangers
    /// the connection is one that only nodes of the cluster can make.
    pub fn receiver(&self) -> Receiver {
        Receiver { engine: self.clone(), reader: FrameReader::default() }
    }

    /// What happened next to slots that arrive, if anything.
    pub fn poll_import_event(&self) -> Option<ImportEvent> {
        self.inner.arrivals.events.lock().pop_front()
    }

    /// What has arrived of a slot, to be made durable; none if nothing is complete.
    pub fn save_import(&self, slot: u16) -> Option<Vec<u8>> {
        self.inner.save_import(slot)
    }

    /// Takes note that what [`Engine::save_import`] gave is durable.
    pub fn handle_import_saved(&self, slot: u16) {
        let mut imports = self.inner.arrivals.imports.lock();
        if let Some(import) = imports.by_slot.get_mut(&slot).filter(|import| import.is_saving) {
            import.standing = Standing::Prepared;
            self.inner.fence_import(slot, Some(Fence::All));
        }
    }

    /// Brings back what [`Engine::save_import`] gave, after a crash and before anything else is
    /// received.
    ///
    /// # Errors
    /// If it is not what was given.
    pub fn restore_import(&self, saved: &[u8]) -> Result<(), Error> {
        self.inner.restore_import(saved).ok_or(Error::err("Bad data format"))
    }
}

impl Inner {
    fn receive(&self, frame: Frame) -> Option<Frame> {
        let mut header = frame.header;
        let slots = self.keyspace.scheme().slots();
        if frame.kind == Kind::Ack || usize::from(header.slot) >= slots {
            return None;
        }
        let imports = &mut *self.arrivals.imports.lock();
        let now_us = self.clock.now().mono_us;
        if let Some(import) = imports.find(&header) {
            import.heard_us = now_us;
        }
        match frame.kind {
            Kind::Open => header = self.open_import(imports, &frame, now_us),
            Kind::Data => self.take_piece(imports, frame),
            Kind::Prepare => self.prepare_import(imports, &frame),
            Kind::Commit => self.commit_import(imports, &frame),
            Kind::Abort => {
                let why = b"ERR given up by the source";
                let arrived = imports.of_attempt(&header);
                arrived.into_iter().for_each(|arrived| self.drop_import(imports, arrived, why));
                self.drop_import(imports, header, why);
            }
            Kind::Ack => {}
        }
        Some(imports.answer(&header))
    }

    /// Whether a slot is on its way here. This node may be its owner already, and not know what is in
    /// it.
    pub(super) fn is_arriving(&self, slot: u16) -> bool {
        self.arrivals.imports.lock().by_slot.contains_key(&slot)
    }

    fn note_import(&self, event: ImportEvent) {
        self.arrivals.events.lock().push_back(event);
    }

    /// Takes part in an attempt, if it may. Returns the frame's header with the arrival's number.
    fn open_import(&self, imports: &mut Imports, frame: &Frame, now_us: u64) -> Header {
        let header = frame.header;
        if let Some(arrived) = imports.of_attempt(&header) {
            return arrived;
        }
        // What is left here of a move the other way is yet to be deleted: the source asks again.
        let is_claimed =
            || self.env.cluster.as_ref().is_some_and(|it| it.view().is_claimed(header.slot));
        if imports.ended(&header).is_some() || is_claimed() {
            return header;
        }
        let source = NodeId::parse(&frame.payload);
        let is_old = |import: &Import| {
            import.source == source
                && (import.header.id, import.header.attempt) >= (header.id, header.attempt)
        };
        if imports.by_slot.get(&header.slot).is_some_and(is_old) {
            return header;
        }
        if let Err(why) = self.check_import(&header, source) {
            imports.end(header, Standing::Aborted(why.to_vec()));
            return header;
        }
        if let Some(before) = imports.by_slot.get(&header.slot).map(|import| import.header) {
            imports.end(before, Standing::Aborted(b"ERR another attempt followed".to_vec()));
        }
        self.clear_staging(header.slot);
        self.fence_import(header.slot, None);
        let header = Header { arrival: self.next_migration(), ..header };
        imports.by_slot.insert(header.slot, Import::new(header, source, now_us));
        header
    }

    /// Whether a slot may arrive from a node.
    fn check_import(&self, header: &Header, source: Option<NodeId>) -> Result<(), &'static [u8]> {
        let slot = header.slot;
        let Some(cluster) = &self.env.cluster else {
            return Err(b"ERR This instance has cluster support disabled");
        };
        let view = cluster.view();
        let owner = view.topology.owner(slot);
        let Some(owner) = owner.filter(|owner| Some(owner.id) == source) else {
            return Err(b"ERR The source is not the owner of the slot");
        };
        if view.topology.is_mine(slot) || view.topology.state(slot) != SlotState::Stable {
            return Err(b"ERR The slot is open for another migration");
        }
        if header.source_epoch < owner.config_epoch {
            return Err(b"ERR The source does not know its own epoch");
        }
        drop(view);
        let time = Moment::new(&*self.clock);
        if Access::slot(&self.keyspace, &time, slot).count_in_slot_everywhere(slot) > 0 {
            return Err(b"ERR Target node already holds keys of the slot");
        }
        Ok(())
    }

    /// Where what arrives is kept. Its values take the forms that this engine's settings ask for.
    fn staging(&self) -> &Inner {
        let staging = self.arrivals.staging.get_or_init(|| {
            let keyspace = self.keyspace.like();
            let seed = self.env.random();
            let (config, users) = (Config::default(), Users::new(None, seed, None));
            let names = Names::default();
            let env = Environment::new(config, users, names, seed, None, 0, keyspace.footprint());
            Box::new(Inner::new(keyspace, env, Box::new(ManualClock::new(0)), seed))
        });
        staging.keyspace.set_usage(self.keyspace.usage());
        for (name, at) in self.env.config.names().filter(|(name, _)| name.contains("-max-")) {
            let value = self.env.config.value_at(at);
            // The value is one of the same setting.
            let _ = staging.env.config.set(&[(name.as_bytes(), &value)], Authority::Trusted);
        }
        staging
    }

    fn clear_staging(&self, slot: u16) {
        let staging = self.staging();
        let time = Moment::new(&*staging.clock);
        let mut access = Access::slot(&staging.keyspace, &time, slot);
        (0..staging.keyspace.databases()).for_each(|db| _ = access.flush_slot(db, slot));
    }

    fn take_piece(&self, imports: &mut Imports, frame: Frame) {
        let Some(import) = imports.find(&frame.header) else { return };
        for piece in import.take(frame.sequence, frame.payload) {
            if let Err(why) = self.carry_out(import, &piece) {
                return self.drop_import(imports, frame.header, &why);
            }
        }
    }

    /// Carries out a piece of the stream out of sight.
    fn carry_out(&self, import: &mut Import, piece: &[u8]) -> Result<(), Vec<u8>> {
        let staging = self.arrivals.staging.get().ok_or(&b"ERR nothing was opened"[..])?;
        let clock = ManualClock::new(import.unix_ms);
        let mut client = ClientState { db: import.db, ..ClientState::default() };
        let mut out = Encoder::new(Protocol::Resp2);
        let mut failure = None;
        let whole = each_request(piece, |words| {
            match words {
                [b"@", db, at] => {
                    client.db = number(db).unwrap_or(0) as usize;
                    clock.set_unix_ms(number(at).unwrap_or(0));
                    return;
                }
                [b"%", name, at] => {
                    let time = Moment::new(&clock);
                    let mut key = staging.keyspace.locate(client.db, name);
                    let keys = std::slice::from_mut(&mut key);
                    let mut access = Access::keys(&staging.keyspace, &time, keys);
                    return access.set_stamp(&key, number(at).unwrap_or(0) as u32);
                }
                _ => {}
            }
            let time = Moment::new(&clock);
            let mut round = staging.round();
            staging.run_alone(&mut client, words, &mut out, &time, &mut round);
            if out.bytes().first() == Some(&b'-') {
                let end = memchr::memchr(b'\r', out.bytes()).unwrap_or(out.len());
                failure.get_or_insert_with(|| out.bytes()[1..end].to_vec());
            }
            out.clear();
        });
        (import.db, import.unix_ms) = (client.db, Moment::new(&clock).unix_ms());
        staging.keyspace.free_some(usize::MAX >> 1);
        match failure {
            Some(why) => Err(why),
            None if whole != Some(piece.len()) => Err(b"ERR Bad data format".to_vec()),
            None => Ok(()),
        }
    }

    fn prepare_import(&self, imports: &mut Imports, frame: &Frame) {
        let Some(import) = imports.find(&frame.header) else { return };
        let is_complete =
            import.standing == Standing::Receiving && import.applied == frame.sequence;
        if !is_complete || import.is_saving {
            return;
        }
        if frame.payload == b"durable" {
            import.is_saving = true;
            self.note_import(ImportEvent::Save { slot: frame.header.slot });
        } else {
            import.standing = Standing::Prepared;
            self.fence_import(frame.header.slot, Some(Fence::All));
        }
    }

    /// Lets clients wait who want a slot that is prepared: this node may come to know that it is the
    /// owner before the source says so.
    fn fence_import(&self, slot: u16, fence: Option<Fence>) {
        let time = Moment::new(&*self.clock);
        let _lock = Access::slot(&self.keyspace, &time, slot);
        if let Some(cluster) = &self.env.cluster {
            cluster.change_slot(slot, |view| view.set_fence(slot, fence));
        }
    }

    /// Serves a slot that the store has given to this node.
    fn commit_import(&self, imports: &mut Imports, frame: &Frame) {
        let header = frame.header;
        let is_prepared = |import: &&mut Import| import.standing == Standing::Prepared;
        let Some(epoch) = number(&frame.payload) else { return };
        let Some(cluster) = &self.env.cluster else { return };
        if imports.find(&header).filter(is_prepared).is_none() {
            // Before a crash of this node the slot was served already, if it is its own.
            let is_forgotten = imports.find(&header).is_none() && imports.ended(&header).is_none();
            if is_forgotten {
                imports.end(
                    header,
                    match cluster.view().topology.is_mine(header.slot) {
                        true => Standing::Committed,
                        false => Standing::Aborted(b"ERR nothing was prepared".to_vec()),
                    },
                );
            }
            return;
        }
        let (slot, staging) = (header.slot, self.staging());
        let (time, still) = (Moment::new(&*self.clock), Moment::new(&*staging.clock));
        let mut here = Access::slot(&self.keyspace, &time, slot);
        let mut there = Access::slot(&staging.keyspace, &still, slot);
        let keys = here.adopt_slot(slot, &mut there);
        cluster.change_slot(slot, |view| {
            let myself = view.topology.myself().clone();
            let config_epoch = myself.config_epoch.max(epoch);
            let id = myself.id;
            view.topology.put_node(Node { config_epoch, ..myself });
            view.topology.assign(slot, id);
            view.set_fence(slot, None);
        });
        drop((here, there));
        imports.end(header, Standing::Committed);
        self.note_import(ImportEvent::Served { slot, keys });
    }

    /// Gives an attempt up, and keeps nothing of it.
    fn drop_import(&self, imports: &mut Imports, header: Header, why: &[u8]) {
        if imports.find(&header).is_some() {
            self.clear_staging(header.slot);
            self.fence_import(header.slot, None);
            self.note_import(ImportEvent::Dropped { slot: header.slot });
        } else if imports.ended(&header).is_some() {
            return;
        }
        imports.end(header, Standing::Aborted(why.to_vec()));
    }

    /// Gives arrivals up whose sources are silent for too long and that are not complete.
    pub(super) fn drop_silent_imports(&self) {
        let imports = &mut *self.arrivals.imports.lock();
        let now_us = self.clock.now().mono_us;
        let is_silent = |import: &&Import| {
            import.standing == Standing::Receiving
                && !import.is_saving
                && now_us.saturating_sub(import.heard_us) > SILENCE_US_MAX
        };
        let silent: Vec<Header> =
            imports.by_slot.values().filter(is_silent).map(|import| import.header).collect();
        for header in silent {
            self.drop_import(imports, header, b"ERR nothing was heard of the source");
        }
    }

    fn save_import(&self, slot: u16) -> Option<Vec<u8>> {
        let imports = self.arrivals.imports.lock();
        let import = imports.by_slot.get(&slot)?;
        if !import.is_saving && import.standing != Standing::Prepared {
            return None;
        }
        let staging = self.arrivals.staging.get()?;
        let clock = ManualClock::new(import.unix_ms);
        let time = Moment::new(&clock);
        let (feed, mut saved) = (Feed::new(slot), Vec::new());
        let source = import.source.as_ref().map_or(&b""[..], |id| id.as_str().as_bytes());
        write_frame(&import.header, Kind::Open, 0, source, &mut saved);
        let mut access = Access::slot(&staging.keyspace, &time, slot);
        while !feed.step(&mut access, usize::MAX).is_through {}
        let mut sequence = 0;
        while let Some(part) = feed.take() {
            sequence += 1;
            write_frame(&import.header, Kind::Data, sequence, &part, &mut saved);
        }
        write_frame(&import.header, Kind::Prepare, import.applied, b"", &mut saved);
        Some(saved)
    }

    fn restore_import(&self, saved: &[u8]) -> Option<()> {
        let frames = FrameReader::default().read(saved);
        let (first, last) = (frames.first()?, frames.last()?);
        if first.kind != Kind::Open || last.kind != Kind::Prepare {
            return None;
        }
        let imports = &mut *self.arrivals.imports.lock();
        let (header, source) = (first.header, NodeId::parse(&first.payload));
        let mut import = Import::new(header, source, self.clock.now().mono_us);
        self.clear_staging(header.slot);
        for frame in &frames[1..frames.len() - 1] {
            self.carry_out(&mut import, &frame.payload).ok()?;
        }
        (import.applied, import.standing) = (last.sequence, Standing::Prepared);
        self.fence_import(header.slot, Some(Fence::All));
        imports.by_slot.insert(header.slot, import);
        Some(())
    }
}
