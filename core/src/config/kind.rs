//! How the text of a setting becomes its value, and the value its text again. Which settings there
//! are is `table`'s; what they mean is their reader's.

use super::words;
use crate::resp::number::{parse_i64, parse_u64};

/// The values that a setting takes, and its default.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// `yes` or `no`.
    Bool(bool),
    /// An integer in decimal.
    Integer { default: i64, min: i64, max: i64 },
    /// A number in octal.
    Octal { default: i64, min: i64, max: i64 },
    /// Bytes, with a unit or without: `100`, `1k` (1000), `1kb` (1024), `1mb`, `1gb`.
    Memory { default: u64, min: u64, max: u64 },
    /// Bytes, or a percentage, which is kept as a negative number. Zero by default.
    MemoryOrPercent,
    /// One of these names; the first name of a number is the one that is answered.
    Enum { names: &'static [(&'static str, i64)], default: &'static str },
    /// Any of these names, each a bit; the name of zero by default.
    Flags { names: &'static [(&'static str, i64)] },
    /// Letters for kinds of events, none by default.
    Events,
    /// A text that `check` lets pass.
    Text { default: &'static str, check: fn(&[u8]) -> Result<(), &'static str> },
    /// A password, kept and answered as `#` and its SHA-256, which it can also be given as; empty by
    /// default.
    Secret,
    /// Words with one space between, which `normalize` checks and writes as they are answered.
    Words { default: &'static str, normalize: fn(&[&[u8]]) -> Normalized },
    /// For each class of sessions a hard limit, a soft limit and seconds above it.
    OutputLimits,
}

/// Words as they are answered, or why they are refused.
pub(super) type Normalized = Result<Vec<u8>, &'static str>;

/// A value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Of a bool, a number, a name or letters. A number of bytes keeps its bits.
    Number(i64),
    /// Of a text or words.
    Text(Vec<u8>),
    /// Of the output limits; none for a class that is to keep what it has.
    OutputLimits([Option<OutputLimit>; 3]),
}

/// How much output may wait for a session of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutputLimit {
    /// Bytes beyond which the session closes at once; 0 for no limit.
    pub(crate) hard_bytes: u64,
    /// Bytes beyond which the session closes after a while; 0 for no limit.
    pub(crate) soft_bytes: u64,
    /// How long output may stay beyond the soft limit.
    pub(crate) soft_seconds: u64,
}

impl OutputLimit {
    /// Whether so much waiting output is too much. `over_since_ms` is kept for the session by the
    /// caller: since when the output is beyond the soft limit.
    pub(crate) fn is_exceeded(
        self,
        waiting_bytes: usize,
        over_since_ms: &mut Option<u64>,
        now_ms: impl FnOnce() -> u64,
    ) -> bool {
        let beyond = |bytes: u64| bytes != 0 && waiting_bytes as u64 >= bytes;
        if !beyond(self.soft_bytes) {
            *over_since_ms = None;
            return beyond(self.hard_bytes);
        }
        let now_ms = now_ms();
        let since_ms = *over_since_ms.get_or_insert(now_ms);
        beyond(self.hard_bytes) || now_ms.saturating_sub(since_ms) / 1000 > self.soft_seconds
    }
}

/// Why a value is refused: Redis's words, after the name of the setting.
pub(super) type Refusal = String;

const PERCENT_MAX: i64 = 100;

impl Kind {
    /// The value that a setting of this kind starts with.
    pub(super) fn default(self) -> Value {
        match self {
            Self::Bool(default) => Value::Number(i64::from(default)),
            Self::Integer { default, .. } | Self::Octal { default, .. } => Value::Number(default),
            Self::Memory { default, .. } => Value::Number(default as i64),
            Self::MemoryOrPercent | Self::Flags { .. } | Self::Events => Value::Number(0),
            Self::Enum { names, default } => {
                let found = names.iter().find(|(name, _)| *name == default);
                Value::Number(found.expect("the default is one of the names").1)
            }
            Self::Text { default, .. } | Self::Words { default, .. } => {
                Value::Text(default.as_bytes().to_vec())
            }
            Self::Secret => Value::Text(Vec::new()),
            Self::OutputLimits => Value::OutputLimits(words::OUTPUT_LIMITS.map(Some)),
        }
    }

