//! By which names commands are called: their own, but for those that `rename-command` gives other
//! names or takes theirs away. Users' rules, errors and figures keep a command's own name, as in
//! Redis.

use super::lookup;
use super::quoted::split_arguments;
use super::table::{Spec, specs};
use crate::error::Error;
use foldhash::quality::FixedState;
use hashbrown::HashMap;

/// The names of commands; of subcommands too, which are found in their containers.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// All commands by their names in lower case, if any was renamed.
    renamed: Option<HashMap<Box<[u8]>, &'static Spec, FixedState>>,
}

/// Every command under its own name.
pub(crate) static OWN: Names = Names { renamed: None };

impl Names {
    /// The names after changes in order, each a line of the old name and the new one, which is `""`
    /// for a command that shall not be called at all.
    ///
    /// # Errors
    /// Redis's texts for a name that does not exist or is in use already.
    pub(crate) fn new<'a>(changes: impl Iterator<Item = &'a str>) -> Result<Self, Error> {
        let mut names = Self::default();
        for change in changes {
            names.rename(change.as_bytes())?;
        }
        Ok(names)
    }

    fn rename(&mut self, change: &[u8]) -> Result<(), Error> {
        const WRONG_WORDS: Error = Error::err("wrong number of arguments");
        let words = split_arguments(change).ok_or(WRONG_WORDS)?;
        let [old, new] = &words[..] else { return Err(WRONG_WORDS) };
        let names = self.renamed.get_or_insert_with(|| {
            specs().iter().map(|spec| (spec.name.as_bytes().into(), spec)).collect()
        });
        let spec = names.remove(&old.to_ascii_lowercase()[..]);
        let spec = spec.ok_or(Error::err("No such command in rename-command"))?;
        let new = new.to_ascii_lowercase();
        if new.is_empty() {
            return Ok(());
        }
        match names.insert(new.into(), spec) {
            Some(_) => Err(Error::err("Target command name already exists")),
            None => Ok(()),
        }
    }

    /// Finds the command that words ask for, and checks how many they are, as
    /// [`table::lookup`](super::table::lookup) does.
    #[inline]
    pub(crate) fn lookup(&self, words: &[&[u8]]) -> Result<&'static Spec, Error> {
        match &self.renamed {
            None => lookup::lookup(words),
            Some(_) => self.lookup_renamed(words),
        }
    }

    fn lookup_renamed(&self, words: &[&[u8]]) -> Result<&'static Spec, Error> {
        match self.find(words) {
            Some(spec) if spec.takes(words.len()) => Ok(spec),
            Some(spec) => Err(Error::arity(&spec.name)),
            None => Err(lookup::unknown(words, self.top(words[0]).is_some())),
        }
    }

    /// Finds the command that words ask for, whether or not they are as many as it takes.
    pub(crate) fn find(&self, words: &[&[u8]]) -> Option<&'static Spec> {
        let spec = self.top(words[0])?;
        match words.get(1) {
            Some(word) if !spec.subcommands.is_empty() => lookup::subcommand(spec, word),
            _ => Some(spec),
        }
    }

    /// Finds a command by its name in full, such as `get` or `config|get`.
    pub(crate) fn by_name(&self, name: &[u8]) -> Option<&'static Spec> {
        let mut parts = name.splitn(2, |&byte| byte == b'|');
        let spec = self.top(parts.next()?)?;
        match parts.next() {
            Some(word) => lookup::subcommand(spec, word),
            None => Some(spec),
        }
    }

    fn top(&self, name: &[u8]) -> Option<&'static Spec> {
        match &self.renamed {
            None => lookup::top(name),
            Some(names) => names.get(&name.to_ascii_lowercase()[..]).copied(),
        }
    }

    /// The commands that can be called, in the order of the table.
    pub(crate) fn specs(&self) -> Vec<&'static Spec> {
        let mut all: Vec<&Spec> = match &self.renamed {
            None => return specs().iter().collect(),
            Some(names) => names.values().copied().collect(),
        };
        all.sort_by_key(|spec| spec.id);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_command_is_called_by_its_new_name_alone() {
        let names = Names::new(["GET Fetch", "fetch \"take\"", "CONFIG ''"].into_iter()).unwrap();
        assert_eq!(&*names.lookup(&[b"TAKE", b"k"]).unwrap().name, "get");
        let error = |words: &[&[u8]]| names.lookup(words).unwrap_err().to_string();
        assert_eq!(error(&[b"take"]), "ERR wrong number of arguments for 'get' command");
        for gone in [&[&b"get"[..], b"k"], &[b"fetch", b"k"], &[b"config", b"get"]] {
            assert!(error(gone).starts_with("ERR unknown command '"), "{gone:?}");
        }
        assert!(error(&[b"acl", b"x"]).starts_with("ERR unknown subcommand 'x'"));
        assert!(names.by_name(b"config|get").is_none() && names.by_name(b"acl|cat").is_some());
        assert_eq!(names.specs().len(), specs().len() - 1);
    }

    #[test]
    fn faulty_changes_are_refused() {
        for (change, text) in [
            ("nosuch x", "ERR No such command in rename-command"),
            ("get set", "ERR Target command name already exists"),
            ("get", "ERR wrong number of arguments"),
            ("get \"", "ERR wrong number of arguments"),
        ] {
            assert_eq!(Names::new([change].into_iter()).unwrap_err().to_string(), text);
        }
    }
}
