//! Every setting: its name, the values it takes, its default, who reads it. Defaults are those of
//! Redis 7.2. How a text becomes a value is `kind`'s.

use super::kind::Kind;
use super::{peers, words};

/// Who acts on a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The engine does.
    Engine,
    /// The host does, which owns sockets, files, threads and the process.
    Host,
    /// Nobody does yet: the value is checked, kept and answered.
    Nobody,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub(super) name: &'static str,
    pub(super) alias: Option<&'static str>,
    pub(super) kind: Kind,
    pub(super) unit: &'static str,
    pub(super) change: Change,
    pub(super) reader: Reader,
    pub(super) hidden: bool,
    pub(super) doc: &'static str,
}

/// When a setting may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// At any time.
    Always,
    /// Only before the engine opens.
    Before,
    /// Only before the engine opens, since a client could misuse it.
    Protected,
}

impl Setting {
    /// The name under which CONFIG knows it.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// An older name that means the same.
    pub const fn alias(&self) -> Option<&'static str> {
        self.alias
    }

    /// What a number counts: `bytes`, `ms`, `s`, `us`, `%`, or nothing.
    pub const fn unit(&self) -> &'static str {
        self.unit
    }

    /// Whether CONFIG SET may change it while the engine runs.
    pub const fn is_mutable(&self) -> bool {
        matches!(self.change, Change::Always)
    }

    /// Who acts on it.
    pub const fn reader(&self) -> Reader {
        self.reader
    }

    /// Whether only its exact name finds it; patterns pass it over.
    pub const fn is_hidden(&self) -> bool {
        self.hidden
    }

    /// What it does.
    pub const fn doc(&self) -> &'static str {
        self.doc
    }

    const fn new(name: &'static str, kind: Kind, unit: &'static str) -> Self {
        let (change, reader) = (Change::Always, Reader::Nobody);
        Self { name, alias: None, kind, unit, change, reader, hidden: false, doc: "" }
    }

    const fn engine(self, doc: &'static str) -> Self {
        Self { reader: Reader::Engine, doc, ..self }
    }

    const fn host(self, doc: &'static str) -> Self {
        Self { reader: Reader::Host, doc, ..self }
    }

    const fn kept(self, doc: &'static str) -> Self {
        Self { reader: Reader::Nobody, doc, ..self }
    }

    const fn alias_of(self, alias: &'static str) -> Self {
        Self { alias: Some(alias), ..self }
    }

    const fn fixed(self) -> Self {
        Self { change: Change::Before, ..self }
    }

    const fn protected(self) -> Self {
        Self { change: Change::Protected, ..self }
    }

    const fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }
}

const INT: i64 = i32::MAX as i64;
const LONG: i64 = i64::MAX;
const MB: u64 = 1 << 20;

const fn flag(name: &'static str, default: bool) -> Setting {
    Setting::new(name, Kind::Bool(default), "")
}

const fn number(
    name: &'static str,
    default: i64,
    min: i64,
    max: i64,
    unit: &'static str,
) -> Setting {
    Setting::new(name, Kind::Integer { default, min, max }, unit)
}

const fn memory(name: &'static str, default: u64, min: u64, max: u64) -> Setting {
    Setting::new(name, Kind::Memory { default, min, max }, "bytes")
}

const fn choice(
    name: &'static str,
    default: &'static str,
    names: &'static [(&'static str, i64)],
) -> Setting {
    Setting::new(name, Kind::Enum { names, default }, "")
}

const fn text(name: &'static str, default: &'static str) -> Setting {
    Setting::new(name, Kind::Text { default, check: words::anything }, "")
}

