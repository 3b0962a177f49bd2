//! What all sessions of an engine share beside the keys: settings, figures, each other's cards and
//! chance.

use super::acl::{AuditEvent, Users};
use super::card::Registry;
use super::client::ClientState;
use super::codis::SlotSends;
use super::hot_keys::HotKeys;
use super::latency::LatencyMonitor;
use super::limits::Growth;
use super::link::Links;
use super::mailbox::Post;
use super::migrations::Migrations;
use super::monitor::Monitors;
use super::names::{self, Names};
use super::pause::Pause;
use super::pubsub::Channels;
use super::script::Scripting;
use super::slow_log::SlowLog;
use super::stats::{Counter, Stats};
use super::tracking::Tracking;
use super::wait::WaitingRoom;
use crate::cluster::{Cluster, InFlight};
use crate::config::Config;
use crate::keyspace::Key;
use crate::value::{Limits, ListLimits, PackLimits};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// What a host knows of its process and the engine does not. INFO prints what is given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostFigures {
    /// Memory of the process that is in the machine's, in bytes.
    pub resident_bytes: Option<u64>,
    /// Memory of the machine, in bytes.
    pub machine_bytes: Option<u64>,
    /// Processor time that the process spent in the kernel, in seconds.
    pub cpu_system_seconds: Option<f64>,
    /// Processor time that the process spent outside of it, in seconds.
    pub cpu_user_seconds: Option<f64>,
    /// Path of the program.
    pub executable: Option<String>,
    /// Path of the configuration file.
    pub config_file: Option<String>,
    /// Connections that the host turned away since `maxclients` were open.
    pub rejected_connections: u64,
}

/// What all sessions of an engine share beside the keys.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) config: Config,
    pub(crate) stats: Stats,
    /// The last calls that took long.
    pub(crate) slow_log: SlowLog,
    /// The keys that are asked for most.
    pub(crate) hot_keys: HotKeys,
    /// Events that took long.
    pub(crate) latency: LatencyMonitor,
    /// Where slots live; none in an engine that is not part of a cluster.
    pub(crate) cluster: Option<Cluster>,
    /// Keys that commands have sent to other nodes and that are not settled.
    pub(crate) in_flight: InFlight,
    /// Keys that go to other nodes in pieces, as Codis has it.
    pub(crate) slot_sends: SlotSends,
    /// Slots that go to other nodes.
    pub(crate) migrations: Migrations,
    /// Conversations with other nodes.
    pub(crate) links: Links,
    pub(crate) sessions: Registry,
    /// Who may do what.
    pub(crate) users: Users,
    /// By which names sessions call commands.
    names: Names,
    /// Who listens to what.
    pub(crate) channels: Channels,
    /// Who keeps copies of what it read.
    pub(crate) tracking: Tracking,
    /// Who is shown what is carried out.
    pub(crate) monitors: Monitors,
    /// Who waits for what.
    pub(crate) waiting: WaitingRoom,
    /// Whose commands wait until a pause is over.
    pub(crate) pause: Pause,
    /// By how much sessions grew.
    pub(crate) growth: Growth,
    /// Who carries out scripts.
    pub(crate) scripting: Scripting,
    /// Hosts to be called.
    pub(crate) post: Post,
    /// What the host last told of its process.
    pub(crate) host: Mutex<HostFigures>,
    /// When the engine was opened, in milliseconds since the Unix epoch.
    pub(crate) opened_ms: u64,
    /// Names this run of the engine.
    pub(crate) run_id: String,
    /// What the empty keyspace took, in bytes.
    pub(crate) startup_bytes: usize,
    /// Whether expired keys are looked for that nobody reads (DEBUG SET-ACTIVE-EXPIRE).
    pub(crate) active_expire: AtomicBool,
    /// Bytes of a list's element that is a node by itself; DEBUG sets it.
    pub(crate) list_plain_from: AtomicU32,
    replication_id: Mutex<String>,
    peak_bytes: AtomicUsize,
    /// What sessions took when they were last asked.
    client_bytes: AtomicUsize,
    random: AtomicU64,
    seed: u64,
    next_client_id: AtomicU64,
}

impl Environment {
    /// Whether a key may not be written, since it is on its way to another node.
    pub(crate) fn bars(&self, key: &Key<'_>) -> bool {
        let is_barred = |cluster: &Cluster| cluster.view().bar(key).is_some();
        self.in_flight.may_hold(key) || self.cluster.as_ref().is_some_and(is_barred)
    }

