//! The first line of a script or a library, which says in what language it is, how it is called and
//! what it may do.

use crate::command::split_arguments;
use crate::error::{Error, ErrorKind};

/// What a script says of itself.
pub(super) mod flag {
    pub(crate) const NO_WRITES: u32 = 1 << 0;
    pub(crate) const ALLOW_OOM: u32 = 1 << 1;
    pub(crate) const ALLOW_STALE: u32 = 1 << 2;
    pub(crate) const NO_CLUSTER: u32 = 1 << 3;
    pub(crate) const ALLOW_CROSS_SLOT: u32 = 1 << 4;
    /// It has no such line, and is judged as scripts were before there was one.
    pub(crate) const PLAIN: u32 = 1 << 5;

    pub(crate) const NAMES: &[(u32, &str)] = &[
        (NO_WRITES, "no-writes"),
        (ALLOW_OOM, "allow-oom"),
        (ALLOW_STALE, "allow-stale"),
        (NO_CLUSTER, "no-cluster"),
        (ALLOW_CROSS_SLOT, "allow-cross-slot-keys"),
    ];

    /// The flag of a name.
    pub(crate) fn of(name: &[u8]) -> Option<u32> {
        NAMES.iter().find(|(_, text)| text.as_bytes() == name).map(|(flag, _)| *flag)
    }

    /// The flag of a name in whatever case, as libraries write it.
    pub(crate) fn of_function(name: &[u8]) -> Option<u32> {
        of(&name.to_ascii_lowercase())
    }
}

/// Where a first line ends. A zero ends the text, as in C.
fn end_of_first_line(text: &[u8]) -> Option<usize> {
    let end = text.iter().position(|&byte| byte == b'\n' || byte == 0)?;
    (text[end] == b'\n').then_some(end)
}

/// A script taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Source<'a> {
    pub(super) flags: u32,
    /// The code. Of a first line that is none of it, the line's end is left, so that lines keep
    /// their numbers.
    pub(super) code: &'a [u8],
}

/// Why a script is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceError(pub(super) Error);

impl SourceError {
    fn new(text: &str, word: &[u8]) -> Self {
        Self(Error::new(ErrorKind::Err, [text.as_bytes(), word].concat()))
    }

    /// What Lua says of code that is none.
    pub(super) fn compile(error: &mlua::Error) -> Self {
        let text = match error {
            mlua::Error::SyntaxError { message, .. } => message.clone(),
            mlua::Error::MemoryError(_) => "not enough memory".to_owned(),
            other => other.to_string(),
        };
        Self::new("Error compiling script (new function): ", text.as_bytes())
    }
}

impl<'a> Source<'a> {
    /// Takes a script apart.
    pub(super) fn of_script(text: &'a [u8]) -> Result<Self, SourceError> {
        if !text.starts_with(b"#!") {
            return Ok(Self { flags: flag::PLAIN, code: text });
        }
        const INVALID: SourceError = SourceError(Error::err("Invalid script shebang"));
        const ODD: SourceError = SourceError(Error::err("Invalid engine in script shebang"));
        let end = end_of_first_line(text).ok_or(INVALID)?;
        let words = split_arguments(&text[..end]).ok_or(ODD)?;
        let (language, words) = words.split_first().ok_or(ODD)?;
        if language != b"#!lua" {
            return Err(SourceError::new("Unexpected engine in script shebang: ", language));
        }
        let mut flags = 0;
        for word in words {
            let Some(names) = word.strip_prefix(b"flags=") else {
                return Err(SourceError::new("Unknown lua shebang option: ", word));
            };
            for name in names.split(|&byte| byte == b',').filter(|_| !names.is_empty()) {
                let refused = || SourceError::new("Unexpected flag in script shebang: ", name);
                flags |= flag::of(name).ok_or_else(refused)?;
            }
        }
        Ok(Self { flags, code: &text[end..] })
    }
}

/// A library taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LibrarySource<'a> {
    pub(super) name: String,
    /// The code, with the end of the first line.
    pub(super) code: &'a [u8],
}

pub(super) const BAD_NAME: &str = "Library names can only contain letters, numbers, or \
                                   underscores(_) and must be at least one character long";

/// The name of a library or a function, if it is one.
pub(super) fn parse_name(name: &[u8]) -> Option<String> {
    let is_fit = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if name.is_empty() || !name.iter().all(is_fit) {
        return None;
    }
    String::from_utf8(name.to_vec()).ok()
}

