//! The settings of an engine under their CONFIG names: what each takes, its default, and how it is
//! read where it counts. Matching patterns against names is CONFIG's own work.
//!
//! Numbers lie in atomics, so that reading one costs a load; texts lie behind a lock.

mod kind;
mod peers;
mod table;
mod words;

pub(crate) use kind::{OutputLimit, parse_memory};
pub use table::{Reader, Setting};

use crate::error::Error;
use crate::secret::Digest;
use kind::{Kind, Value};
use parking_lot::{Mutex, RwLock};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use table::{Change, SETTINGS, place};

/// All settings there are, in the order in which CONFIG GET answers them.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter()
}

/// Who changes a setting, and so what may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authority {
    /// The host, before the engine opens: everything.
    Opening,
    /// CONFIG SET, or the host while the engine runs.
    Running,
    /// The same where protected settings are open to it.
    Trusted,
}

/// Who may use what a client could misuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// Nobody.
    No,
    /// Everybody.
    Yes,
    /// Sessions within the process or the machine.
    Local,
}

/// The settings of one engine.
#[derive(Debug)]
pub(crate) struct Config {
    numbers: Box<[AtomicI64]>,
    texts: RwLock<Box<[Vec<u8>]>>,
    output_limits: [OutputLimitCell; 3],
    /// Held while several settings change together.
    changing: Mutex<()>,
}

#[derive(Debug, Default)]
struct OutputLimitCell {
    hard_bytes: AtomicU64,
    soft_bytes: AtomicU64,
    soft_seconds: AtomicU64,
}

impl OutputLimitCell {
    fn load(&self) -> OutputLimit {
        OutputLimit {
            hard_bytes: self.hard_bytes.load(Relaxed),
            soft_bytes: self.soft_bytes.load(Relaxed),
            soft_seconds: self.soft_seconds.load(Relaxed),
        }
    }

    fn store(&self, limit: OutputLimit) {
        self.hard_bytes.store(limit.hard_bytes, Relaxed);
        self.soft_bytes.store(limit.soft_bytes, Relaxed);
        self.soft_seconds.store(limit.soft_seconds, Relaxed);
    }
}

impl Default for Config {
    fn default() -> Self {
        let config = Self {
            numbers: SETTINGS.iter().map(|_| AtomicI64::new(0)).collect(),
            texts: RwLock::new(SETTINGS.iter().map(|_| Vec::new()).collect()),
            output_limits: Default::default(),
            changing: Mutex::new(()),
        };
        for (at, setting) in SETTINGS.iter().enumerate() {
            config.store(at, setting.kind.default());
        }
        config
    }
}

impl Config {
    /// The default settings with these changes, in order.
    pub(crate) fn with(changes: &[(String, String)]) -> Result<Self, Error> {
        let config = Self::default();
        for (name, value) in changes {
            config.set(&[(name.as_bytes(), value.as_bytes())], Authority::Opening)?;
        }
        Ok(config)
    }

    /// The value of a setting, found by its name or alias in any case.
    pub(crate) fn value(&self, name: &[u8]) -> Option<Vec<u8>> {
        Some(self.value_at(find(name)?))
    }

