//! When two replies count as the same. Nearly always they must be equal; what depends on the time,
//! on chance or on the server's own affairs is compared as far as it can be. Where Redis 7.2,
//! which keyslot follows, differs from the 7.0 that is compared with, a list says so.

use crate::group_replies::are_alike;
use crate::pair::is_packed_set;
use crate::step::Command;
use crate::stream_payload::normal_form;
use keyslot::resp::Reply;
use keyslot::resp::number::parse_f64;
use std::collections::BTreeSet;

/// How far readings of two clocks may be apart, on a machine that is busy.
pub(crate) const TOLERANCE_MS: i64 = 20_000;

/// How the replies of a command are compared. Errors always are compared exactly.
enum Rule {
    /// Byte by byte.
    Exact,
    /// Integers that may differ by this much.
    Near(i64),
    /// Arrays in any order.
    AnyOrder,
    /// The kind of reply alone: what it says is each side's own affair.
    Kind,
    /// A value's payload, up to its seal: keyslot's is of another version, and not compressed.
    Payload,
    /// Members with scores, whose texts 7.0 prints with 17 digits.
    Scores,
    /// The same in any order.
    ScoresInAnyOrder,
    /// Fields with values, in any order.
    FieldsInAnyOrder,
    /// As many members, whichever they are.
    Chosen,
    /// What is known of groups of a stream, but for what the clocks say.
    Groups,
    /// HELLO's fields, but for the version and the connection's number.
    Greeting,
}

impl Rule {
    fn of(command: &Command) -> Self {
        let word = |at: usize| command.get(at).map(|word| word.to_ascii_uppercase());
        let (name, sub) = (word(0).unwrap_or_default(), word(1).unwrap_or_default());
        match (&name[..], &sub[..]) {
            (b"TTL" | b"EXPIRETIME", _) | (b"OBJECT", b"IDLETIME") => {
                Self::Near(TOLERANCE_MS / 1000)
            }
            (b"PTTL" | b"PEXPIRETIME", _) => Self::Near(TOLERANCE_MS),
            (b"KEYS" | b"HKEYS" | b"HVALS", _)
            | (b"SMEMBERS" | b"SINTER" | b"SUNION" | b"SDIFF", _) => Self::AnyOrder,
            (b"HGETALL" | b"HSCAN", _) => Self::FieldsInAnyOrder,
            (b"HRANDFIELD", _) => Self::Chosen,
            (b"SRANDMEMBER" | b"SPOP", _) if word(2).is_some_and(|count| count == ALL) => {
                Self::AnyOrder
            }
            (b"DUMP", _) => Self::Payload,
            (b"XPENDING" | b"XINFO", _) => Self::Groups,
            (b"HELLO", _) => Self::Greeting,
            (b"ZRANDMEMBER" | b"SRANDMEMBER" | b"SPOP", _) => Self::Chosen,
            (b"ZSCAN", _) => Self::ScoresInAnyOrder,
            (name, _) if name.starts_with(b"Z") || name.starts_with(b"GEO") => Self::Scores,
            (b"SORT" | b"SORT_RO", _) => Self::of_sort(command),
            (b"TIME" | b"RANDOMKEY" | b"INFO", _)
            | (b"CLIENT", b"ID" | b"LIST" | b"INFO")
            | (b"COMMAND", b"" | b"COUNT")
            | (b"MEMORY", b"USAGE") => Self::Kind,
            _ => Self::Exact,
        }
    }

