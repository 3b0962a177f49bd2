//! Libraries by their names, and their functions by theirs. Which names collide.

use crate::error::{Error, ErrorKind};
use mlua::RegistryKey;
use std::collections::{BTreeMap, HashMap};

/// A function of a library.
pub(in super::super) struct Function {
    pub(super) callback: RegistryKey,
    pub(super) description: Option<Box<[u8]>>,
    pub(in super::super) flags: u32,
}

/// A library.
pub(super) struct Library {
    pub(super) name: String,
    /// The whole text, which is what is saved of it.
    pub(super) text: Box<[u8]>,
    pub(super) functions: BTreeMap<String, Function>,
}

/// Libraries.
#[derive(Default)]
pub(in super::super) struct Collection {
    libraries: BTreeMap<String, Library>,
    /// From the name of each function, in lower case, to its library's and its own.
    owners: HashMap<String, (String, String)>,
}

impl Collection {
    pub(super) fn libraries(&self) -> impl ExactSizeIterator<Item = &Library> {
        self.libraries.values()
    }

    pub(super) fn contains(&self, library: &str) -> bool {
        self.libraries.contains_key(library)
    }

    /// How many functions there are.
    pub(super) fn functions(&self) -> usize {
        self.libraries().map(|library| library.functions.len()).sum()
    }

    /// Bytes of the texts and the tables.
    pub(super) fn bytes(&self) -> usize {
        let function = |(name, function): (&String, &Function)| {
            let description = function.description.as_ref().map_or(0, |text| text.len());
            2 * name.len() + description + size_of::<Function>()
        };
        let library = |library: &Library| {
            let functions: usize = library.functions.iter().map(function).sum();
            library.name.len() + library.text.len() + size_of::<Library>() + functions
        };
        self.libraries().map(library).sum()
    }

    /// The function of a name in whatever case, with its own name.
    pub(in super::super) fn find(&self, name: &[u8]) -> Option<(&str, &Function)> {
        let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        let (library, name) = self.owners.get(&name)?;
        let (name, function) = self.libraries[library].functions.get_key_value(name)?;
        Some((name, function))
    }

    /// Refuses a library with a function whose name is taken, but by one of the library that it takes
    /// the place of.
    fn check(&self, library: &Library, replaced: impl Fn(&str) -> bool) -> Result<(), Error> {
        for name in library.functions.keys() {
            if let Some((owner, _)) = self.owners.get(&name.to_ascii_lowercase())
                && !replaced(owner)
            {
                let text = format!("Function {name} already exists");
                return Err(Error::new(ErrorKind::Err, text));
            }
        }
        Ok(())
    }

    /// Adds a library, in the place of one with its name.
    pub(super) fn add(&mut self, library: Library) -> Result<(), Error> {
        self.check(&library, |owner| owner == library.name)?;
        self.put(library);
        Ok(())
    }

    /// Adds the libraries of another collection, or none of them. They take the place of those with
    /// the same names if that is allowed.
    pub(super) fn join(&mut self, others: Self, replace: bool) -> Result<(), Error> {
        if !replace && let Some(library) = others.libraries().find(|one| self.contains(&one.name)) {
            let text = format!("Library {} already exists", library.name);
            return Err(Error::new(ErrorKind::Err, text));
        }
        for library in others.libraries() {
            self.check(library, |owner| others.contains(owner))?;
        }
        others.libraries.into_values().for_each(|library| self.put(library));
        Ok(())
    }

    fn put(&mut self, library: Library) {
        self.remove(&library.name);
        for name in library.functions.keys() {
            let owner = (library.name.clone(), name.clone());
            // Within a library names are told apart by case too; the first is the one that is found.
            self.owners.entry(name.to_ascii_lowercase()).or_insert(owner);
        }
        self.libraries.insert(library.name.clone(), library);
    }

    /// Takes a library out.
    pub(super) fn remove(&mut self, name: &str) -> Option<Library> {
        let library = self.libraries.remove(name)?;
        self.owners.retain(|_, (owner, _)| owner != name);
        Some(library)
    }
}