    /// Names and aliases that patterns may find, with what gives their values.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let visible = SETTINGS.iter().enumerate().filter(|(_, setting)| !setting.hidden);
        visible.flat_map(|(at, setting)| {
            [Some(setting.name), setting.alias].into_iter().flatten().map(move |name| (name, at))
        })
    }

    /// The value of the setting at a place that [`Config::names`] gave.
    pub(crate) fn value_at(&self, at: usize) -> Vec<u8> {
        match SETTINGS[at].kind {
            Kind::Text { .. } | Kind::Secret | Kind::Words { .. } => self.texts.read()[at].clone(),
            Kind::OutputLimits => {
                words::print_output_limits([0, 1, 2].map(|class| self.output_limits[class].load()))
            }
            Kind::Bool(_)
            | Kind::Integer { .. }
            | Kind::Octal { .. }
            | Kind::Memory { .. }
            | Kind::MemoryOrPercent
            | Kind::Enum { .. }
            | Kind::Flags { .. }
            | Kind::Events => SETTINGS[at].kind.print(self.number(at)),
        }
    }

    /// Changes several settings, all or none.
    ///
    /// Fails with the texts of CONFIG SET: a name that does not exist, comes twice or may not be
    /// changed, or a value that does not fit.
    pub(crate) fn set(
        &self,
        changes: &[(&[u8], &[u8])],
        authority: Authority,
    ) -> Result<(), Error> {
        let mut places = Vec::with_capacity(changes.len());
        for (number, (name, _)) in changes.iter().enumerate() {
            let at = find(name).ok_or_else(|| unknown_option(name))?;
            may_change(&SETTINGS[at], authority).map_err(|why| failed(name, why))?;
            let mut before = changes[..number].iter();
            if before.any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                return Err(failed(name, "duplicate parameter"));
            }
            places.push(at);
        }
        let mut values = Vec::with_capacity(changes.len());
        for (at, (name, text)) in places.iter().zip(changes) {
            let value =
                SETTINGS[*at].kind.parse(text).map_err(|why| failed(canonical(*at, name), &why))?;
            values.push(value);
        }
        let _changing = self.changing.lock();
        places.into_iter().zip(values).for_each(|(at, value)| self.store(at, value));
        Ok(())
    }

    fn store(&self, at: usize, value: Value) {
        match value {
            Value::Number(number) if at == const { place("hz") } => {
                self.numbers[at].store(number.clamp(1, 500), Relaxed);
            }
            Value::Number(number) => self.numbers[at].store(number, Relaxed),
            Value::Text(text) => self.texts.write()[at] = text,
            Value::OutputLimits(limits) => {
                for (cell, limit) in self.output_limits.iter().zip(limits) {
                    limit.into_iter().for_each(|limit| cell.store(limit));
                }
            }
        }
    }

    #[inline]
    fn number(&self, at: usize) -> i64 {
        self.numbers[at].load(Relaxed)
    }

    fn allowed(&self, at: usize) -> Allowed {
        match self.number(at) {
            0 => Allowed::No,
            1 => Allowed::Yes,
            _ => Allowed::Local,
        }
    }
}

/// What commands and sessions read.
impl Config {
    /// `databases`: databases that SELECT can choose.
    pub(crate) fn databases(&self) -> usize {
        self.number(const { place("databases") }) as usize
    }

    /// `maxmemory`, in bytes; zero for no bound.
    pub(crate) fn maxmemory(&self) -> u64 {
        self.number(const { place("maxmemory") }) as u64
    }

    /// `maxclients`: sessions that may be open at once.
    pub(crate) fn maxclients(&self) -> u64 {
        self.number(const { place("maxclients") }) as u64
    }

    /// `timeout`: the silence after which a session closes, in milliseconds.
    pub(crate) fn timeout_ms(&self) -> Option<u64> {
        let seconds = self.number(const { place("timeout") }) as u64;
        (seconds > 0).then_some(seconds * 1000)
    }

    /// `maxmemory-clients`: memory for what clients send and do not read, in bytes. A limit below
    /// 128 KiB would leave nobody to raise it.
    #[inline]
    pub(crate) fn maxmemory_clients(&self) -> Option<usize> {
        const LEAST: usize = 128 << 10;
        let limit = match self.number(const { place("maxmemory-clients") }) {
            0 => return None,
            percent @ ..0 => {
                (self.maxmemory() as u128 * percent.unsigned_abs() as u128 / 100) as usize
            }
            bytes => bytes as usize,
        };
        (limit > 0).then_some(limit.max(LEAST))
    }

    /// `tracking-table-max-keys`: keys that are remembered for who keeps copies; zero for no bound.
    pub(crate) fn tracking_table_keys(&self) -> usize {
        self.number(const { place("tracking-table-max-keys") }) as usize
    }

    /// `busy-reply-threshold`: how long a script runs before others are told, in milliseconds.
    #[cfg(feature = "scripts")]
    pub(crate) fn busy_reply_ms(&self) -> u64 {
        self.number(const { place("busy-reply-threshold") }) as u64
    }

    /// `script-memory-limit`: what the interpreter may use, in bytes.
    #[cfg(feature = "scripts")]
    pub(crate) fn script_memory_bytes(&self) -> usize {
        self.number(const { place("script-memory-limit") }) as usize
    }

    /// `hz`: how often a second a host should call for maintenance.
    pub(crate) fn hz(&self) -> u64 {
        self.number(const { place("hz") }) as u64
    }

    /// `port`, zero for none.
    pub(crate) fn port(&self) -> u64 {
        self.number(const { place("port") }) as u64
    }