    /// The order is each side's own affair where texts that are compared may be equal, and where
    /// nothing is: a set has none.
    fn of_sort(command: &Command) -> Self {
        let place = |name: &str| {
            let is_it = |word: &Vec<u8>| word.eq_ignore_ascii_case(name.as_bytes());
            command.iter().skip(2).rposition(is_it).map(|at| at + 2)
        };
        let (alpha, pattern) = (place("ALPHA").is_some(), place("BY").map(|at| at + 1));
        let in_order = command.get(1).is_some_and(|key| key == crate::sorts::IN_ORDER);
        let is_own = match pattern.and_then(|at| command.get(at)) {
            _ if in_order => false,
            // Texts are compared up to a zero, and so may be equal.
            None => alpha,
            Some(pattern) => alpha || !pattern.contains(&b'*'),
        };
        match place("LIMIT") {
            _ if !is_own => Self::Exact,
            None => Self::AnyOrder,
            Some(_) => Self::Kind,
        }
    }

    fn accepts(&self, ours: &Reply, theirs: &Reply) -> bool {
        match (self, ours, theirs) {
            (_, Reply::Error(_), _) | (_, _, Reply::Error(_)) | (Self::Exact, ..) => ours == theirs,
            (Self::Near(distance), Reply::Integer(ours), Reply::Integer(theirs)) => {
                ours == theirs
                    || *ours.min(theirs) >= 0 && ours.abs_diff(*theirs) <= *distance as u64
            }
            (Self::AnyOrder, Reply::Array(ours), Reply::Array(theirs)) => {
                sorted(ours) == sorted(theirs)
            }
            (Self::AnyOrder, Reply::Set(ours), Reply::Set(theirs)) => {
                sorted(ours) == sorted(theirs)
            }
            (Self::Payload, Reply::Bulk(ours), Reply::Bulk(theirs)) => {
                let (ours, theirs) = (unsealed(ours), unsealed(theirs));
                if let Some(ours) = normal_form(ours) {
                    return Some(ours) == normal_form(theirs);
                }
                let is_packed = theirs.len() < ours.len();
                is_packed
                    || ours == theirs
                    || have_scores(ours, theirs)
                    || are_tables(ours, theirs)
                    || are_sets(ours, theirs)
            }
            (Self::FieldsInAnyOrder, ours, theirs) => same_fields(ours, theirs),
            (Self::Scores, ours, theirs) => same_scores(ours, theirs),
            (Self::ScoresInAnyOrder, Reply::Array(ours), Reply::Array(theirs)) => {
                ours.first() == theirs.first() && pairs(ours) == pairs(theirs)
            }
            (Self::Chosen, Reply::Array(ours), Reply::Array(theirs))
            | (Self::Chosen, Reply::Set(ours), Reply::Set(theirs)) => ours.len() == theirs.len(),
            (Self::Chosen, Reply::Bulk(_), Reply::Bulk(_)) => true,
            (Self::Groups, ..) => are_alike(ours, theirs),
            (Self::Greeting, Reply::Map(ours), Reply::Map(theirs)) => {
                let same = |(ours, theirs): (&(Reply, Reply), &(Reply, Reply))| {
                    ours.0 == theirs.0 && (ours.1 == theirs.1 || is_own(&ours.0))
                };
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(same)
            }
            (Self::Greeting, Reply::Array(ours), Reply::Array(theirs)) => {
                let same =
                    |at: usize| ours[at] == theirs[at] || at % 2 == 1 && is_own(&ours[at - 1]);
                ours.len() == theirs.len() && (0..ours.len()).all(same)
            }
            (Self::Kind, ..) => std::mem::discriminant(ours) == std::mem::discriminant(theirs),
            (
                Self::Near(_)
                | Self::AnyOrder
                | Self::Payload
                | Self::ScoresInAnyOrder
                | Self::Chosen
                | Self::Greeting,
                Reply::Status(_)
                | Reply::Integer(_)
                | Reply::Bulk(_)
                | Reply::Null
                | Reply::Array(_)
                | Reply::Map(_)
                | Reply::Set(_)
                | Reply::Push(_)
                | Reply::Double(_)
                | Reply::Boolean(_)
                | Reply::BigNumber(_)
                | Reply::Verbatim { .. }
                | Reply::Attribute { .. },
                _,
            ) => ours == theirs,
        }
    }
}

