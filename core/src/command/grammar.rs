//! The argument grammar: from the text of a command's entry to a tree of arguments, and how many
//! words they are. Where the keys lie is `key_spec`'s work.
//!
//! The text is written as Redis's documentation writes its syntax:
//!
//! | text | meaning |
//! |---|---|
//! | `name` or `name:type` | a word; the type is `string` unless said, and `key` if that is its name |
//! | `NX`, `""` | a word that has to stand there: alone, or before what it introduces |
//! | `[a]` | may be missing |
//! | `(a b)` | a group |
//! | `a \| b` | one of these, within brackets of either kind |
//! | `a...` | once or more |
//! | `(GET pattern)...` | once or more, each with its token |
//! | `label=(a b)` | names the group, or the token, in COMMAND DOCS |
//! | `a@6.2.0`, `[a]@6.2.0` | was brought by this version |
//! | `a#1` | names keys that the second of the key specifications finds, which the entry lists |

use std::borrow::Cow;

/// What an argument is, named as COMMAND DOCS prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    String,
    Integer,
    Double,
    Key,
    Pattern,
    UnixTime,
    PureToken,
    OneOf(Vec<Argument>),
    Block(Vec<Argument>),
}

impl Kind {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::String,
            "integer" => Self::Integer,
            "double" => Self::Double,
            "key" => Self::Key,
            "pattern" => Self::Pattern,
            "unix-time" => Self::UnixTime,
            _ => return None,
        })
    }

    /// The arguments within, if it is made of arguments.
    pub(crate) fn parts(&self) -> Option<&[Argument]> {
        match self {
            Self::OneOf(parts) | Self::Block(parts) => Some(parts),
            Self::String
            | Self::Integer
            | Self::Double
            | Self::Key
            | Self::Pattern
            | Self::UnixTime
            | Self::PureToken => None,
        }
    }

    /// The name that COMMAND DOCS prints.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::Key => "key",
            Self::Pattern => "pattern",
            Self::UnixTime => "unix-time",
            Self::PureToken => "pure-token",
            Self::OneOf(_) => "oneof",
            Self::Block(_) => "block",
        }
    }
}

/// How often an argument may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    Once,
    /// More than once; a token stands before the first only.
    Many,
    /// More than once, each time with its token.
    ManyWithToken,
}

/// One argument of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Argument {
    pub(crate) name: Cow<'static, str>,
    pub(crate) kind: Kind,
    /// The word before it, or the word that it is.
    pub(crate) token: Option<&'static str>,
    pub(crate) optional: bool,
    pub(crate) repeat: Repeat,
    /// The Redis version that brought it, if the command is older.
    pub(crate) since: Option<&'static str>,
    /// Which of the command's key specifications covers it.
    pub(crate) key_spec: Option<usize>,
}

/// The least and the greatest number of words; no greatest if there is no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Width {
    pub(crate) min: usize,
    pub(crate) max: Option<usize>,
}

impl Width {
    pub(crate) const ZERO: Self = Self { min: 0, max: Some(0) };

    fn exactly(words: usize) -> Self {
        Self { min: words, max: Some(words) }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        let max = self.max.zip(other.max).map(|(a, b)| a + b);
        Self { min: self.min + other.min, max }
    }

    fn either(self, other: Self) -> Self {
        let max = self.max.zip(other.max).map(|(a, b)| a.max(b));
        Self { min: self.min.min(other.min), max }
    }

    /// The number of words, if there is one only.
    pub(crate) fn fixed(self) -> Option<usize> {
        self.max.filter(|&max| max == self.min)
    }

    /// Arguments one after another.
    pub(crate) fn of(arguments: &[Argument]) -> Self {
        arguments.iter().map(Argument::width).fold(Self::ZERO, Self::plus)
    }
}

impl Argument {
    fn new(name: impl Into<Cow<'static, str>>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
            token: None,
            optional: false,
            repeat: Repeat::Once,
            since: None,
            key_spec: None,
        }
    }

    fn pure_token(token: &'static str) -> Self {
        let mut argument = Self::new(token.to_ascii_lowercase(), Kind::PureToken);
        argument.token = Some(token);
        argument
    }

    /// How many words come before its own: one if a token introduces it.
    pub(crate) fn lead(&self) -> usize {
        usize::from(self.token.is_some() && self.kind != Kind::PureToken)
    }

    /// How many words it takes when it stands once, its token included.
    pub(crate) fn width_once(&self) -> Width {
        let own = match &self.kind {
            Kind::Block(parts) => Width::of(parts),
            Kind::OneOf(choices) => {
                let widths = choices.iter().map(Self::width);
                widths.reduce(Width::either).unwrap_or(Width::ZERO)
            }
            Kind::String
            | Kind::Integer
            | Kind::Double
            | Kind::Key
            | Kind::Pattern
            | Kind::UnixTime
            | Kind::PureToken => Width::exactly(1),
        };
        own.plus(Width::exactly(self.lead()))
    }

    /// How many words it takes.
    pub(crate) fn width(&self) -> Width {
        let once = self.width_once();
        Width {
            min: if self.optional { 0 } else { once.min },
            max: once.max.filter(|_| self.repeat == Repeat::Once),
        }
    }
}