pub(super) const POLICIES: &[(&str, i64)] = &[
    ("volatile-lru", 0),
    ("volatile-lfu", 1),
    ("volatile-random", 2),
    ("volatile-ttl", 3),
    ("allkeys-lru", 4),
    ("allkeys-lfu", 5),
    ("allkeys-random", 6),
    ("noeviction", 7),
];
const FACILITIES: &[(&str, i64)] = &[
    ("user", 0),
    ("local0", 1),
    ("local1", 2),
    ("local2", 3),
    ("local3", 4),
    ("local4", 5),
    ("local5", 6),
    ("local6", 7),
    ("local7", 8),
];
const LOG_LEVELS: &[(&str, i64)] =
    &[("debug", 0), ("verbose", 1), ("notice", 2), ("warning", 3), ("nothing", 4)];
const SUPERVISORS: &[(&str, i64)] = &[("upstart", 0), ("systemd", 1), ("auto", 2), ("no", 3)];
const FSYNCS: &[(&str, i64)] = &[("everysec", 0), ("always", 1), ("no", 2)];
const DISKLESS: &[(&str, i64)] = &[("disabled", 0), ("on-empty-db", 1), ("swapdb", 2)];
const OOM_SCORES: &[(&str, i64)] = &[("no", 0), ("yes", 1), ("relative", 1), ("absolute", 2)];
const CHANNELS: &[(&str, i64)] = &[("allchannels", 0), ("resetchannels", 1)];
const SANITIZE: &[(&str, i64)] = &[("no", 0), ("yes", 1), ("clients", 2)];
const ALLOWED: &[(&str, i64)] = &[("no", 0), ("yes", 1), ("local", 2)];
const ENDPOINTS: &[(&str, i64)] = &[("ip", 0), ("hostname", 1), ("unknown-endpoint", 2)];
const PROPAGATION: &[(&str, i64)] = &[("ignore", 0), ("panic", 1), ("panic-on-replicas", 2)];
const SHUTDOWN: &[(&str, i64)] =
    &[("default", 0), ("save", 1), ("nosave", 2), ("now", 4), ("force", 8)];