/// As a count of members, more than there are.
const ALL: &[u8] = b"1000000";

/// Whether both payloads are of sets that are no intsets: their members are in no order, and 7.0
/// knows no listpacks of them.
fn are_sets(ours: &[u8], theirs: &[u8]) -> bool {
    const TYPE_SET: u8 = 2;
    theirs.first() == Some(&TYPE_SET) && (ours.first() == Some(&TYPE_SET) || is_packed_set(ours))
}

/// Whether two replies are the same but for how scores are printed.
fn same_scores(ours: &Reply, theirs: &Reply) -> bool {
    match (ours, theirs) {
        (Reply::Array(ours), Reply::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(ours, theirs)| same_scores(ours, theirs))
        }
        (Reply::Bulk(ours), Reply::Bulk(theirs)) => {
            ours == theirs || parse_f64(ours).is_some_and(|ours| Some(ours) == parse_f64(theirs))
        }
        _ => ours == theirs,
    }
}

/// The members of a ZSCAN with their scores.
fn pairs(reply: &[Reply]) -> BTreeSet<(Vec<u8>, Option<u64>)> {
    let Some(Reply::Array(found)) = reply.get(1) else { return BTreeSet::new() };
    let texts: Vec<_> = found.iter().filter_map(text).collect();
    let score = |text| parse_f64(text).map(f64::to_bits);
    texts
        .chunks(2)
        .map(|pair| (pair[0].to_vec(), pair.get(1).and_then(|text| score(text))))
        .collect()
}

/// Whether both payloads are of sorted sets in listpacks, in which 7.0 prints 17 digits.
fn have_scores(ours: &[u8], theirs: &[u8]) -> bool {
    const TYPE_ZSET_LISTPACK: u8 = 17;
    [ours, theirs].iter().all(|payload| payload.first() == Some(&TYPE_ZSET_LISTPACK))
}

/// Whether both payloads are of hashes that list fields in an order of the server's own.
fn are_tables(ours: &[u8], theirs: &[u8]) -> bool {
    const TYPE_HASH: u8 = 4;
    ours.len() == theirs.len() && [ours, theirs].iter().all(|it| it.first() == Some(&TYPE_HASH))
}

/// Whether two replies to HGETALL or HSCAN are the same but for the order of fields.
fn same_fields(ours: &Reply, theirs: &Reply) -> bool {
    fn fields(reply: &Reply) -> Option<BTreeSet<[&[u8]; 2]>> {
        match reply {
            Reply::Map(pairs) => {
                pairs.iter().map(|(field, value)| Some([text(field)?, text(value)?])).collect()
            }
            Reply::Array(parts) => {
                let (pairs, _) = parts.as_chunks::<2>();
                pairs.iter().map(|[field, value]| Some([text(field)?, text(value)?])).collect()
            }
            _ => None,
        }
    }
    match (ours, theirs) {
        (Reply::Array(our_page), Reply::Array(their_page))
            if let ([our_cursor, ours @ Reply::Array(_)], [their_cursor, theirs]) =
                (&our_page[..], &their_page[..]) =>
        {
            our_cursor == their_cursor && same_fields(ours, theirs)
        }
        _ => fields(ours).is_some() && fields(ours) == fields(theirs),
    }
}

/// Whether a field of HELLO's is of the server's own.
fn is_own(field: &Reply) -> bool {
    matches!(field, Reply::Bulk(name) if name == "version" || name == "id")
}

/// The texts of an array in order. Anything else in it comes first.
pub(crate) fn sorted(parts: &[Reply]) -> Vec<&[u8]> {
    let mut texts: Vec<_> = parts.iter().filter_map(text).collect();
    texts.sort_unstable();
    texts
}

fn text(reply: &Reply) -> Option<&[u8]> {
    if let Reply::Bulk(text) = reply { Some(text) } else { None }
}

/// What ends a payload: the version in two bytes, the checksum in eight.
pub(crate) const SEAL_LEN: usize = 10;