/// Reads a grammar.
///
/// # Errors
/// Says what is wrong with the text, and with which part of it.
pub(crate) fn parse(text: &'static str) -> Result<Vec<Argument>, String> {
    let mut parser = Parser { rest: text };
    let arguments = parser.sequence()?;
    match parser.next() {
        None => Ok(arguments),
        Some(symbol) => Err(format!("{symbol:?} stands alone in `{text}`")),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symbol {
    Open(Bracket),
    Close(Bracket),
    Or,
    Dots,
    /// A version and the sign `@`, without the sign.
    Since(&'static str),
    /// A name and the sign `=`, without the sign.
    Label(&'static str),
    Token(&'static str),
    Name(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bracket {
    Round,
    Square,
}

struct Parser {
    rest: &'static str,
}

impl Parser {
    fn peek(&self) -> Option<(Symbol, &'static str)> {
        let text = self.rest.trim_start();
        let (symbol, len) = match text.as_bytes() {
            [] => return None,
            [b'(', ..] => (Symbol::Open(Bracket::Round), 1),
            [b')', ..] => (Symbol::Close(Bracket::Round), 1),
            [b'[', ..] => (Symbol::Open(Bracket::Square), 1),
            [b']', ..] => (Symbol::Close(Bracket::Square), 1),
            [b'|', ..] => (Symbol::Or, 1),
            [b'.', b'.', b'.', ..] => (Symbol::Dots, 3),
            _ => word(text),
        };
        Some((symbol, &text[len..]))
    }

    fn next(&mut self) -> Option<Symbol> {
        let (symbol, rest) = self.peek()?;
        self.rest = rest;
        Some(symbol)
    }

    fn take(&mut self, wanted: Symbol) -> bool {
        match self.peek() {
            Some((symbol, rest)) if symbol == wanted => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn sequence(&mut self) -> Result<Vec<Argument>, String> {
        let mut arguments = Vec::new();
        while !matches!(self.peek(), None | Some((Symbol::Or | Symbol::Close(_), _))) {
            arguments.push(self.item()?);
        }
        Ok(arguments)
    }

    fn item(&mut self) -> Result<Argument, String> {
        let label = self.label();
        let mut grouped = false;
        let mut argument = match self.next() {
            Some(Symbol::Name(name)) => leaf(name)?,
            Some(Symbol::Token(token)) => self.after_token(token)?,
            Some(Symbol::Open(bracket)) => {
                grouped = true;
                self.group(bracket)?
            }
            other => return Err(format!("{other:?} where an argument should be")),
        };
        if let Some(label) = label {
            argument.name = label.into();
        }
        if let Some((Symbol::Since(version), rest)) = self.peek() {
            argument.since = Some(version);
            self.rest = rest;
        }
        if self.take(Symbol::Dots) {
            let with_token = grouped && argument.token.is_some();
            argument.repeat = if with_token { Repeat::ManyWithToken } else { Repeat::Many };
        }
        Ok(argument)
    }

    fn label(&mut self) -> Option<&'static str> {
        let (Symbol::Label(label), rest) = self.peek()? else { return None };
        self.rest = rest;
        Some(label)
    }

    /// A token introduces the name or the round group that follows it.
    fn after_token(&mut self, token: &'static str) -> Result<Argument, String> {
        let before = self.rest;
        let label = self.label();
        let mut argument = match self.next() {
            Some(Symbol::Name(name)) => leaf(name)?,
            Some(Symbol::Open(Bracket::Round)) => self.group(Bracket::Round)?,
            _ => {
                self.rest = before;
                return Ok(Argument::pure_token(token));
            }
        };
        if let Some(label) = label {
            argument.name = label.into();
        }
        argument.token = Some(token);
        Ok(argument)
    }

    /// What stands within brackets, of which the first is taken.
    fn group(&mut self, bracket: Bracket) -> Result<Argument, String> {
        let mut choices = vec![self.sequence()?];
        while self.take(Symbol::Or) {
            choices.push(self.sequence()?);
        }
        if !self.take(Symbol::Close(bracket)) {
            return Err(format!("{bracket:?} brackets are not closed before `{}`", self.rest));
        }
        let choices: Result<Vec<_>, _> = choices.into_iter().map(together).collect();
        let mut choices = choices?;
        let mut argument = if choices.len() == 1 {
            choices.remove(0)
        } else {
            Argument::new(choices[0].name.clone(), Kind::OneOf(choices))
        };
        argument.optional |= bracket == Bracket::Square;
        Ok(argument)
    }
}

fn word(text: &'static str) -> (Symbol, usize) {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"()[]|".contains(byte);
    let end = text.bytes().position(|byte| ends(&byte)).unwrap_or(text.len());
    let end = text[..end].find("...").unwrap_or(end);
    if let Some(version) = text[..end].strip_prefix('@') {
        return (Symbol::Since(version), end);
    }
    let end = text[..end].find('@').unwrap_or(end);
    let word = &text[..end];
    match word.find('=') {
        Some(sign) if sign > 0 => (Symbol::Label(&word[..sign]), sign + 1),
        _ if word.bytes().any(|byte| byte.is_ascii_lowercase()) => (Symbol::Name(word), end),
        _ => (Symbol::Token(word), end),
    }
}

fn leaf(word: &'static str) -> Result<Argument, String> {
    let (word, key_spec) = match word.split_once('#') {
        Some((word, number)) => (word, Some(number.parse().map_err(|_| format!("`{word}#`?"))?)),
        None => (word, None),
    };
    let (name, kind) = word.split_once(':').unwrap_or((word, ""));
    let kind = match kind {
        "" if name == "key" => Kind::Key,
        "" => Kind::String,
        kind => Kind::parse(kind).ok_or_else(|| format!("`{word}` has an unknown type"))?,
    };
    Ok(Argument { key_spec, ..Argument::new(name, kind) })
}

fn together(mut sequence: Vec<Argument>) -> Result<Argument, String> {
    match sequence.len() {
        0 => Err("a group or an alternative is empty".into()),
        1 => Ok(sequence.remove(0)),
        _ => Ok(Argument::new(sequence[0].name.clone(), Kind::Block(sequence))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widths(text: &'static str) -> (usize, Option<usize>) {
        let width = Width::of(&parse(text).unwrap());
        (width.min, width.max)
    }

    #[test]
    fn widths_follow_from_the_syntax() {
        assert_eq!(widths(""), (0, Some(0)));
        assert_eq!(widths("key value"), (2, Some(2)));
        assert_eq!(widths("key [NX | XX] [EX seconds:integer | KEEPTTL]"), (1, Some(4)));
        assert_eq!(widths("data=(key value)..."), (2, None));
        assert_eq!(widths("numkeys:integer key... [WEIGHTS weight:integer...]"), (2, None));
        assert_eq!(widths("key by=(BYRADIUS radius unit | BYBOX width height unit)"), (4, Some(5)));
        assert_eq!(widths("STREAMS streams=(key... id...)"), (3, None));
    }

    #[test]
    fn a_token_introduces_a_name_or_a_round_group_and_else_stands_alone() {
        let parsed =
            parse("[MATCH pattern:pattern] FLUSH [ASYNC | SYNC] LIMIT limit=(a b)").unwrap();
        let names: Vec<_> = parsed.iter().map(|one| (&*one.name, one.token)).collect();
        assert_eq!(
            names,
            [
                ("pattern", Some("MATCH")),
                ("flush", Some("FLUSH")),
                ("async", None),
                ("limit", Some("LIMIT"))
            ]
        );
        assert_eq!(parsed[1].kind, Kind::PureToken);
        assert!(parsed[0].optional && parsed[2].optional && !parsed[3].optional);
    }

    #[test]
    fn repetition_is_with_the_token_when_the_group_holds_it() {
        let parsed = parse("[(GET pattern)...] WEIGHTS weight... key...").unwrap();
        let repeats: Vec<_> = parsed.iter().map(|one| one.repeat).collect();
        assert_eq!(repeats, [Repeat::ManyWithToken, Repeat::Many, Repeat::Many]);
        assert!(parsed[0].optional);
    }

    #[test]
    fn labels_name_groups_tokens_and_single_items() {
        let parsed =
            parse("condition=[NX | XX] [any=ANY] trim=(MAXLEN [= | ~] threshold)").unwrap();
        let names: Vec<_> = parsed.iter().map(|one| &*one.name).collect();
        assert_eq!(names, ["condition", "any", "trim"]);
        let Kind::Block(trim) = &parsed[2].kind else { panic!("{:?}", parsed[2]) };
        assert_eq!(trim[0].token, Some("MAXLEN"));
        assert!(matches!(&trim[1].kind, Kind::OneOf(choices) if choices.len() == 2));
    }

    #[test]
    fn versions_follow_words_and_groups() {
        let parsed = parse("[NX@1.2.3 | EX n:integer@1.2.4]@1.2.5 key@1.2.6... [GET@1.2.7]");
        let parsed = parsed.unwrap();
        let since: Vec<_> = parsed.iter().map(|one| one.since.unwrap()).collect();
        assert_eq!(since, ["1.2.5", "1.2.6", "1.2.7"]);
        let Kind::OneOf(choices) = &parsed[0].kind else { panic!("{:?}", parsed[0]) };
        assert_eq!(choices[0].since, Some("1.2.3"));
        assert_eq!((choices[1].since, choices[1].token), (Some("1.2.4"), Some("EX")));
        assert_eq!(parsed[1].repeat, Repeat::Many);
        assert_eq!(parsed[2].kind, Kind::PureToken);
    }

    #[test]
    fn faults_are_named() {
        for text in ["(a", "a)", "[]", "a:colour", "| b", "(a | )", "..."] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