    /// `proto-max-bulk-len`: the longest word, and the longest string a command may build.
    #[inline]
    pub(crate) fn proto_max_bulk_len(&self) -> usize {
        self.number(const { place("proto-max-bulk-len") }) as usize
    }

    /// `hash-max-listpack-entries` and `hash-max-listpack-value`.
    pub(crate) fn hash_pack(&self) -> (usize, usize) {
        let entries = self.number(const { place("hash-max-listpack-entries") });
        (entries as usize, self.number(const { place("hash-max-listpack-value") }) as usize)
    }

    /// `set-max-listpack-entries` and `set-max-listpack-value`.
    pub(crate) fn set_pack(&self) -> (usize, usize) {
        let entries = self.number(const { place("set-max-listpack-entries") });
        (entries as usize, self.number(const { place("set-max-listpack-value") }) as usize)
    }

    /// `zset-max-listpack-entries` and `zset-max-listpack-value`.
    pub(crate) fn zset_pack(&self) -> (usize, usize) {
        let entries = self.number(const { place("zset-max-listpack-entries") });
        (entries as usize, self.number(const { place("zset-max-listpack-value") }) as usize)
    }

    /// `set-max-intset-entries`.
    pub(crate) fn intset_entries(&self) -> usize {
        self.number(const { place("set-max-intset-entries") }) as usize
    }

    /// `list-max-listpack-size`.
    pub(crate) fn list_size(&self) -> i32 {
        self.number(const { place("list-max-listpack-size") }) as i32
    }

    /// `list-compress-depth`.
    pub(crate) fn list_compress_depth(&self) -> u32 {
        self.number(const { place("list-compress-depth") }) as u32
    }

    /// `hll-sparse-max-bytes`.
    pub(crate) fn sparse_hyperloglog_bytes(&self) -> usize {
        self.number(const { place("hll-sparse-max-bytes") }) as usize
    }

    /// `stream-node-max-bytes` and `stream-node-max-entries`.
    pub(crate) fn stream_node(&self) -> (usize, usize) {
        let bytes = self.number(const { place("stream-node-max-bytes") });
        (bytes as usize, self.number(const { place("stream-node-max-entries") }) as usize)
    }

    /// `client-query-buffer-limit`: unfinished input that a session may keep, in bytes.
    #[inline]
    pub(crate) fn query_buffer_limit(&self) -> usize {
        self.number(const { place("client-query-buffer-limit") }) as usize
    }

    /// `client-output-buffer-limit` of the class of ordinary sessions.
    #[inline]
    pub(crate) fn output_limit(&self) -> OutputLimit {
        self.output_limits[0].load()
    }

    /// `client-output-buffer-limit` of the class of sessions that listen to channels.
    pub(crate) fn listener_output_limit(&self) -> OutputLimit {
        self.output_limits[2].load()
    }

    /// `enable-debug-command`: who may call DEBUG.
    pub(crate) fn debug_allowed(&self) -> Allowed {
        self.allowed(const { place("enable-debug-command") })
    }

    /// `enable-module-command`: who may call MODULE's subcommands that load and unload.
    pub(crate) fn modules_allowed(&self) -> Allowed {
        self.allowed(const { place("enable-module-command") })
    }

    /// `enable-protected-configs`: who may change protected settings.
    pub(crate) fn protected_allowed(&self) -> Allowed {
        self.allowed(const { place("enable-protected-configs") })
    }

