//! The sorted set family: ZADD, ZRANGE and their like. How sorted sets lie in memory is
//! `value::zset`'s.

mod add;
mod bounds;
mod combine;
mod pop;
mod random;
mod range;
mod read;
mod remove;
mod reply;
mod store;

pub(super) use add::Addition;
pub(super) use pop::{End, PopOptions, has_members, pop};
pub(super) use reply::Shape;
pub(super) use store::store_under;

use super::table::{Command, Deprecation, Group, flag, key_use};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "zadd",
        summary: "Adds one or more members to a sorted set, or updates their scores. Creates the \
                  key if it doesn't exist.",
        since: "1.2.0",
        complexity: "O(log(N)) for each item added, where N is the number of elements in the \
                     sorted set.",
        group: Group::SortedSet,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key condition=[NX | XX]@3.0.2 comparison=[GT | LT]@6.2.0 [change=CH]@3.0.2 \
                  [increment=INCR]@3.0.2 data=(score:double member)...",
        keys: &[key_use::RW | key_use::UPDATE],
        history: &[
            ("2.4.0", "Accepts multiple elements."),
            ("3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options."),
            ("6.2.0", "Added the `GT` and `LT` options."),
        ],
        handler: add::zadd,
        ..Command::DEFAULT
    },
    Command {
        name: "zcard",
        summary: "Returns the number of members in a sorted set.",
        since: "1.2.0",
        group: Group::SortedSet,
        flags: flag::READONLY | flag::FAST,
        grammar: "key",
        keys: &[key_use::RO],
        handler: read::zcard,
        ..Command::DEFAULT
    },
    Command {
        name: "zcount",
        summary: "Returns the count of members in a sorted set that have scores within a range.",
        since: "2.0.0",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        group: Group::SortedSet,
        flags: flag::READONLY | flag::FAST,
        grammar: "key min:double max:double",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: read::zcount,
        ..Command::DEFAULT
    },
    Command {
        name: "zdiff",
        summary: "Returns the difference between multiple sorted sets.",
        since: "6.2.0",
        complexity: "O(L + (N-K)log(N)) worst case where L is the total number of elements in all \
                     the sets, N is the size of the first set, and K is the size of the result \
                     set.",
        group: Group::SortedSet,
        flags: flag::READONLY,
        grammar: "numkeys:integer key... [WITHSCORES]",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: combine::zdiff,
        ..Command::DEFAULT
    },
    Command {
        name: "zdiffstore",
        summary: "Stores the difference of multiple sorted sets in a key.",
        since: "6.2.0",
        complexity: "O(L + (N-K)log(N)) worst case where L is the total number of elements in all \
                     the sets, N is the size of the first set, and K is the size of the result \
                     set.",
        group: Group::SortedSet,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "destination:key numkeys:integer key...",
        keys: &[key_use::OW | key_use::UPDATE, key_use::RO | key_use::ACCESS],
        handler: combine::zdiffstore,
        ..Command::DEFAULT
    },
    Command {
        name: "zincrby",
        summary: "Increments the score of a member in a sorted set.",
        since: "1.2.0",
        complexity: "O(log(N)) where N is the number of elements in the sorted set.",
        group: Group::SortedSet,
        flags: flag::WRITE | flag::DENYOOM | flag::FAST,
        grammar: "key increment:integer member",
        keys: &[key_use::RW | key_use::ACCESS | key_use::UPDATE],
        handler: add::zincrby,
        ..Command::DEFAULT
    },
    Command {
        name: "zinter",
        summary: "Returns the intersect of multiple sorted sets.",
        since: "6.2.0",
        complexity: "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K \
                     being the number of input sorted sets and M being the number of elements in \
                     the resulting sorted set.",
        group: Group::SortedSet,
        flags: flag::READONLY,
        grammar: "numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE aggregate=(SUM | \
                  MIN | MAX)] [WITHSCORES]",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: combine::zinter,
        ..Command::DEFAULT
    },
    Command {
        name: "zintercard",
        summary: "Returns the number of members of the intersect of multiple sorted sets.",
        since: "7.0.0",
        complexity: "O(N*K) worst case with N being the smallest input sorted set, K being the \
                     number of input sorted sets.",
        group: Group::SortedSet,
        flags: flag::READONLY,
        grammar: "numkeys:integer key... [LIMIT limit:integer]",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: combine::zintercard,
        ..Command::DEFAULT
    },
    Command {
        name: "zinterstore",
        summary: "Stores the intersect of multiple sorted sets in a key.",
        since: "2.0.0",
        complexity: "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K \
                     being the number of input sorted sets and M being the number of elements in \
                     the resulting sorted set.",
        group: Group::SortedSet,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "destination:key numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE \
                  aggregate=(SUM | MIN | MAX)]",
        keys: &[key_use::OW | key_use::UPDATE, key_use::RO | key_use::ACCESS],
        handler: combine::zinterstore,
        ..Command::DEFAULT
    },
    Command {
        name: "zlexcount",
        summary: "Returns the number of members in a sorted set within a lexicographical range.",
        since: "2.8.9",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        group: Group::SortedSet,
        flags: flag::READONLY | flag::FAST,
        grammar: "key min max",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: read::zlexcount,
        ..Command::DEFAULT
    },
    Command {
        name: "zmpop",
        summary: "Returns the highest- or lowest-scoring members from one or more sorted sets \
                  after removing them. Deletes the sorted set if the last member was popped.",
        since: "7.0.0",
        complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number \
                     of elements in the sorted set, and M being the number of elements popped.",
        group: Group::SortedSet,
        flags: flag::WRITE,
        grammar: "numkeys:integer key... where=(MIN | MAX) [COUNT count:integer]",
        keys: &[key_use::RW | key_use::ACCESS | key_use::DELETE],
        handler: pop::zmpop,
        ..Command::DEFAULT
    },
    Command {
        name: "zmscore",
        summary: "Returns the score of one or more members in a sorted set.",
        since: "6.2.0",
        complexity: "O(N) where N is the number of members being requested.",
        group: Group::SortedSet,
        flags: flag::READONLY | flag::FAST,
        grammar: "key member...",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: read::zmscore,
        ..Command::DEFAULT
    },
    Command {
        name: "zpopmax",
        summary: "Returns the highest-scoring members from a sorted set after removing them. \
                  Deletes the sorted set if the last member was popped.",
        since: "5.0.0",
        complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M \
                     being the number of elements popped.",
        group: Group::SortedSet,
        flags: flag::WRITE | flag::FAST,
        grammar: "key [count:integer]",
        keys: &[key_use::RW | key_use::ACCESS | key_use::DELETE],
        handler: pop::zpopmax,
        ..Command::DEFAULT
    },
    Command {
        name: "zpopmin",
        summary: "Returns the lowest-scoring members from a sorted set after removing them. \
                  Deletes the sorted set if the last member was popped.",
        since: "5.0.0",
        complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M \
                     being the number of elements popped.",
        group: Group::SortedSet,
        flags: flag::WRITE | flag::FAST,
        grammar: "key [count:integer]",
        keys: &[key_use::RW | key_use::ACCESS | key_use::DELETE],
        handler: pop::zpopmin,
        ..Command::DEFAULT
    },
    Command {
        name: "zrandmember",
        summary: "Returns one or more random members from a sorted set.",
        since: "6.2.0",
        complexity: "O(N) where N is the number of elements returned",
        group: Group::SortedSet,
        flags: flag::READONLY,
        tips: &["nondeterministic_output"],
        grammar: "key [options=(count:integer [WITHSCORES])]",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: random::zrandmember,
        ..Command::DEFAULT
    },
    Command {
        name: "zrange",
        summary: "Returns members in a sorted set within a range of indexes.",
        since: "1.2.0",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the \
                     number of elements returned.",
        group: Group::SortedSet,
        flags: flag::READONLY,
        grammar: "key start stop sortby=[BYSCORE | BYLEX]@6.2.0 [REV]@6.2.0 [LIMIT limit=(offset:integer count:integer)]@6.2.0 [WITHSCORES]",
        keys: &[key_use::RO | key_use::ACCESS],
        history: &[("6.2.0", "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options.")],
        handler: range::zrange,
        ..Command::DEFAULT
    },
    Command {
        name: "zrangebylex",
        summary: "Returns members in a sorted set within a lexicographical range.",
        since: "2.8.9",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the \
                     number of elements being returned. If M is constant (e.g. always asking for \
                     the first 10 elements with LIMIT), you can consider it O(log(N)).",
        group: Group::SortedSet,
        flags: flag::READONLY,
        grammar: "key min max [LIMIT limit=(offset:integer count:integer)]",
        keys: &[key_use::RO | key_use::ACCESS],
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`ZRANGE` with the `BYLEX` argument",
        }),
        handler: range::zrangebylex,
        ..Command::DEFAULT
    },
    Command {
        name: "zrangebyscore",
        summary: "Returns members in a sorted set within a range of scores.",
        since: "1.0.5",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the \
                     number of elements being returned. If M is constant (e.g. always asking for \
                     the first 10 elements with LIMIT), you can consider it O(log(N)).",
        group: Group::SortedSet,
        flags: flag::READONLY,
        grammar: "key min:double max:double [WITHSCORES]@2.0.0 [LIMIT limit=(offset:integer \
                  count:integer)]",
        keys: &[key_use::RO | key_use::ACCESS],
        history: &[("2.0.0", "Added the `WITHSCORES` modifier.")],
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`ZRANGE` with the `BYSCORE` argument",
        }),
        handler: range::zrangebyscore,
        ..Command::DEFAULT
    },
    Command {
        name: "zrangestore",
        summary: "Stores a range of members from sorted set in a key.",
        since: "6.2.0",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the \
                     number of elements stored into the destination key.",
        group: Group::SortedSet,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "dst:key src:key min max sortby=[BYSCORE | BYLEX] [REV] [LIMIT limit=(offset:integer count:integer)]",
        keys: &[key_use::OW | key_use::UPDATE, key_use::RO | key_use::ACCESS],
        handler: range::zrangestore,
        ..Command::DEFAULT
    },
    Command {
        name: "zrank",
        summary: "Returns the index of a member in a sorted set ordered by ascending scores.",
        since: "2.0.0",
        complexity: "O(log(N))",
        group: Group::SortedSet,
        flags: flag::READONLY | flag::FAST,
        grammar: "key member [WITHSCORE]",
        keys: &[key_use::RO | key_use::ACCESS],
        history: &[("7.2.0", "Added the optional `WITHSCORE` argument.")],
        handler: read::zrank,
        ..Command::DEFAULT
    },
    Command {
        name: "zrem",
        summary: "Removes one or more members from a sorted set. Deletes the sorted set if all \
                  members were removed.",
        since: "1.2.0",
        complexity: "O(M*log(N)) with N being the number of elements in the sorted set and M the \
                     number of elements to be removed.",
        group: Group::SortedSet,
        flags: flag::WRITE | flag::FAST,
        grammar: "key member...",
        keys: &[key_use::RW | key_use::DELETE],
        history: &[("2.4.0", "Accepts multiple elements.")],
        handler: remove::zrem,
        ..Command::DEFAULT
    },
    Command {
        name: "zremrangebylex",
        summary: "Removes members in a sorted set within a lexicographical range. Deletes the \
                  sorted set if all members were removed.",
        since: "2.8.9",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the \
                     number of elements removed by the operation.",
        group: Group::SortedSet,
        flags: flag::WRITE,
        grammar: "key min max",
        keys: &[key_use::RW | key_use::DELETE],
        handler: remove::zremrangebylex,
        ..Command::DEFAULT
    },
    Command {
        name: "zremrangebyrank",
        summary: "Removes members in a sorted set within a range of indexes. Deletes the sorted \
                  set if all members were removed.",
        since: "2.0.0",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the \
                     number of elements removed by the operation.",
        group: Group::SortedSet,
        flags: flag::WRITE,
        grammar: "key start:integer stop:integer",
        keys: &[key_use::RW | key_use::DELETE],
        handler: remove::zremrangebyrank,
        ..Command::DEFAULT
    },
    Command {
        name: "zremrangebyscore",
        summary: "Removes members in a sorted set within a range of scores. Deletes the sorted set \
                  if all members were removed.",
        since: "1.2.0",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the \
                     number of elements removed by the operation.",
        group: Group::SortedSet,
        flags: flag::WRITE,
        grammar: "key min:double max:double",
        keys: &[key_use::RW | key_use::DELETE],
        handler: remove::zremrangebyscore,
        ..Command::DEFAULT
    },
    Command {
        name: "zrevrange",
        summary: "Returns members in a sorted set within a range of indexes in reverse order.",
        since: "1.2.0",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the \
                     number of elements returned.",
        group: Group::SortedSet,
        flags: flag::READONLY,
        grammar: "key start:integer stop:integer [WITHSCORES]",
        keys: &[key_use::RO | key_use::ACCESS],
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`ZRANGE` with the `REV` argument",
        }),
        handler: range::zrevrange,
        ..Command::DEFAULT
    },
    Command {
        name: "zrevrangebylex",
        summary: "Returns members in a sorted set within a lexicographical range in reverse order.",
        since: "2.8.9",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the \
                     number of elements being returned. If M is constant (e.g. always asking for \
                     the first 10 elements with LIMIT), you can consider it O(log(N)).",
        group: Group::SortedSet,
        flags: flag::READONLY,
        grammar: "key max min [LIMIT limit=(offset:integer count:integer)]",
        keys: &[key_use::RO | key_use::ACCESS],
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`ZRANGE` with the `REV` and `BYLEX` arguments",
        }),
        handler: range::zrevrangebylex,
        ..Command::DEFAULT
    },
    Command {
        name: "zrevrangebyscore",
        summary: "Returns members in a sorted set within a range of scores in reverse order.",
        since: "2.2.0",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the \
                     number of elements being returned. If M is constant (e.g. always asking for \
                     the first 10 elements with LIMIT), you can consider it O(log(N)).",
        group: Group::SortedSet,
        flags: flag::READONLY,
        grammar: "key max:double min:double [WITHSCORES] [LIMIT limit=(offset:integer \
                  count:integer)]",
        keys: &[key_use::RO | key_use::ACCESS],
        history: &[("2.1.6", "`min` and `max` can be exclusive.")],
        deprecated: Some(Deprecation {
            since: "6.2.0",
            replaced_by: "`ZRANGE` with the `REV` and `BYSCORE` arguments",
        }),
        handler: range::zrevrangebyscore,
        ..Command::DEFAULT
    },
    Command {
        name: "zrevrank",
        summary: "Returns the index of a member in a sorted set ordered by descending scores.",
        since: "2.0.0",
        complexity: "O(log(N))",
        group: Group::SortedSet,
        flags: flag::READONLY | flag::FAST,
        grammar: "key member [WITHSCORE]",
        keys: &[key_use::RO | key_use::ACCESS],
        history: &[("7.2.0", "Added the optional `WITHSCORE` argument.")],
        handler: read::zrevrank,
        ..Command::DEFAULT
    },
    Command {
        name: "zscan",
        summary: "Iterates over members and scores of a sorted set.",
        since: "2.8.0",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command \
                     calls for the cursor to return back to 0. N is the number of elements inside \
                     the collection..",
        group: Group::SortedSet,
        flags: flag::READONLY,
        tips: &["nondeterministic_output"],
        grammar: "key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: read::zscan,
        ..Command::DEFAULT
    },
    Command {
        name: "zscore",
        summary: "Returns the score of a member in a sorted set.",
        since: "1.2.0",
        group: Group::SortedSet,
        flags: flag::READONLY | flag::FAST,
        grammar: "key member",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: read::zscore,
        ..Command::DEFAULT
    },
    Command {
        name: "zunion",
        summary: "Returns the union of multiple sorted sets.",
        since: "6.2.0",
        complexity: "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, \
                     and M being the number of elements in the resulting sorted set.",
        group: Group::SortedSet,
        flags: flag::READONLY,
        grammar: "numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE aggregate=(SUM | \
                  MIN | MAX)] [WITHSCORES]",
        keys: &[key_use::RO | key_use::ACCESS],
        handler: combine::zunion,
        ..Command::DEFAULT
    },
    Command {
        name: "zunionstore",
        summary: "Stores the union of multiple sorted sets in a key.",
        since: "2.0.0",
        complexity: "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, \
                     and M being the number of elements in the resulting sorted set.",
        group: Group::SortedSet,
        flags: flag::WRITE | flag::DENYOOM,
        grammar: "destination:key numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE \
                  aggregate=(SUM | MIN | MAX)]",
        keys: &[key_use::OW | key_use::UPDATE, key_use::RO | key_use::ACCESS],
        handler: combine::zunionstore,
        ..Command::DEFAULT
    },
];
