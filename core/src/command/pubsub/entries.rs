//! The entries of the family in the command table.

use crate::command::key_spec::{Begin, Find, KeySpec};
use crate::command::table::{Command, Group, flag, key_use};

const LISTENING: u32 =
    flag::PUBSUB | flag::NOSCRIPT | flag::LOADING | flag::STALE | flag::ANSWERS_BY_PUSH;
const SPEAKING: u32 = flag::PUBSUB | flag::LOADING | flag::STALE | flag::FAST;
const ASKING: u32 = flag::PUBSUB | flag::LOADING | flag::STALE;

const fn entry(name: &'static str, flags: u32) -> Command {
    Command { name, group: Group::Pubsub, flags, since: "2.0.0", ..Command::DEFAULT }
}

const fn subcommand(name: &'static str) -> Command {
    Command { since: "2.8.0", ..entry(name, ASKING) }
}

/// Names of shard channels are routed as keys are.
const ONE_NAME: KeySpec = names(0);
const ALL_NAMES: KeySpec = names(-1);

const fn names(last: i32) -> KeySpec {
    KeySpec {
        notes: "",
        uses: key_use::NOT_KEY,
        begin: Begin::Index(1),
        find: Find::Range { last, step: 1, limit: 0 },
    }
}

pub(in crate::command) const COMMANDS: &[Command] = &[
    Command {
        summary: "Listens for messages published to channels that match one or more patterns.",
        complexity: "O(N) where N is the number of patterns to subscribe to.",
        grammar: "pattern:pattern...",
        handler: super::psubscribe,
        ..entry("psubscribe", LISTENING)
    },
    Command {
        summary: "Posts a message to a channel.",
        complexity: "O(N+M) where N is the number of clients subscribed to the receiving channel \
                     and M is the total number of subscribed patterns (by any client).",
        grammar: "channel message",
        handler: super::publish,
        ..entry("publish", SPEAKING)
    },
    Command {
        name: "pubsub",
        summary: "A container for Pub/Sub commands.",
        since: "2.8.0",
        group: Group::Pubsub,
        subcommands: SUBCOMMANDS,
        help: HELP,
        ..Command::CONTAINER
    },
    Command {
        summary: "Stops listening to messages published to channels that match one or more \
                  patterns.",
        complexity: "O(N) where N is the number of patterns to unsubscribe.",
        grammar: "[pattern:pattern...]",
        handler: super::punsubscribe,
        ..entry("punsubscribe", LISTENING)
    },
    Command {
        summary: "Post a message to a shard channel",
        since: "7.0.0",
        complexity: "O(N) where N is the number of clients subscribed to the receiving shard \
                     channel.",
        grammar: "shardchannel message",
        key_specs: &[ONE_NAME],
        handler: super::spublish,
        ..entry("spublish", SPEAKING)
    },
    Command {
        summary: "Listens for messages published to shard channels.",
        since: "7.0.0",
        complexity: "O(N) where N is the number of shard channels to subscribe to.",
        grammar: "shardchannel...",
        key_specs: &[ALL_NAMES],
        handler: super::ssubscribe,
        ..entry("ssubscribe", LISTENING)
    },
    Command {
        summary: "Listens for messages published to channels.",
        complexity: "O(N) where N is the number of channels to subscribe to.",
        grammar: "channel...",
        handler: super::subscribe,
        ..entry("subscribe", LISTENING)
    },
    Command {
        summary: "Stops listening to messages posted to shard channels.",
        since: "7.0.0",
        complexity: "O(N) where N is the number of shard channels to unsubscribe.",
        grammar: "[shardchannel...]",
        key_specs: &[ALL_NAMES],
        handler: super::sunsubscribe,
        ..entry("sunsubscribe", LISTENING)
    },
    Command {
        summary: "Stops listening to messages posted to channels.",
        complexity: "O(N) where N is the number of channels to unsubscribe.",
        grammar: "[channel...]",
        handler: super::unsubscribe,
        ..entry("unsubscribe", LISTENING)
    },
];

const SUBCOMMANDS: &[Command] = &[
    Command {
        summary: "Returns the active channels.",
        complexity: "O(N) where N is the number of active channels, and assuming constant time \
                     pattern matching (relatively short channels and patterns)",
        grammar: "[pattern:pattern]",
        handler: super::channels,
        ..subcommand("channels")
    },
    Command { since: "6.2.0", group: Group::Pubsub, ..Command::HELP },
    Command {
        summary: "Returns a count of unique pattern subscriptions.",
        handler: super::numpat,
        ..subcommand("numpat")
    },
    Command {
        summary: "Returns a count of subscribers to channels.",
        complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
        grammar: "[channel...]",
        handler: super::numsub,
        ..subcommand("numsub")
    },
    Command {
        summary: "Returns the active shard channels.",
        since: "7.0.0",
        complexity: "O(N) where N is the number of active shard channels, and assuming constant \
                     time pattern matching (relatively short shard channels).",
        grammar: "[pattern:pattern]",
        handler: super::shardchannels,
        ..subcommand("shardchannels")
    },
    Command {
        summary: "Returns the count of subscribers of shard channels.",
        since: "7.0.0",
        complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested \
                     shard channels",
        grammar: "[shardchannel...]",
        handler: super::shardnumsub,
        ..subcommand("shardnumsub")
    },
];

const HELP: &[&str] = &[
    "CHANNELS [<pattern>]",
    "    Return the currently active channels matching a <pattern> (default: '*').",
    "NUMPAT",
    "    Return number of subscriptions to patterns.",
    "NUMSUB [<channel> ...]",
    "    Return the number of subscribers for the specified channels, excluding",
    "    pattern subscriptions(default: no channels).",
    "SHARDCHANNELS [<pattern>]",
    "    Return the currently active shard level channels matching a <pattern> (default: '*').",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Return the number of subscribers for the specified shard level channel(s)",
];