    /// `maxmemory-policy`: which keys go when `maxmemory` is reached.
    pub(crate) fn maxmemory_policy(&self) -> &'static str {
        let at = const { place("maxmemory-policy") };
        let number = self.number(at);
        let found = table::POLICIES.iter().find(|(_, other)| *other == number);
        found.map_or("noeviction", |(name, _)| name)
    }

    /// `maxmemory-samples`: keys looked at for each one evicted.
    pub(crate) fn maxmemory_samples(&self) -> usize {
        self.number(const { place("maxmemory-samples") }) as usize
    }

    /// `maxmemory-eviction-tenacity`: how much of the time eviction may take, 0 to 100.
    pub(crate) fn eviction_tenacity(&self) -> u64 {
        self.number(const { place("maxmemory-eviction-tenacity") }) as u64
    }

    /// `lfu-log-factor` and `lfu-decay-time`.
    pub(crate) fn lfu(&self) -> (u32, u32) {
        let factor = self.number(const { place("lfu-log-factor") });
        (factor as u32, self.number(const { place("lfu-decay-time") }) as u32)
    }

    /// `lazyfree-lazy-eviction`: whether evicted values are left to be freed by maintenance.
    pub(crate) fn lazy_eviction(&self) -> bool {
        self.number(const { place("lazyfree-lazy-eviction") }) != 0
    }

    /// `notify-keyspace-events`: a bit for each class of events, as Redis numbers them.
    pub(crate) fn keyspace_events(&self) -> u32 {
        self.number(const { place("notify-keyspace-events") }) as u32
    }

    /// `cluster-slot-migration-log-max-len`: migrations that are remembered.
    pub(crate) fn migration_log_len(&self) -> usize {
        self.number(const { place("cluster-slot-migration-log-max-len") }) as usize
    }

    /// `cluster-require-full-coverage`: whether a gap in the slots stops all.
    pub(crate) fn requires_full_coverage(&self) -> bool {
        self.number(const { place("cluster-require-full-coverage") }) != 0
    }

    /// `cluster-allow-reads-when-down`: whether reads go on in a cluster that is down.
    pub(crate) fn allows_reads_when_down(&self) -> bool {
        self.number(const { place("cluster-allow-reads-when-down") }) != 0
    }

    /// `cluster-slot-stats-enabled`: whether commands are counted by slot.
    #[inline]
    pub(crate) fn counts_traffic(&self) -> bool {
        self.number(const { place("cluster-slot-stats-enabled") }) != 0
    }

    /// `big-key-elements` and `big-key-bytes`: from where on a key is big.
    pub(crate) fn big_key(&self) -> (u64, u64) {
        let elements = self.number(const { place("big-key-elements") });
        (elements as u64, self.number(const { place("big-key-bytes") }) as u64)
    }

    /// `hot-key-sampling`: one in how many accesses is sampled; none if none is.
    #[inline]
    pub(crate) fn hot_key_sampling(&self) -> Option<u64> {
        match self.number(const { place("hot-key-sampling") }) {
            0 => None,
            number => Some(number as u64),
        }
    }

    /// `slowlog-log-slower-than`: how long a call takes at least that goes into the slow log, in
    /// microseconds; none if none does.
    #[inline]
    pub(crate) fn slow_log_us(&self) -> Option<u64> {
        u64::try_from(self.number(const { place("slowlog-log-slower-than") })).ok()
    }

    /// `slowlog-max-len`: entries that the slow log keeps.
    pub(crate) fn slow_log_len(&self) -> usize {
        self.number(const { place("slowlog-max-len") }) as usize
    }

    /// `latency-monitor-threshold`: how long an event takes at least that is noted, in
    /// milliseconds; none if none is.
    #[inline]
    pub(crate) fn latency_monitor_ms(&self) -> Option<u64> {
        match self.number(const { place("latency-monitor-threshold") }) {
            0 => None,
            ms => Some(ms as u64),
        }
    }

    /// `latency-tracking`: whether latencies of commands are counted.
    #[inline]
    pub(crate) fn tracks_latency(&self) -> bool {
        self.number(const { place("latency-tracking") }) != 0
    }

    /// `latency-tracking-info-percentiles`, as they were written.
    pub(crate) fn latency_percentiles(&self) -> String {
        let at = const { place("latency-tracking-info-percentiles") };
        String::from_utf8_lossy(&self.value_at(at)).into_owned()
    }

    /// Whether the value of a setting is a secret.
    pub(crate) fn is_secret(name: &[u8]) -> bool {
        find(name).is_some_and(|at| SECRETS.contains(&SETTINGS[at].name))
    }

    /// `lazyfree-lazy-user-flush`: whether flushes without a choice are freed by and by.
    pub(crate) fn lazy_user_flush(&self) -> bool {
        self.number(const { place("lazyfree-lazy-user-flush") }) != 0
    }

    /// `repl-backlog-size`: history kept for replicas, in bytes.
    pub(crate) fn replication_backlog_size(&self) -> u64 {
        self.number(const { place("repl-backlog-size") }) as u64
    }

    /// `requirepass`: the digest of the default user's password, if one was set here.
    pub(crate) fn password(&self) -> Option<Digest> {
        let texts = self.texts.read();
        Digest::parse(texts[const { place("requirepass") }].strip_prefix(b"#")?)
    }

    /// `acl-pubsub-default`: whether new users may use every channel.
    pub(crate) fn new_users_hear_all(&self) -> bool {
        self.number(const { place("acl-pubsub-default") }) == 0
    }

    /// `acllog-max-len`: entries in the log of refused calls.
    pub(crate) fn acl_log_len(&self) -> usize {
        self.number(const { place("acllog-max-len") }) as usize
    }

    /// `allowed-peers`: whether a client may come from there.
    pub(crate) fn allows_peer(&self, peer: &str) -> bool {
        peers::has(&self.texts.read()[const { place("allowed-peers") }], peer)
    }

    /// `managed-profile`: whether ordinary users are kept from administrative commands.
    pub(crate) fn is_managed(&self) -> bool {
        self.number(const { place("managed-profile") }) != 0
    }

    /// `managed-administrators`: whether this user is no ordinary one.
    pub(crate) fn is_administrator(&self, user: &[u8]) -> bool {
        let texts = self.texts.read();
        let names = &texts[const { place("managed-administrators") }];
        names.split(|&byte| byte == b' ').any(|name| name == user)
    }
}