    /// Whether a migration is at work on a slot.
    pub(crate) fn is_moving(&self, slot: u16) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.view().is_claimed(slot))
    }

    pub(crate) fn new(
        config: Config,
        users: Users,
        names: Names,
        seed: u64,
        cluster: Option<Cluster>,
        now_ms: u64,
        startup_bytes: usize,
    ) -> Self {
        let environment = Self {
            config,
            stats: Stats::default(),
            slow_log: SlowLog::default(),
            hot_keys: HotKeys::default(),
            latency: LatencyMonitor::default(),
            cluster,
            in_flight: InFlight::default(),
            migrations: Migrations::default(),
            slot_sends: SlotSends::default(),
            links: Links::default(),
            sessions: Registry::default(),
            users,
            names,
            channels: Channels::new(seed),
            tracking: Tracking::default(),
            monitors: Monitors::default(),
            waiting: WaitingRoom::default(),
            pause: Pause::default(),
            growth: Growth::default(),
            scripting: Scripting::default(),
            post: Post::default(),
            host: Mutex::default(),
            opened_ms: now_ms,
            // Names come from a sequence of their own, so that they do not shift the other.
            run_id: random_name(seed ^ now_ms.rotate_left(32)),
            startup_bytes,
            active_expire: AtomicBool::new(true),
            list_plain_from: AtomicU32::new(ListLimits::PLAIN_FROM),
            replication_id: Mutex::default(),
            peak_bytes: AtomicUsize::new(startup_bytes),
            client_bytes: AtomicUsize::new(0),
            random: AtomicU64::new(seed),
            seed,
            next_client_id: AtomicU64::new(1),
        };
        *environment.replication_id.lock() = random_name(!seed ^ now_ms.rotate_left(32));
        environment
    }

    /// By which names a caller calls commands: a session as the host has renamed them, the host by
    /// their own.
    #[inline]
    pub(crate) fn names(&self, client: &ClientState) -> &Names {
        if client.id == 0 { &names::OWN } else { &self.names }
    }

    /// Lets settings act that were changed, other than those that are read where they count.
    pub(crate) fn note_settings(&self, client: &ClientState, changes: &[(&[u8], &[u8])]) {
        for (name, _) in changes {
            if name.eq_ignore_ascii_case(b"requirepass") {
                self.users.set_default_password(self.config.password());
            }
            self.users.audit.tell(client, &AuditEvent::SettingChanged { name });
        }
        if let Some(cluster) = &self.cluster {
            cluster.set_rules(
                self.config.requires_full_coverage(),
                self.config.allows_reads_when_down(),
            );
        }
        self.users.note_change();
    }

    /// How lists are kept.
    #[inline]
    pub(crate) fn list_limits(&self) -> ListLimits {
        let plain_from = self.list_plain_from.load(Relaxed);
        let (size, compress_depth) = (self.config.list_size(), self.config.list_compress_depth());
        ListLimits { size, plain_from, compress_depth }
    }

    /// Up to where values are kept packed, and how long strings may grow.
    pub(crate) fn limits(&self) -> Limits {
        let pack = |(entries, value_len)| PackLimits { entries, value_len };
        let (stream_node_bytes, stream_node_entries) = self.config.stream_node();
        Limits {
            hash: pack(self.config.hash_pack()),
            set: pack(self.config.set_pack()),
            zset: pack(self.config.zset_pack()),
            intset_entries: self.config.intset_entries(),
            list: self.list_limits(),
            stream_node_bytes,
            stream_node_entries,
            string_len: self.config.proto_max_bulk_len() as u64,
            seed: self.seed,
        }
    }

    /// The next number of a sequence that the seed determines (splitmix64 by Steele, Lea and
    /// Flood).
    pub(crate) fn random(&self) -> u64 {
        mix(self.random.fetch_add(STEP, Relaxed).wrapping_add(STEP))
    }

    /// Whether the engine stands alone, in Redis's words.
    pub(crate) fn mode(&self) -> &'static str {
        if self.cluster.is_some() { "cluster" } else { "standalone" }
    }

    /// A number for a new session.
    pub(crate) fn next_client_id(&self) -> u64 {
        self.next_client_id.fetch_add(1, Relaxed)
    }

    /// Names the history of the data, as replication does.
    pub(crate) fn replication_id(&self) -> String {
        self.replication_id.lock().clone()
    }

    /// Gives the history of the data a new name.
    pub(crate) fn change_replication_id(&self) {
        *self.replication_id.lock() = random_name(self.random());
    }

    /// Notes how much memory is used, and returns the most that was ever noted.
    pub(crate) fn note_memory(&self, bytes: usize) -> usize {
        self.peak_bytes.fetch_max(bytes, Relaxed).max(bytes)
    }

    /// Asks all sessions what their cards and buffers take, in bytes.
    pub(crate) fn measure_clients(&self) -> usize {
        let bytes = self.sessions.cards().iter().map(|card| card.footprint()).sum();
        self.client_bytes.store(bytes, Relaxed);
        bytes
    }

    /// What they took when they were last asked.
    pub(crate) fn client_bytes(&self) -> usize {
        self.client_bytes.load(Relaxed)
    }

    /// Forgets what was counted (CONFIG RESETSTAT).
    pub(crate) fn reset_stats(&self) {
        self.stats.reset();
        self.sessions.reset();
    }

    /// Samples how fast commands and bytes come, unless that was done a moment ago.
    pub(crate) fn sample_rates(&self, now_ms: u64) {
        self.stats.sample(now_ms, || {
            let traffic = self.sessions.traffic();
            let commands = self.stats.total(Counter::Commands);
            [commands, traffic.input_bytes, traffic.output_bytes]
        });
    }
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// Forty hexadecimal digits that follow from a seed.
fn random_name(seed: u64) -> String {
    let words = (1..=3).map(|number| mix(seed.wrapping_add(STEP.wrapping_mul(number))));
    let mut name: String = words.map(|word| format!("{word:016x}")).collect();
    name.truncate(40);
    name
}
