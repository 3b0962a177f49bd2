//! Who and when: the engine that programs open, the sessions that talk to it, and how a request
//! becomes calls under lock.

#[cfg(unix)]
mod bell;
mod effects;
mod eviction;
mod execute;
mod figures;
mod functions;
mod import;
mod insight;
mod link;
mod migration;
mod pipeline;
mod route;
#[cfg(feature = "scripts")]
mod script;
mod session;
mod timing;
mod transaction;
mod typed;
mod waiting;

pub use effects::{Effect, Effects};
pub use import::{ImportEvent, Receiver};
pub use link::Link;
pub use migration::Migration;
pub use pipeline::Pipeline;
pub use session::Session;

use crate::cluster::{Cluster, Topology, TopologyStore};
use crate::command::{
    AclStore, AuditSink, ClientState, Counter, Environment, HostFigures, Names, Users, Waker,
    policy,
};
use crate::config::{Authority, Config};
use crate::error::Error;
use crate::keyspace::{Access, Changes, Evictor, ExpiredCounts, Keyspace, Layout};
use crate::resp::ReplySink;
use crate::slot::SlotScheme;
use crate::structs::arena;
use crate::time::{Clock, Moment, Stopwatch, SystemClock};
use import::Arrivals;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
#[cfg(unix)]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How an engine is made. Every field has a default.
pub struct EngineOptions {
    /// How keys map to slots. Default: [`SlotScheme::Redis`].
    pub scheme: SlotScheme,
    /// Locks over the keyspace: a power of two, 1 to the number of slots. More locks let more
    /// threads work at once; each costs 128 bytes. Default: 1,024.
    pub shards: usize,
    /// Databases that SELECT can choose. Default: 16.
    pub databases: usize,
    /// Where time comes from. Default: the operating system's clocks.
    pub clock: Box<dyn Clock>,
    /// What chance is derived from. Two engines with the same seed, clock and input give the same
    /// output. Default: zero; a host that faces strangers gives a secret.
    pub seed: u64,
    /// The cluster that the engine is a node of. Its scheme is that of the engine. Default: none;
    /// every slot is here then, and the keys of a command may be in different slots.
    pub cluster: Option<Topology>,
    /// Where the members of the cluster keep what they agree on. An engine joins the record there
    /// as the node that `cluster` says, or takes up what that node was; commands such as CLUSTER
    /// SETSLOT and MEET change the record, and [`Engine::refresh_topology`] takes over what others
    /// changed. Default: none; the host says how the cluster is, by [`Engine::change_topology`].
    pub topology_store: Option<Arc<dyn TopologyStore>>,
    /// Settings by their CONFIG names, applied in order. Default: none changed. As in a
    /// configuration file, `user` with a value such as `alice on >secret ~* +@all` declares a user,
    /// and `rename-command` with `CONFIG other` or `CONFIG ""` renames a command for sessions or takes
    /// it from them. Both may be there more than once.
    pub settings: Vec<(String, String)>,
    /// What the passwords of ACL GENPASS are made from. A host that faces strangers takes it from
    /// the operating system's source of chance: what follows from a seed of 64 bits can be guessed.
    /// Default: it follows from the seed.
    pub secret: Option<[u8; 32]>,
    /// Where the host keeps users, for ACL LOAD, ACL SAVE and the opening. Default: nowhere.
    pub acl_store: Option<Box<dyn AclStore>>,
    /// Takes what an auditor may ask about. Default: nobody does.
    pub audit: Option<AuditSink>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            scheme: SlotScheme::default(),
            shards: 1024,
            databases: 16,
            clock: Box::new(SystemClock::new()),
            seed: 0,
            cluster: None,
            topology_store: None,
            settings: Vec::new(),
            secret: None,
            acl_store: None,
            audit: None,
        }
    }
}

pub(crate) struct Inner {
    keyspace: Keyspace,
    env: Environment,
    clock: Box<dyn Clock>,
    evictor: Mutex<Evictor>,
    /// The changes to the cluster of which waiting sessions were told.
    told_changes: AtomicU64,
    /// Slots that come from other engines.
    arrivals: Arrivals,
    /// The number of the last migration.
    migrations: AtomicU64,
    /// What rings when links wait to be opened, if the host looks at a descriptor.
    #[cfg(unix)]
    link_bell: OnceLock<(bell::Bell, bell::Rope)>,
}