/// Settings that no log may show.
const SECRETS: [&str; 5] =
    ["requirepass", "masterauth", "masteruser", "tls-key-file-pass", "tls-client-key-file-pass"];

/// Where the setting of this name or alias, in any case, is in the table.
fn find(name: &[u8]) -> Option<usize> {
    let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    SETTINGS.iter().position(|setting| is(setting.name) || setting.alias.is_some_and(is))
}

/// The name by which an error calls a setting: the one that was used, as the table writes it.
fn canonical(at: usize, used: &[u8]) -> &'static [u8] {
    let setting = &SETTINGS[at];
    let alias = setting.alias.filter(|alias| used.eq_ignore_ascii_case(alias.as_bytes()));
    alias.unwrap_or(setting.name).as_bytes()
}

fn may_change(setting: &Setting, authority: Authority) -> Result<(), &'static str> {
    match (setting.change, authority) {
        (Change::Always, _) | (_, Authority::Opening) => Ok(()),
        (Change::Protected, Authority::Trusted) => Ok(()),
        (Change::Protected, Authority::Running) => Err("can't set protected config"),
        (Change::Before, Authority::Running | Authority::Trusted) => {
            Err("can't set immutable config")
        }
    }
}

fn unknown_option(name: &[u8]) -> Error {
    Error::repeating("Unknown option or number of arguments for CONFIG SET - '", name, "'")
}