    /// Reads the text that CONFIG SET gives.
    pub(super) fn parse(self, text: &[u8]) -> Result<Value, Refusal> {
        match self {
            Self::Bool(_) => match () {
                () if text.eq_ignore_ascii_case(b"yes") => Ok(Value::Number(1)),
                () if text.eq_ignore_ascii_case(b"no") => Ok(Value::Number(0)),
                () => Err("argument must be 'yes' or 'no'".into()),
            },
            Self::Integer { min, max, .. } => {
                let value = parse_i64(text).ok_or("argument couldn't be parsed into an integer")?;
                within(value, min, max)
            }
            Self::Octal { min, max, .. } => {
                let digits = std::str::from_utf8(text).ok();
                let value = digits.and_then(|digits| i64::from_str_radix(digits, 8).ok());
                let value = value.ok_or("argument couldn't be parsed as an octal number")?;
                if (min..=max).contains(&value) {
                    return Ok(Value::Number(value));
                }
                Err(format!("argument must be between {min:o} and {max:o} inclusive"))
            }
            Self::Memory { min, max, .. } => {
                let value = parse_memory(text).ok_or("argument must be a memory value")?;
                if (min..=max).contains(&value) {
                    return Ok(Value::Number(value as i64));
                }
                Err(format!("argument must be between {min} and {max} inclusive"))
            }
            Self::MemoryOrPercent => parse_memory_or_percent(text),
            Self::Enum { names, .. } => match named(names, text) {
                Some(value) => Ok(Value::Number(value)),
                None => Err(must_be_one_of(names)),
            },
            Self::Flags { names } => split(text)
                .iter()
                .try_fold(0, |bits, word| {
                    named(names, word).map(|bit| bits | bit).ok_or_else(|| must_be_one_of(names))
                })
                .map(Value::Number),
            Self::Events => Ok(Value::Number(words::parse_events(text)?)),
            Self::Text { check, .. } => {
                check(text)?;
                Ok(Value::Text(text.to_vec()))
            }
            Self::Secret => Ok(Value::Text(words::digest_of_secret(text))),
            Self::Words { normalize, .. } => Ok(Value::Text(normalize(&split(text))?)),
            Self::OutputLimits => {
                Ok(Value::OutputLimits(words::parse_output_limits(&split(text))?))
            }
        }
    }

    /// Writes a number of this kind as CONFIG GET answers it.
    pub(super) fn print(self, value: i64) -> Vec<u8> {
        match self {
            Self::Bool(_) => if value == 0 { "no" } else { "yes" }.into(),
            Self::Octal { .. } => format!("{value:o}").into(),
            Self::Memory { .. } => (value as u64).to_string().into(),
            Self::MemoryOrPercent if value < 0 => format!("{}%", -value).into(),
            Self::Enum { names, .. } => {
                let found = names.iter().find(|(_, number)| *number == value);
                found.map_or("unknown", |(name, _)| name).into()
            }
            Self::Flags { names } => {
                let set = names.iter().filter(|(_, bit)| *bit & value != 0 || *bit == value);
                set.map(|(name, _)| *name).collect::<Vec<_>>().join(" ").into()
            }
            Self::Events => words::print_events(value).into(),
            Self::Integer { .. } | Self::MemoryOrPercent => value.to_string().into(),
            Self::Text { .. } | Self::Secret | Self::Words { .. } | Self::OutputLimits => {
                Vec::new()
            }
        }
    }
}

/// The words of a text, with exactly one space between each two; an empty text is one empty word.
pub(super) fn split(text: &[u8]) -> Vec<&[u8]> {
    text.split(|&byte| byte == b' ').collect()
}

fn within(value: i64, min: i64, max: i64) -> Result<Value, Refusal> {
    if (min..=max).contains(&value) {
        return Ok(Value::Number(value));
    }
    Err(format!("argument must be between {min} and {max} inclusive"))
}

fn named(names: &[(&str, i64)], text: &[u8]) -> Option<i64> {
    let found = names.iter().find(|(name, _)| text.eq_ignore_ascii_case(name.as_bytes()));
    found.map(|(_, value)| *value)
}

fn must_be_one_of(names: &[(&str, i64)]) -> Refusal {
    let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    format!("argument(s) must be one of the following: {}", names.join(", "))
}

/// Reads bytes with a unit. A number too large reads as the largest; no digits read as zero, as in
/// Redis.
pub(crate) fn parse_memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, unit) = text.split_at(digits);
    let scale = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let number = digits.iter().fold(0u64, |number, digit| {
        number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    });
    Some(number.saturating_mul(scale))
}

fn parse_memory_or_percent(text: &[u8]) -> Result<Value, Refusal> {
    if let Some(bytes) = parse_memory(text) {
        return within(i64::try_from(bytes).unwrap_or(-1), 0, i64::MAX);
    }
    let percent = text.strip_suffix(b"%").and_then(parse_u64);
    let percent = percent.and_then(|percent| i64::try_from(percent).ok());
    match percent {
        Some(percent) if percent <= PERCENT_MAX => Ok(Value::Number(-percent)),
        Some(_) => Err(format!("percentage argument must be less or equal to {PERCENT_MAX}")),
        None => Err("argument must be a memory or percent value".into()),
    }
}