impl Inner {
    fn new(keyspace: Keyspace, env: Environment, clock: Box<dyn Clock>, seed: u64) -> Self {
        Self {
            keyspace,
            env,
            clock,
            evictor: Mutex::new(Evictor::new(seed)),
            told_changes: AtomicU64::new(0),
            arrivals: Arrivals::default(),
            migrations: AtomicU64::new(0),
            #[cfg(unix)]
            link_bell: OnceLock::new(),
        }
    }
}

/// An engine: a keyspace and everything around it. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new(EngineOptions::default())
    }
}

impl Engine {
    /// Opens an empty engine.
    ///
    /// # Panics
    /// If a setting does not exist or does not fit; [`Engine::open`] returns an error instead.
    pub fn new(options: EngineOptions) -> Self {
        Self::open(options).expect("every setting exists and fits")
    }

    /// Opens an empty engine.
    ///
    /// # Errors
    /// The texts of CONFIG SET, if a setting does not exist or does not fit. What the store says, if
    /// it cannot be reached.
    pub fn open(options: EngineOptions) -> Result<Self, Error> {
        let mut settings = vec![("databases".to_owned(), options.databases.to_string())];
        if let Some(topology) = &options.cluster {
            // A setting that is given goes before what the topology says.
            let flags = [
                ("cluster-enabled", true),
                ("cluster-require-full-coverage", topology.require_full_coverage),
                ("cluster-allow-reads-when-down", topology.allow_reads_when_down),
            ];
            let word = |is_set| if is_set { "yes" } else { "no" };
            settings.extend(flags.map(|(name, is_set)| (name.to_owned(), word(is_set).to_owned())));
        }
        let (mut declared, mut renamed) = (Vec::new(), Vec::new());
        for (name, value) in options.settings {
            match name.to_ascii_lowercase().as_str() {
                "user" => declared.push(value),
                "rename-command" => renamed.push(value),
                _ => settings.push((name, value)),
            }
        }
        let names = Names::new(renamed.iter().map(String::as_str))?;
        let config = Config::with(&settings)?;
        let keyspace = Keyspace::new(Layout {
            scheme: options.scheme,
            shards: options.shards,
            databases: config.databases(),
            seed: options.seed,
        });
        policy::apply(&config, &keyspace);
        let cluster = match (options.cluster, options.topology_store) {
            (Some(topology), Some(store)) => Some(Cluster::join(topology, store)?),
            (topology, _) => topology.map(Cluster::new),
        };
        if let Some(cluster) = &cluster {
            let (full, reads) = (config.requires_full_coverage(), config.allows_reads_when_down());
            cluster.set_rules(full, reads);
        }
        let now_ms = options.clock.unix_ms();
        let users = Users::new(options.secret, options.seed, options.acl_store);
        users.audit.set_sink(options.audit);
        let footprint = keyspace.footprint();
        #[cfg_attr(not(feature = "scripts"), expect(unused_mut, reason = "scripts are put in"))]
        let mut env =
            Environment::new(config, users, names, options.seed, cluster, now_ms, footprint);
        env.declare_users(declared.iter().map(String::as_str))?;
        #[cfg(feature = "scripts")]
        {
            env.scripting.interpreter = Some(Box::<script::Scripts>::default());
        }
        Ok(Self { inner: Arc::new(Inner::new(keyspace, env, options.clock, options.seed)) })
    }

    /// The value of a setting, by its CONFIG name or an older one; none if there is no such name.
    pub fn config_get(&self, name: &str) -> Option<String> {
        let value = self.inner.env.config.value(name.as_bytes())?;
        Some(String::from_utf8_lossy(&value).into_owned())
    }

    /// Changes a setting, protected ones too.
    ///
    /// # Errors
    /// The texts of CONFIG SET, if the setting does not exist, does not fit, or may only be chosen
    /// when the engine is opened.
    pub fn config_set(&self, name: &str, value: &str) -> Result<(), Error> {
        let config = &self.inner.env.config;
        let changes = [(name.as_bytes(), value.as_bytes())];
        config.set(&changes, Authority::Trusted)?;
        policy::apply(config, &self.inner.keyspace);
        self.inner.env.note_settings(&ClientState::default(), &changes);
        Ok(())
    }