fn failed(name: &[u8], why: &str) -> Error {
    let start = "CONFIG SET failed (possibly related to argument '";
    Error::repeating(start, name, &format!("') - {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(config: &Config, changes: &[(&str, &str)]) -> Result<(), String> {
        let bytes: Vec<(&[u8], &[u8])> =
            changes.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        config.set(&bytes, Authority::Running).map_err(|error| error.to_string())
    }

    fn get(config: &Config, name: &str) -> String {
        String::from_utf8(config.value(name.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn every_default_is_a_value_that_its_own_setting_takes() {
        let config = Config::default();
        for (at, setting) in SETTINGS.iter().enumerate() {
            let text = config.value_at(at);
            let shown = text.escape_ascii().to_string();
            if setting.name == "replicaof" {
                assert!(text.is_empty(), "a default master: {shown}");
                continue;
            }
            let value = setting.kind.parse(&text).expect(setting.name);
            config.store(at, value);
            assert_eq!(config.value_at(at), text, "{}: {shown}", setting.name);
        }
    }

    #[test]
    fn names_and_aliases_are_unique_and_documented() {
        let mut names: Vec<&str> = SETTINGS
            .iter()
            .flat_map(|setting| [Some(setting.name), setting.alias])
            .flatten()
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(SETTINGS.iter().all(|setting| setting.doc.ends_with('.')));
        assert!(names.iter().all(|name| name.bytes().all(|byte| !byte.is_ascii_uppercase())));
    }

    #[test]
    fn several_settings_change_together_or_not_at_all() {
        let config = Config::default();
        let changes = [("maxmemory", "5mb"), ("maxmemory-samples", "x")];
        assert_eq!(
            set(&config, &changes).unwrap_err(),
            "ERR CONFIG SET failed (possibly related to argument 'maxmemory-samples') - argument \
             couldn't be parsed into an integer"
        );
        assert_eq!(get(&config, "maxmemory"), "0");
        set(&config, &[("maxmemory", "5mb"), ("MAXMEMORY-samples", "7")]).unwrap();
        assert_eq!(get(&config, "maxmemory"), "5242880");
        assert_eq!(get(&config, "maxmemory-samples"), "7");
        let twice = set(&config, &[("port", "1"), ("PORT", "2")]).unwrap_err();
        assert!(twice.ends_with("'PORT') - duplicate parameter"), "{twice}");
        assert_eq!(config.port(), 6379);
    }

    #[test]
    fn what_is_fixed_may_only_be_chosen_at_the_opening() {
        let config = Config::with(&[("databases".to_owned(), "4".to_owned())]).unwrap();
        assert_eq!(config.databases(), 4);
        let fixed = set(&config, &[("databases", "5")]).unwrap_err();
        assert!(fixed.ends_with("can't set immutable config"), "{fixed}");
        let protected = set(&config, &[("dbfilename", "x")]).unwrap_err();
        assert!(protected.ends_with("can't set protected config"), "{protected}");
        config.set(&[(b"dbfilename", b"x")], Authority::Trusted).unwrap();
        assert_eq!(get(&config, "dbfilename"), "x");
        assert!(Config::with(&[("nosuch".to_owned(), String::new())]).is_err());
    }

    #[test]
    fn an_alias_is_the_same_setting() {
        let config = Config::default();
        set(&config, &[("hash-max-ziplist-value", "1kb")]).unwrap();
        assert_eq!(get(&config, "hash-max-listpack-value"), "1024");
        assert_eq!(get(&config, "Hash-Max-Ziplist-Value"), "1024");
    }

    #[test]
    fn output_limits_of_other_classes_stay() {
        let config = Config::default();
        set(&config, &[("client-output-buffer-limit", "normal 1mb 2k 3")]).unwrap();
        let limit = OutputLimit { hard_bytes: 1 << 20, soft_bytes: 2000, soft_seconds: 3 };
        assert_eq!(config.output_limit(), limit);
        assert_eq!(
            get(&config, "client-output-buffer-limit"),
            "normal 1048576 2000 3 slave 268435456 67108864 60 pubsub 33554432 8388608 60"
        );
    }

    #[test]
    fn values_are_read_and_printed_as_redis_does() {
        let config = Config::default();
        for (name, text, printed) in [
            ("maxmemory", "18446744073709551615", Some("18446744073709551615")),
            ("maxmemory", "99999999999999999999", Some("18446744073709551615")),
            ("maxmemory", "", Some("0")),
            ("maxmemory", "1.5gb", None),
            ("maxmemory", "-1", None),
            ("maxmemory-clients", "5%", Some("5%")),
            ("maxmemory-clients", "101%", None),
            ("hz", "10000", Some("500")),
            ("hz", "0", Some("1")),
            ("oom-score-adj", "relative", Some("yes")),
            ("maxmemory-policy", "ALLKEYS-LRU", Some("allkeys-lru")),
            ("notify-keyspace-events", "KEAn", Some("AKE")),
            ("notify-keyspace-events", "ntg$K", Some("g$tnK")),
            ("notify-keyspace-events", "q", None),
            ("save", "10 1 20 2", Some("10 1 20 2")),
            ("save", "", Some("")),
            ("save", "10  1", None),
            ("shutdown-on-sigterm", "nosave force", Some("nosave force")),
            ("shutdown-on-sigterm", "default", Some("default")),
            ("latency-tracking-info-percentiles", "1.5 99.90000 1e1 0", Some("1.5 99.9 10 0")),
            ("proc-title-template", "{foo}", None),
            ("list-max-listpack-size", "-3", Some("-3")),
            ("busy-reply-threshold", "-1", None),
        ] {
            let result = set(&config, &[(name, text)]);
            assert_eq!(result.is_ok(), printed.is_some(), "{name} {text}: {result:?}");
            if let Some(printed) = printed {
                assert_eq!(get(&config, name), printed, "{name} {text}");
            }
        }
    }

    #[test]
    fn a_password_is_kept_as_its_digest() {
        let config = Config::default();
        assert!(config.password().is_none());
        set(&config, &[("requirepass", "abc")]).unwrap();
        assert!(config.password() == Some(Digest::of(b"abc")));
        let kept = get(&config, "requirepass");
        assert_eq!(kept, format!("#{}", Digest::of(b"abc").hex()));
        set(&config, &[("requirepass", &kept)]).unwrap();
        assert!(config.password() == Some(Digest::of(b"abc")));
        set(&config, &[("requirepass", "")]).unwrap();
        assert!(config.password().is_none());
    }
}