fn unsealed(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().saturating_sub(SEAL_LEN)]
}

/// A difference that is meant.
struct Known {
    /// Why, for who reads this list.
    #[expect(dead_code, reason = "it is there to be read")]
    reason: &'static str,
    is: fn(&Command, &Reply, &Reply) -> bool,
}

const KNOWN: &[Known] = &[
    Known {
        reason: "ZRANK and ZREVRANK have WITHSCORE since 7.2",
        is: |command, _, theirs| {
            let names = [&["ZRANK"], &["ZREVRANK"]];
            names.iter().any(|name| starts_with(command, *name))
                && command.len() > 3
                && is_error(theirs, "ERR wrong number of arguments")
        },
    },
    Known {
        reason: "7.0 takes an error of an earlier command for one of a number that SORT reads",
        is: |command, ours, theirs| {
            (starts_with(command, &["SORT"]) || starts_with(command, &["SORT_RO"]))
                && is_error(theirs, "ERR One or more scores")
                && matches!(ours, Reply::Array(_))
        },
    },
    Known {
        reason: "7.2 reads the ranges of BITCOUNT and BITPOS before it looks whether there is a key",
        is: |command, ours, theirs| {
            (starts_with(command, &["BITCOUNT"]) || starts_with(command, &["BITPOS"]))
                && is_error(ours, "ERR ")
                && (matches!(theirs, Reply::Integer(0 | -1)) || is_error(theirs, "WRONGTYPE "))
        },
    },
    Known {
        reason: "Valkey 8.0 takes BITCOUNT with a start alone",
        is: |command, _, theirs| {
            starts_with(command, &["BITCOUNT"])
                && command.len() == 3
                && is_error(theirs, "ERR syntax error")
        },
    },
    Known {
        reason: "7.2 takes COMMAND GETKEYS of a lone name and then says what is wrong with that",
        is: |command, ours, theirs| {
            starts_with(command, &["COMMAND", "GETKEYS"])
                && is_error(ours, "ERR Invalid ")
                && is_error(theirs, "ERR wrong number of arguments for 'command|getkeys' command")
        },
    },
    Known {
        reason: "7.2 keeps a short list in a listpack",
        is: |command, ours, theirs| {
            starts_with(command, &["OBJECT", "ENCODING"])
                && *ours == Reply::Bulk("listpack".into())
                && *theirs == Reply::Bulk("quicklist".into())
        },
    },
    Known {
        reason: "7.2 refuses numbers without an opposite",
        is: |command, ours, _| {
            (starts_with(command, &["LREM"]) || starts_with(command, &["LPOS"]))
                && is_error(
                    ours,
                    "ERR value is out of range, value must between -9223372036854775807",
                )
        },
    },
    Known {
        reason: "CLIENT SETINFO and CLIENT NO-TOUCH came with 7.2",
        is: |command, _, theirs| {
            let are_new = ["SETINFO", "NO-TOUCH"].map(|sub| starts_with(command, &["CLIENT", sub]));
            are_new.contains(&true) && is_error(theirs, "ERR unknown subcommand")
        },
    },
    Known {
        reason: "7.2 words it otherwise",
        is: |_, ours, theirs| {
            is_error(ours, "ERR Unbalanced 'xread") && is_error(theirs, "ERR Unbalanced XREAD")
        },
    },
    Known {
        reason: "keys that hold the same small integer share one object in Redis, and its access \
                 clock stands where any of them left it",
        is: |command, ours, theirs| {
            let (Reply::Integer(ours), Reply::Integer(theirs)) = (ours, theirs) else {
                return false;
            };
            starts_with(command, &["OBJECT", "IDLETIME"])
                && (0..=TOLERANCE_MS / 1000).contains(ours)
                && ours < theirs
        },
    },
    Known {
        reason: "a small integer that COPY made is not shared with others in Redis; keyslot, which \
                 shares none, answers for all of them as Redis does for those that came otherwise",
        is: |command, ours, theirs| {
            starts_with(command, &["OBJECT", "REFCOUNT"])
                && *ours == Reply::Integer(i32::MAX.into())
                && *theirs == Reply::Integer(1)
        },
    },
];