    /// Tells what INFO shall print of the process. A host does so from time to time.
    pub fn set_host_figures(&self, figures: HostFigures) {
        *self.inner.env.host.lock() = figures;
    }

    /// Opens a session, which keeps its own database, protocol version and name.
    ///
    /// If as many are open as `maxclients` says, the session is closing from the start: its output
    /// is an error that says so, and it carries nothing out.
    pub fn session(&self) -> Session {
        let env = &self.inner.env;
        if env.has_room_for_session() {
            return Session::new(self.clone());
        }
        env.stats.rejected_sessions.fetch_add(1, Relaxed);
        Session::refused(self.clone())
    }

    /// Carries out one command and writes its reply to `sink`, without RESP text in between. The
    /// command runs in a session of its own that ends with it.
    pub fn call(&self, words: &[&[u8]], sink: &mut dyn ReplySink) {
        let mut client = ClientState { protocol: sink.protocol(), ..ClientState::default() };
        self.inner.call(&mut client, words, sink);
        self.inner.retire(&mut client);
    }

    /// Says whom to call, again and again, while a script runs for longer than
    /// `busy-reply-threshold`. A host that serves all sessions on the thread that runs the script can
    /// serve the others within that call: they are answered `BUSY`, and SCRIPT KILL ends the script.
    /// It must close no session meanwhile. A host with a thread for each session needs none of this.
    pub fn set_slow_script_callback(&self, callback: Arc<dyn Fn() + Send + Sync>) {
        self.inner.env.scripting.set_host(Waker(callback));
    }

    /// Does work that is due: deletes up to `budget` expired keys and fields, evicts keys if more
    /// memory is used than `maxmemory` allows, and frees about as much of what waits to be freed. Returns whether there is more to do at once. A host calls
    /// this from time to time, ten times a second say; a budget of 1,000 takes well under a
    /// millisecond.
    ///
    /// With a budget of 20,000 or more, a call that finds little to delete also moves memory to huge
    /// pages, 2 MiB at a time, where the system has them. That can take some milliseconds and makes
    /// look-ups quicker; a host may do it when it has loaded much, or leave it to the system, which
    /// gets there by itself in minutes.
    pub fn maintain(&self, budget: usize) -> bool {
        if !self.inner.env.scripting.is_idle() {
            return false;
        }
        let now_ms = self.inner.clock.unix_ms();
        self.inner.env.evict_clients();
        self.inner.env.sample_rates(now_ms);
        self.inner.drop_silent_imports();
        let client_bytes = self.inner.env.measure_clients();
        self.inner.env.note_memory(self.inner.keyspace.footprint() + client_bytes);
        let is_paused = self.inner.env.pause.is_on(now_ms);
        let active = self.inner.env.active_expire.load(Relaxed) && !is_paused;
        let mut changes = Changes::default();
        let mut stopwatch = Stopwatch::start(&*self.inner.clock);
        let mut due = || self.inner.keyspace.expire_due(now_ms, budget, &mut changes);
        let expired = if active { due() } else { ExpiredCounts::default() };
        self.inner.note_expiry(stopwatch.lap() / 1000, expired.total() == budget, now_ms);
        self.inner.env.stats.add(&[
            (Counter::ExpiredKeys, expired.keys as u64),
            (Counter::ExpiredMembers, expired.members as u64),
        ]);
        let time = Moment::new(&*self.inner.clock);
        let mut access = Access::nothing(&self.inner.keyspace, &time);
        access.changes = changes;
        self.inner.settle(access, 0, &time, VecDeque::new());
        self.inner.make_room(0, &time);
        let more = self.inner.keyspace.free_some(budget) || expired.total() == budget;
        more || arena::tidy(budget)
    }

    /// Bytes that the keys, their values and what finds them take, values on their way to be freed
    /// included.
    pub fn memory_bytes(&self) -> usize {
        self.inner.keyspace.footprint() + self.inner.arrivals.footprint()
    }

    /// Bytes of memory that all engines of the process have taken for small blocks. Larger ones
    /// come from the program's global allocator.
    pub fn arena_bytes() -> usize {
        arena::block_bytes()
    }

    /// When the next key expires, in milliseconds since the Unix epoch, or an earlier time; none
    /// if nothing expires.
    pub fn next_expiry_ms(&self) -> Option<u64> {
        self.inner.keyspace.next_due_ms()
    }
}
