//! The first line of a script, which may say in what language it is and what it may do.

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
        let end = text.iter().position(|&byte| byte == b'\n').ok_or(INVALID)?;
        let mut words =
            text[..end].split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
        let language = words.next().ok_or(INVALID)?;
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
    }

    #[test]
    fn what_the_first_line_must_not_say_is_told() {
        assert_eq!(refused("#!lua"), "ERR Invalid script shebang");
        assert_eq!(refused("#!js\n"), "ERR Unexpected engine in script shebang: #!js");
        assert_eq!(refused("#!lua name=x\n"), "ERR Unknown lua shebang option: name=x");
        assert_eq!(refused("#!lua flags=a\n"), "ERR Unexpected flag in script shebang: a");
    }
}