/// What has to be asked right after a command, of redis-server as well, to judge its reply: the type
/// for an encoding; the encoding and everything that there is for a scan that begins where none
/// ended.
pub(crate) fn questions(command: &Command) -> Vec<Command> {
    let ask = |words: &[&str], key: &Vec<u8>, rest: &[&str]| {
        [crate::step::words(words), vec![key.clone()], crate::step::words(rest)].concat()
    };
    match command.as_slice() {
        [_, _, key] if starts_with(command, &["OBJECT", "ENCODING"]) => {
            vec![ask(&["TYPE"], key, &[])]
        }
        [_, key, cursor, ..] if cursor == b"-1" || cursor.len() > 18 => {
            let everything = match &command[0].to_ascii_uppercase()[..] {
                b"HSCAN" => ask(&["HGETALL"], key, &[]),
                b"SSCAN" => ask(&["SMEMBERS"], key, &[]),
                b"ZSCAN" => ask(&["ZRANGE"], key, &["0", "-1", "WITHSCORES"]),
                _ => return Vec::new(),
            };
            vec![ask(&["OBJECT", "ENCODING"], key, &[]), everything]
        }
        _ => Vec::new(),
    }
}

/// Whether replies may differ, by what redis-server answers to the questions: 7.2 keeps a small set in
/// a listpack, and a scan of a table finds what lies behind a place in that table.
fn are_excused(ours: &Reply, theirs: &Reply, answers: &[Reply]) -> bool {
    match answers {
        [kind] => {
            *kind == Reply::Status("set".into())
                && *ours == Reply::Bulk("listpack".into())
                && *theirs == Reply::Bulk("hashtable".into())
        }
        [Reply::Bulk(encoding), everything]
            if encoding == "hashtable" || encoding == "skiplist" =>
        {
            let (mut all, mut page) = (Vec::new(), Vec::new());
            flatten(everything, &mut all);
            let Reply::Array(parts) = ours else { return false };
            let [Reply::Bulk(_), found] = &parts[..] else { return false };
            flatten(found, &mut page);
            page.iter().all(|one| all.contains(one)) && matches!(theirs, Reply::Array(_))
        }
        _ => false,
    }
}

/// The texts and numbers within a reply, as texts.
fn flatten(reply: &Reply, out: &mut Vec<Vec<u8>>) {
    match reply {
        Reply::Array(parts) | Reply::Set(parts) => {
            parts.iter().for_each(|part| flatten(part, out));
        }
        Reply::Map(pairs) => {
            for (field, value) in pairs {
                flatten(field, out);
                flatten(value, out);
            }
        }
        Reply::Bulk(text) => match parse_f64(text) {
            Some(number) => out.push(number.to_string().into()),
            None => out.push(text.to_vec()),
        },
        Reply::Double(number) => out.push(number.to_string().into()),
        _ => {}
    }
}

fn starts_with(command: &Command, names: &[&str]) -> bool {
    command.len() >= names.len()
        && names.iter().zip(command).all(|(name, word)| word.eq_ignore_ascii_case(name.as_bytes()))
}

fn is_error(reply: &Reply, start: &str) -> bool {
    matches!(reply, Reply::Error(text) if text.starts_with(start.as_bytes()))
}

/// Whether the replies to a command are what they shall be. `answers` are redis-server's to
/// [`questions`].
pub(crate) fn agree(command: &Command, ours: &Reply, theirs: &Reply, answers: &[Reply]) -> bool {
    Rule::of(command).accepts(ours, theirs)
        || KNOWN.iter().any(|known| (known.is)(command, ours, theirs))
        || are_excused(ours, theirs, answers)
}
