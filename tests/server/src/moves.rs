//! Slots that move whole between the nodes of a cluster. What CLUSTER MIGRATESLOTS asks for is carried
//! over connections to the targets' own ports, which tell a source by its first frame; the file of the
//! topology decides by its compare-and-set; and the journal keeps what a crash must not forget.
//!
//! A node that takes slots in while it gives others away gets a new config epoch by that, and a move
//! that begins at that moment may fail. It is to be asked for again.

use crate::journal::Journal;
use crate::serve::time_left;
use keyslot::cluster::{NodeId, TopologyStore, store};
use keyslot::slot::SlotSet;
use keyslot::time::SystemClock;
use keyslot::{
    Decision, Engine, ImportEvent, Migration, MigrationEvent, MigrationLimits, MigrationOrder,
    MigrationRecord, Mode,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

const READ_BYTES: usize = 64 << 10;
/// How much is put together to be sent at once.
const SEND_BYTES: usize = 256 << 10;
/// Before a target that does not listen, or a file that cannot be written, is tried again.
const TRY_AGAIN_EVERY: Duration = Duration::from_millis(50);

/// What moves slots of one node.
pub(crate) struct Moves {
    engine: Engine,
    clock: Arc<SystemClock>,
    store: Arc<dyn TopologyStore>,
    journal: Journal,
    limits: MigrationLimits,
    /// What wakes those who carry migrations.
    ropes: Mutex<Vec<UnixStream>>,
    /// Held while what arrives is noted, so that files are written and removed in its order.
    arrivals: Mutex<()>,
}

impl Moves {
    pub(crate) fn new(
        engine: &Engine,
        clock: &Arc<SystemClock>,
        store: Arc<dyn TopologyStore>,
        journal: Journal,
        limits: MigrationLimits,
    ) -> Arc<Self> {
        let (ropes, arrivals) = (Mutex::default(), Mutex::default());
        let (engine, clock) = (engine.clone(), clock.clone());
        Arc::new(Self { engine, clock, store, journal, limits, ropes, arrivals })
    }

    /// Takes up what was under way when the node ended, and from now on what clients ask for. To be
    /// called before anybody is served.
    pub(crate) fn serve(self: &Arc<Self>) -> Result<(), String> {
        for saved in self.journal.arrived().map_err(|error| error.to_string())? {
            self.engine.restore_import(&saved).map_err(|error| error.to_string())?;
        }
        for record in self.journal.leaving().map_err(|error| error.to_string())? {
            self.resume(record)?;
        }
        let (wish, wishes) = mpsc::channel();
        self.engine.set_migration_waker(Arc::new(move || _ = wish.send(())));
        let own = self.clone();
        thread::spawn(move || {
            while wishes.recv().is_ok() {
                while let Some(order) = own.engine.poll_migration_order() {
                    own.begin(order);
                }
                own.wake_all();
            }
        });
        Ok(())
    }

    fn resume(self: &Arc<Self>, record: MigrationRecord) -> Result<(), String> {
        // Nobody but this node could have changed the owner, so what it is now it stays.
        let decision = self.owner_epoch(&record).map_err(|error| error.to_string())?;
        let decision = decision.map_or(Decision::Refused, |epoch| Decision::Committed { epoch });
        let resumed = self.engine.resume_migration(record, decision, self.limits);
        let migration = resumed.map_err(|error| error.to_string())?;
        self.start(migration, record.target, SlotSet::from_iter([record.slot]));
        Ok(())
    }

    fn begin(self: &Arc<Self>, MigrationOrder { slots, target }: MigrationOrder) {
        match self.engine.migrate(Mode::Atomic, slots.clone(), target, self.limits) {
            Ok(migration) => self.start(migration, target, slots),
            Err(error) => eprintln!("keyslot-server: {error}"),
        }
    }

    fn start(self: &Arc<Self>, mut migration: Migration, target: NodeId, slots: SlotSet) {
        let own = self.clone();
        thread::spawn(move || {
            while !migration.is_ended() {
                // The connection has ended; another one goes on.
                if own.carry(&mut migration, target).is_err() {
                    migration.handle_timeout();
                    own.attend(&mut migration);
                    thread::sleep(TRY_AGAIN_EVERY);
                    migration.handle_reconnect();
                }
            }
            slots.iter().for_each(|slot| until_done(|| own.journal.forget_leaving(slot)));
        });
    }

    /// Carries a migration over one connection, until it has ended or the connection has.
    fn carry(&self, migration: &mut Migration, target: NodeId) -> io::Result<()> {
        let topology = self.engine.topology().ok_or(ErrorKind::NotFound)?;
        let node = topology.node(target).ok_or(ErrorKind::NotFound)?;
        let mut stream = TcpStream::connect((node.host.as_str(), node.port))?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let (mut bell, rope) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        rope.set_nonblocking(true)?;
        self.ropes.lock().unwrap_or_else(PoisonError::into_inner).push(rope);
        let (mut out, mut input) = (Outgoing::default(), vec![0; READ_BYTES]);
        loop {
            self.attend(migration);
            while out.send(&mut stream)? && migration.poll_transmit(&mut out.bytes, SEND_BYTES) {}
            self.attend(migration);
            if migration.is_ended() && out.bytes.is_empty() {
                return Ok(());
            }
            let wants =
                if out.bytes.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
            let mut ready = [PollFd::new(&stream, wants), PollFd::new(&bell, PollFlags::IN)];
            match poll(&mut ready, time_left(migration.poll_timeout(), &self.clock).as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            while bell.read(&mut input).is_ok_and(|len| len == input.len()) {}
            migration.handle_timeout();
            match stream.read(&mut input) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => migration.handle_frame(&input[..len]),
                Err(error) if is_not_now(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Does what a migration asks for.
    fn attend(&self, migration: &mut Migration) {
        while let Some(event) = migration.poll_event() {
            match event {
                MigrationEvent::Decide(record) => {
                    until_done(|| self.journal.keep_leaving(&record));
                    let decision = until_done(|| self.decide(&record));
                    migration.handle_decision(record.slot, decision);
                }
                MigrationEvent::SlotMoved { slot, .. } => {
                    until_done(|| self.journal.forget_leaving(slot));
                }
                MigrationEvent::Failed { error, .. } => eprintln!("keyslot-server: {error}"),
                // Frames of an old connection do no harm in this mode.
                MigrationEvent::Reconnect
                | MigrationEvent::Progress(_)
                | MigrationEvent::Unfenced { .. }
                | MigrationEvent::Finished
                | MigrationEvent::Cancelled { .. } => {}
            }
        }
    }

    /// Asks the store to change the owner of a slot. An error leaves in doubt whether it did, so that
    /// it is asked again.
    fn decide(&self, record: &MigrationRecord) -> Result<Decision, keyslot::error::Error> {
        let Some(topology) = self.engine.topology() else { return Ok(Decision::Refused) };
        let (myself, slots) = (topology.myself().id, SlotSet::from_iter([record.slot]));
        store::update(&*self.store, |stored| {
            // Slots that arrive here meanwhile raise this node's epoch; the slot's owner it is still.
            let epoch = stored.member(myself).map_or(0, |member| member.node.config_epoch);
            Ok(stored.give(&slots, (myself, epoch), record.target))
        })?;
        let epoch = self.owner_epoch(record)?;
        Ok(epoch.map_or(Decision::Refused, |epoch| Decision::Committed { epoch }))
    }

    /// The target's config epoch, if it owns the slot by now.
    fn owner_epoch(&self, record: &MigrationRecord) -> Result<Option<u64>, keyslot::error::Error> {
        let stored = self.store.load()?;
        let member = stored.record.member(record.target);
        let owner = member.filter(|member| member.slots.contains(record.slot));
        Ok(owner.map(|member| member.node.config_epoch))
    }

    /// Does what the engine asks for about slots that arrive. To be called after it was given frames,
    /// and now and then.
    pub(crate) fn note_arrivals(&self) {
        let _in_order = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(event) = self.engine.poll_import_event() {
            match event {
                ImportEvent::Save { slot } => {
                    if let Some(saved) = self.engine.save_import(slot) {
                        until_done(|| self.journal.keep_arrived(slot, &saved));
                        self.engine.handle_import_saved(slot);
                    }
                }
                // This host keeps nothing of what it serves, so it is as durable as it gets.
                ImportEvent::Served { slot, .. } | ImportEvent::Dropped { slot } => {
                    until_done(|| self.journal.forget_arrived(slot));
                }
            }
        }
    }

    /// Serves a source, whose connection began with this.
    pub(crate) fn receive(
        &self,
        mut stream: impl Read + Write,
        beginning: &[u8],
    ) -> io::Result<()> {
        let (mut receiver, mut out) = (self.engine.receiver(), Vec::new());
        let mut input = vec![0; READ_BYTES];
        receiver.handle_frame(beginning, &mut out);
        loop {
            self.note_arrivals();
            stream.write_all(&out)?;
            out.clear();
            match stream.read(&mut input) {
                Ok(0) => return Ok(()),
                Ok(len) => receiver.handle_frame(&input[..len], &mut out),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Lets those who carry migrations look whether they were cancelled.
    fn wake_all(&self) {
        let mut ropes = self.ropes.lock().unwrap_or_else(PoisonError::into_inner);
        // One whose bell is gone fails; one that was rung often enough is full.
        ropes.retain_mut(|rope| rope.write(&[1]).map_or_else(|error| is_not_now(&error), |_| true));
    }
}

/// Tries until it works: what a node must not go on without.
fn until_done<T, E: std::fmt::Display>(mut work: impl FnMut() -> Result<T, E>) -> T {
    loop {
        match work() {
            Ok(result) => return result,
            Err(error) => eprintln!("keyslot-server: {error}"),
        }
        thread::sleep(TRY_AGAIN_EVERY);
    }
}

/// What is on its way into a connection.
#[derive(Default)]
struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outgoing {
    /// Sends what the connection takes at once. Returns whether that was everything.
    fn send(&mut self, stream: &mut TcpStream) -> io::Result<bool> {
        while self.sent < self.bytes.len() {
            match stream.write(&self.bytes[self.sent..]) {
                Ok(len) => self.sent += len,
                Err(error) if is_not_now(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        self.bytes.clear();
        self.sent = 0;
        Ok(true)
    }
}

fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