/// All settings, in the order in which CONFIG GET answers them.
#[rustfmt::skip]
pub(super) const SETTINGS: &[Setting] = &[
    // What the engine is, and its limits.
    number("databases", 16, 1, 65_535, "").fixed().engine("Databases that SELECT can choose."),
    memory("maxmemory", 0, 0, u64::MAX)
        .engine("Memory that keys and buffers may take; 0 for no bound."),
    choice("maxmemory-policy", "noeviction", POLICIES)
        .engine("Which keys go when maxmemory is reached."),
    number("maxmemory-samples", 5, 1, INT, "").engine("Keys looked at for each one evicted."),
    number("maxmemory-eviction-tenacity", 10, 0, 100, "")
        .engine("How much of the time eviction may take."),
    Setting::new("maxmemory-clients", Kind::MemoryOrPercent, "bytes")
        .engine("Memory for all clients' buffers, or its share of maxmemory; 0 for no bound."),
    memory("proto-max-bulk-len", 512 * MB, MB, LONG as u64)
        .engine("The longest word of a request, and the longest string that a command may build."),
    memory("client-query-buffer-limit", 1024 * MB, MB, LONG as u64)
        .engine("Unfinished input that a session may keep; beyond it the session closes."),
    Setting::new("client-output-buffer-limit", Kind::OutputLimits, "bytes")
        .engine("Output that may wait: class, hard limit, soft limit, seconds above the soft one; \
                 beyond it the session closes."),
    number("maxclients", 10_000, 1, u32::MAX as i64, "")
        .engine("Sessions that may be open at once; one more is told so and closed."),
    number("timeout", 0, 0, INT, "s")
        .engine("Silence after which a session closes; 0 for never."),
    number("hz", 10, 0, INT, "").host("How often a second maintenance is called for, 1 to 500."),
    flag("dynamic-hz", true).host("Whether maintenance comes more often with many clients."),
    number("active-expire-effort", 1, 1, 10, "")
        .kept("How hard expired keys are looked for that nobody reads."),
    number("lfu-log-factor", 10, 0, INT, "").engine("How slowly the counter of accesses grows."),
    number("lfu-decay-time", 1, 0, INT, "min").engine("How fast the counter of accesses falls."),
    flag("lazyfree-lazy-eviction", false)
        .engine("Whether large values that are evicted are left to be freed by maintenance."),
    flag("lazyfree-lazy-expire", false).kept("Whether expired values are freed by and by."),
    flag("lazyfree-lazy-server-del", false).kept("Whether replaced values are freed by and by."),
    flag("lazyfree-lazy-user-del", false).kept("Whether DEL frees as UNLINK does."),
    flag("lazyfree-lazy-user-flush", false).engine("Whether flushes without a choice are ASYNC."),
    flag("replica-lazy-flush", false).alias_of("slave-lazy-flush")
        .kept("Whether a replica flushes by and by before a full synchronization."),
    flag("activerehashing", true).kept("Tables here grow a segment at a time in any case."),
    // How values are encoded.
    number("hash-max-listpack-entries", 512, 0, LONG, "").alias_of("hash-max-ziplist-entries")
        .engine("Fields of a hash that is kept packed."),
    memory("hash-max-listpack-value", 64, 0, LONG as u64).alias_of("hash-max-ziplist-value")
        .engine("The longest field or value of a hash that is kept packed."),
    number("list-max-listpack-size", -2, i32::MIN as i64, INT, "").alias_of("list-max-ziplist-size")
        .engine("Size of a list's node: elements, or -1 to -5 for 4 to 64 kB."),
    number("list-compress-depth", 0, 0, INT, "")
        .engine("Nodes at a list's ends left uncompressed, two at least; beyond 64, all of them."),
    number("set-max-intset-entries", 512, 0, LONG, "").engine("Members of a set kept as integers."),
    number("set-max-listpack-entries", 128, 0, LONG, "").engine("Members of a set kept packed."),
    memory("set-max-listpack-value", 64, 0, LONG as u64).engine("The longest member so kept."),
    number("zset-max-listpack-entries", 128, 0, LONG, "").alias_of("zset-max-ziplist-entries")
        .engine("Members of a sorted set that is kept packed."),
    memory("zset-max-listpack-value", 64, 0, LONG as u64).alias_of("zset-max-ziplist-value")
        .engine("The longest member of a sorted set that is kept packed."),
    memory("hll-sparse-max-bytes", 3000, 0, LONG as u64).engine("The largest sparse HyperLogLog."),
    memory("stream-node-max-bytes", 4096, 0, LONG as u64).engine("The largest node of a stream."),
    number("stream-node-max-entries", 100, 0, LONG, "").engine("Entries in a node of a stream."),
    text("locale-collate", "").kept("How SORT ALPHA compares; only bytewise order is known."),
    // Sessions: who may do what, and what they hear of.
    Setting::new("requirepass", Kind::Secret, "")
        .engine("Password of the default user; none if empty. Kept and answered as its digest."),
    Setting::new("allowed-peers", Kind::Words { default: "", normalize: peers::normalize }, "")
        .protected().engine("Addresses and ranges that clients may come from; all if empty."),
    flag("managed-profile", false).protected()
        .engine("Whether users are kept from commands that COMMAND INFO marks as admin."),
    text("managed-administrators", "").protected()
        .engine("Names of the users who are not, with one space between."),
    choice("enable-debug-command", "no", ALLOWED).fixed()
        .engine("Whether DEBUG may be called: no, yes, or only by local sessions."),
    choice("enable-protected-configs", "no", ALLOWED).fixed()
        .engine("Whether CONFIG SET may change protected settings: no, yes, or local sessions."),
    choice("enable-module-command", "no", ALLOWED).fixed()
        .engine("Whether MODULE may load and unload: no, yes, or only for local sessions."),
    text("aclfile", "").fixed().host("File of users."),
    choice("acl-pubsub-default", "resetchannels", CHANNELS).engine("Channels of a new user."),
    number("acllog-max-len", 128, 0, LONG, "").engine("Entries in the log of refused calls."),
    Setting::new("notify-keyspace-events", Kind::Events, "")
        .kept("Which events are published, as letters."),
    number("tracking-table-max-keys", 1_000_000, 0, LONG, "").engine("Keys that tracking remembers."),
    number("slowlog-log-slower-than", 10_000, -1, LONG, "us")
        .engine("How long a call takes that goes into the slow log; -1 for none."),
    number("slowlog-max-len", 128, 0, LONG, "").engine("Entries in the slow log."),
    number("latency-monitor-threshold", 0, 0, LONG, "ms")
        .engine("How long an event takes that LATENCY notes; 0 for none."),
    flag("latency-tracking", true).engine("Whether latencies of commands are counted."),
    Setting::new("latency-tracking-info-percentiles", Kind::Words {
        default: "50 99 99.9", normalize: words::percentiles }, "%")
        .engine("Percentiles that INFO latencystats prints."),
    number("big-key-elements", 10_240, 1, LONG, "").engine("Elements that make a key big."),
    memory("big-key-bytes", 10_240, 1, LONG as u64).engine("Memory that makes a key big."),
    number("hot-key-sampling", 0, 0, 1 << 20, "")
        .engine("One in how many accesses is sampled for MEMORY HOTKEYS; 0 for none."),
    number("busy-reply-threshold", 5000, 0, LONG, "ms").alias_of("lua-time-limit")
        .engine("How long a script runs before others are told BUSY."),
    memory("script-memory-limit", 256 * MB, MB, LONG as u64)
        .engine("Memory that scripts may use, and again functions; one that wants more fails."),
    choice("sanitize-dump-payload", "no", SANITIZE)
        .kept("Payloads are always checked in full here."),
    // The cluster.
    flag("cluster-enabled", false).fixed().kept("Whether slots are routed by a topology."),
    text("cluster-config-file", "nodes.conf").fixed().kept("File of the topology."),
    number("cluster-node-timeout", 15_000, 0, LONG, "ms").kept("Silence that is suspect."),
    number("cluster-port", 0, 0, 65_535, "").fixed().kept("Port of the cluster bus."),
    number("cluster-replica-validity-factor", 10, 0, INT, "")
        .alias_of("cluster-slave-validity-factor").kept("How stale a replica may be to take over."),
    number("cluster-migration-barrier", 1, 0, INT, "").kept("Replicas that a master keeps."),
    flag("cluster-allow-replica-migration", true).kept("Whether replicas change masters."),
    flag("cluster-require-full-coverage", true)
        .engine("Whether a gap in the slots stops all."),
    flag("cluster-replica-no-failover", false).alias_of("cluster-slave-no-failover")
        .kept("Whether a replica never takes over by itself."),
    flag("cluster-allow-reads-when-down", false)
        .engine("Whether reads go on when it is down."),
    flag("cluster-allow-pubsubshard-when-down", true)
        .kept("Whether sharded channels go on when it is down."),
    flag("cluster-slot-stats-enabled", false)
        .engine("Whether the time and bytes of commands are counted by slot."),
    number("cluster-slot-migration-log-max-len", 1_000, 0, INT, "")
        .engine("Slot migrations that CLUSTER GETSLOTMIGRATIONS tells of."),
    memory("cluster-link-sendbuf-limit", 0, 0, u64::MAX).kept("Output of a link of the bus."),
    text("cluster-announce-ip", "").kept("Address that other nodes are told."),
    number("cluster-announce-port", 0, 0, 65_535, "").kept("Port that other nodes are told."),
    number("cluster-announce-tls-port", 0, 0, 65_535, "").kept("TLS port that nodes are told."),
    number("cluster-announce-bus-port", 0, 0, 65_535, "").kept("Bus port that nodes are told."),
    Setting::new("cluster-announce-hostname", Kind::Text {
        default: "", check: words::hostname }, "").kept("Host name that clients are told."),
    Setting::new("cluster-announce-human-nodename", Kind::Text {
        default: "", check: words::hostname }, "").kept("Name of the node for people."),
    choice("cluster-preferred-endpoint-type", "ip", ENDPOINTS).kept("What redirections name."),
    // What is written down.
    Setting::new("save", Kind::Words {
        default: "3600 1 300 100 60 10000", normalize: words::save_points }, "s")
        .kept("When a snapshot is due, as pairs of seconds and changes."),
    flag("appendonly", false).kept("Whether writes are logged."),
    choice("appendfsync", "everysec", FSYNCS).kept("When the log reaches the disk."),
    flag("no-appendfsync-on-rewrite", false).kept("Whether the log waits while it is rewritten."),
    number("auto-aof-rewrite-percentage", 100, 0, INT, "%").kept("Growth that rewrites the log."),
    memory("auto-aof-rewrite-min-size", 64 * MB, 0, LONG as u64).kept("Size that does too."),
    flag("aof-rewrite-incremental-fsync", true).kept("Whether that is written in steps."),
    flag("aof-load-truncated", true).kept("Whether a log that breaks off is loaded."),
    flag("aof-use-rdb-preamble", true).kept("Whether a log starts with a snapshot."),
    flag("aof-timestamp-enabled", false).kept("Whether the log notes times."),
    flag("aof-disable-auto-gc", false).kept("Whether old logs stay."),
    text("appendfilename", "appendonly.aof").fixed().kept("Name of the log."),
    text("appenddirname", "appendonlydir").fixed().kept("Directory of the log."),
    text("dir", ".").protected().kept("Directory of what is written."),
    text("dbfilename", "dump.rdb").protected().kept("Name of the snapshot."),
    flag("rdbcompression", true).kept("Whether a snapshot is compressed."),
    flag("rdbchecksum", true).fixed().kept("Whether a snapshot ends with a checksum."),
    flag("rdb-save-incremental-fsync", true).kept("Whether a snapshot reaches the disk in steps."),
    flag("rdb-del-sync-files", false).kept("Whether snapshots for replicas are deleted."),
    flag("stop-writes-on-bgsave-error", true).kept("Whether a failed snapshot stops writes."),
    number("rdb-key-save-delay", 0, i32::MIN as i64, INT, "us").hidden()
        .kept("Pause between keys of a snapshot, for tests."),
    number("key-load-delay", 0, i32::MIN as i64, INT, "us").hidden()
        .kept("Pause between keys of a load, for tests."),
    // Replication.
    Setting::new("replicaof", Kind::Words { default: "", normalize: words::master }, "")
        .alias_of("slaveof").fixed().kept("Host and port of the master."),
    text("masteruser", "").kept("User at the master."),
    text("masterauth", "").kept("Password at the master."),
    flag("replica-serve-stale-data", true).alias_of("slave-serve-stale-data")
        .kept("Whether a replica answers without its master."),
    flag("replica-read-only", true).alias_of("slave-read-only")
        .kept("Whether a replica refuses writes."),
    flag("replica-ignore-maxmemory", true).alias_of("slave-ignore-maxmemory")
        .kept("Whether a replica leaves eviction to its master."),
    flag("replica-ignore-disk-write-errors", false)
        .kept("Whether a replica goes on when it cannot write."),
    number("replica-priority", 100, 0, INT, "").alias_of("slave-priority")
        .kept("Which replica is preferred as the next master."),
    flag("replica-announced", true).kept("Whether sentinels report this replica."),
    text("replica-announce-ip", "").alias_of("slave-announce-ip")
        .kept("Address that the master is told."),
    number("replica-announce-port", 0, 0, 65_535, "").alias_of("slave-announce-port")
        .kept("Port that the master is told."),
    number("repl-ping-replica-period", 10, 1, INT, "s").alias_of("repl-ping-slave-period")
        .kept("How often replicas are pinged."),
    number("repl-timeout", 60, 1, INT, "s").kept("Silence that ends a replication link."),
    flag("repl-disable-tcp-nodelay", false).kept("Whether small writes to replicas are joined."),
    memory("repl-backlog-size", MB, 1, LONG as u64).kept("History kept for replicas."),
    number("repl-backlog-ttl", 3600, 0, LONG, "s").kept("How long it is kept without replicas."),
    flag("repl-diskless-sync", true).kept("Whether snapshots go to replicas directly."),
    number("repl-diskless-sync-delay", 5, 0, INT, "s").kept("How long more replicas are awaited."),
    number("repl-diskless-sync-max-replicas", 0, 0, INT, "").kept("Replicas to wait for."),
    choice("repl-diskless-load", "disabled", DISKLESS).kept("How a snapshot is taken in."),
    number("min-replicas-to-write", 0, 0, INT, "").alias_of("min-slaves-to-write")
        .kept("Replicas without which writes are refused."),
    number("min-replicas-max-lag", 10, 0, INT, "s").alias_of("min-slaves-max-lag")
        .kept("Lag up to which a replica counts."),
    choice("propagation-error-behavior", "ignore", PROPAGATION)
        .kept("What a failed replicated command does."),
    // Sockets, files, threads and the process, all the host's.
    Setting::new("bind", Kind::Words { default: "* -::*", normalize: words::addresses }, "")
        .host("Addresses to listen on."),
    text("bind-source-addr", "").host("Address to connect from."),
    number("port", 6379, 0, 65_535, "").host("TCP port to listen on; 0 for none."),
    text("unixsocket", "").fixed().host("Path of a Unix socket to listen on."),
    Setting::new("unixsocketperm", Kind::Octal { default: 0, min: 0, max: 0o777 }, "").fixed()
        .host("Permissions of the Unix socket."),
    number("tcp-backlog", 511, 0, INT, "").fixed().host("Connections that wait to be accepted."),
    number("tcp-keepalive", 300, 0, INT, "s").host("How often silent connections are probed."),
    number("socket-mark-id", 0, 0, u32::MAX as i64, "").fixed().host("Mark of the sockets."),
    flag("protected-mode", true).host("Whether strangers are refused while there is no password."),
    number("io-threads", 1, 1, 128, "").fixed().host("Threads that read and write."),
    flag("io-threads-do-reads", false).fixed().host("Whether those threads read too."),
    flag("daemonize", false).fixed().host("Whether to run in the background."),
    choice("supervised", "no", SUPERVISORS).fixed().host("Who supervises the process."),
    text("pidfile", "").fixed().host("File for the process's number."),
    text("logfile", "").fixed().host("File of the log; standard output if empty."),
    choice("loglevel", "notice", LOG_LEVELS).host("What the log takes in."),
    flag("syslog-enabled", false).fixed().host("Whether to log to syslog."),
    text("syslog-ident", "redis").fixed().host("Name in syslog."),
    choice("syslog-facility", "local0", FACILITIES).fixed().host("Facility in syslog."),
    flag("crash-log-enabled", true).host("Whether a crash is reported."),
    flag("crash-memcheck-enabled", true).host("Whether a crash checks the memory."),
    flag("use-exit-on-panic", false).hidden().host("Whether a panic exits, for tests."),
    flag("always-show-logo", false).fixed().host("Whether the start shows a logo."),
    flag("set-proc-title", true).fixed().host("Whether the process is named."),
    Setting::new("proc-title-template", Kind::Text {
        default: "{title} {listen-addr} {server-mode}", check: words::title_template }, "")
        .host("How the process is named."),
    number("shutdown-timeout", 10, 0, INT, "s").host("How long a shutdown waits for replicas."),
    Setting::new("shutdown-on-sigint", Kind::Flags { names: SHUTDOWN }, "").host("At SIGINT."),
    Setting::new("shutdown-on-sigterm", Kind::Flags { names: SHUTDOWN }, "")
        .host("What SIGTERM does."),
    text("ignore-warnings", "").host("Warnings not to heed."),
    flag("disable-thp", true).fixed().host("Whether huge pages are turned off."),
    choice("oom-score-adj", "no", OOM_SCORES).host("Whether the kernel is told whom to kill."),
    Setting::new("oom-score-adj-values", Kind::Words {
        default: "0 200 800", normalize: words::oom_scores }, "").host("What it is told."),
    text("server-cpulist", "").alias_of("server_cpulist").fixed().host("Processors to run on."),
    text("bio-cpulist", "").alias_of("bio_cpulist").fixed().host("Processors for side work."),
    text("aof-rewrite-cpulist", "").alias_of("aof_rewrite_cpulist").fixed()
        .host("Processors for rewriting the log."),
    text("bgsave-cpulist", "").alias_of("bgsave_cpulist").fixed().host("Processors for snapshots."),
    number("watchdog-period", 0, 0, INT, "ms").hidden().host("Period of the watchdog."),
    flag("jemalloc-bg-thread", true).host("Whether the allocator has a thread of its own."),
    flag("activedefrag", false).kept("Whether memory is defragmented."),
    memory("active-defrag-ignore-bytes", 100 * MB, 1, LONG as u64).kept("Waste that is let be."),
    number("active-defrag-threshold-lower", 10, 0, 1000, "%").kept("Waste that starts it."),
    number("active-defrag-threshold-upper", 100, 0, 1000, "%").kept("Waste that makes it hurry."),
    number("active-defrag-cycle-min", 1, 1, 99, "%").kept("Time it takes at least."),
    number("active-defrag-cycle-max", 25, 1, 99, "%").kept("Time it takes at most."),
    number("active-defrag-max-scan-fields", 1000, 1, LONG, "").kept("Fields it does at once."),
    // TLS, the host's too.
    number("tls-port", 0, 0, 65_535, "").host("TLS port to listen on; 0 for none."),
    text("tls-cert-file", "").host("Certificate."),
    text("tls-key-file", "").host("Key of the certificate."),
    text("tls-key-file-pass", "").host("Password of the key."),
    text("tls-client-cert-file", "").host("Certificate for outgoing connections."),
    text("tls-client-key-file", "").host("Key of that certificate."),
    text("tls-client-key-file-pass", "").host("Password of that key."),
    text("tls-dh-params-file", "").host("Diffie-Hellman parameters."),
    text("tls-ca-cert-file", "").host("Certificates that are trusted."),
    text("tls-ca-cert-dir", "").host("Directory of certificates that are trusted."),
    choice("tls-auth-clients", "yes", &[("no", 0), ("yes", 1), ("optional", 2)])
        .host("Whether clients show a certificate."),
    text("tls-protocols", "").host("Versions of TLS."),
    text("tls-ciphers", "").host("Ciphers up to TLS 1.2."),
    text("tls-ciphersuites", "").host("Ciphers of TLS 1.3."),
    flag("tls-prefer-server-ciphers", false).host("Whether our order of ciphers counts."),
    flag("tls-session-caching", true).host("Whether sessions of TLS are resumed."),
    number("tls-session-cache-size", 20_480, 0, INT, "").host("Sessions of TLS that are kept."),
    number("tls-session-cache-timeout", 300, 0, INT, "s").host("How long they are kept."),
    flag("tls-cluster", false).kept("Whether the cluster bus speaks TLS."),
    flag("tls-replication", false).kept("Whether replication speaks TLS."),
];

/// Where the setting of this name is in the table. Panics if there is none: it is for names known
/// when the program is built.
pub(super) const fn place(name: &str) -> usize {
    let mut at = 0;
    while at < SETTINGS.len() {
        if same(SETTINGS[at].name.as_bytes(), name.as_bytes()) {
            return at;
        }
        at += 1;
    }
    panic!("no setting has this name")
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}