impl<'a> LibrarySource<'a> {
    /// Takes a library apart.
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, Error> {
        const INVALID: Error = Error::err("Invalid library metadata");
        if !text.starts_with(b"#!") {
            return Err(Error::err("Missing library metadata"));
        }
        let end = end_of_first_line(text).ok_or(INVALID)?;
        let words = split_arguments(&text[..end]).ok_or(INVALID)?;
        let (language, words) = words.split_first().ok_or(INVALID)?;
        let mut name = None;
        for word in words {
            let Some(value) = value_of(word, b"name=") else {
                return Err(Error::repeating("Invalid metadata value given: ", word, ""));
            };
            if name.replace(value).is_some() {
                let text = "Invalid metadata value, name argument was given multiple times";
                return Err(Error::err(text));
            }
        }
        let name = name.ok_or(Error::err("Library name was not given"))?;
        let name = parse_name(name).ok_or(Error::err(BAD_NAME))?;
        let language = &language[2..];
        if !language.eq_ignore_ascii_case(b"lua") {
            return Err(Error::repeating("Engine '", language, "' not found"));
        }
        Ok(Self { name, code: &text[end..] })
    }
}

/// What follows a label in whatever case.
fn value_of<'w>(word: &'w [u8], label: &[u8]) -> Option<&'w [u8]> {
    let (start, value) = word.split_at_checked(label.len())?;
    start.eq_ignore_ascii_case(label).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Source::of_script(text.as_bytes()).unwrap_err().0.to_string()
    }

    #[test]
    fn a_script_without_a_first_line_of_its_own_is_code() {
        let source = Source { flags: flag::PLAIN, code: b"return 1" };
        assert_eq!(Source::of_script(b"return 1"), Ok(source));
    }

    #[test]
    fn the_first_line_tells_flags_and_its_end_stays() {
        let source = Source { flags: flag::NO_WRITES | flag::ALLOW_OOM, code: b"\nreturn 1" };
        let text = b"#!lua  flags=no-writes,allow-oom \nreturn 1";
        assert_eq!(Source::of_script(text), Ok(source));
        let source = Source { flags: flag::NO_WRITES, code: b"\n" };
        assert_eq!(Source::of_script(b"#!\"lua\" 'flags=no-writes'\n"), Ok(source));
    }

    #[test]
    fn what_the_first_line_must_not_say_is_told() {
        assert_eq!(refused("#!lua"), "ERR Invalid script shebang");
        assert_eq!(refused("#!js\n"), "ERR Unexpected engine in script shebang: #!js");
        assert_eq!(refused("#!lua name=x\n"), "ERR Unknown lua shebang option: name=x");
        assert_eq!(refused("#!lua flags=a\n"), "ERR Unexpected flag in script shebang: a");
        assert_eq!(refused("#!lua\0\n"), "ERR Invalid script shebang");
        assert_eq!(refused("#!lua 'a\n"), "ERR Invalid engine in script shebang");
    }

    fn refused_library(text: &str) -> String {
        LibrarySource::parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn the_first_line_of_a_library_tells_its_name() {
        for text in
            ["#!lua name=lib\ncode", "#!LUA  NAME='lib' \ncode", "#!lua \"name=li\\x62\"\ncode"]
        {
            let source = LibrarySource { name: "lib".to_owned(), code: b"\ncode" };
            assert_eq!(LibrarySource::parse(text.as_bytes()), Ok(source), "{text}");
        }
    }

    #[test]
    fn a_library_without_a_fit_first_line_is_refused() {
        for (text, expected) in [
            ("return 1", "ERR Missing library metadata"),
            ("#!lua name=a", "ERR Invalid library metadata"),
            ("#!lua name=a\0\n", "ERR Invalid library metadata"),
            ("#!lua \"name=a\n", "ERR Invalid library metadata"),
            ("#!js\n", "ERR Library name was not given"),
            ("#!js name=a\n", "ERR Engine 'js' not found"),
            ("#!lua x\n", "ERR Invalid metadata value given: x"),
            (
                "#!lua name=a name=a\n",
                "ERR Invalid metadata value, name argument was given multiple times",
            ),
        ] {
            assert_eq!(refused_library(text), expected, "{text}");
        }
        for text in ["#!js name=\n", "#!lua name=a-b\n", "#!lua name=\u{e9}\n"] {
            assert_eq!(refused_library(text), format!("ERR {BAD_NAME}"), "{text}");
        }
    }
}
