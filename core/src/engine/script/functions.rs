//! Libraries of functions: how they are loaded, listed, saved, and how a function is called.

mod collection;
mod register;

use super::fault::Fault;
use super::machine::{Machine, Outcome, Purpose};
use super::random::Random;
use super::source::{LibrarySource, flag};
use crate::command::{LibraryFigures, LibraryFilter, RestorePolicy};
use crate::error::{Error, ErrorKind};
use crate::resp::ReplySink;
use crate::time::Moment;
use crate::value::dump;
use collection::{Collection, Function, Library};
pub(super) use register::{LOADING, register_function};
use register::{Loading, Registration};
use std::collections::BTreeMap;

/// The libraries of an engine, and the interpreter that they share.
pub(super) struct Functions {
    pub(super) machine: Machine,
    pub(super) collection: Collection,
}

impl Functions {
    /// None yet.
    pub(super) fn new(random: &Random) -> Result<Self, mlua::Error> {
        let machine = Machine::new(Purpose::Functions, random)?;
        Ok(Self { machine, collection: Collection::default() })
    }

    /// Loads a library, and returns its name.
    pub(super) fn load(
        &mut self,
        text: &[u8],
        replace: bool,
        memory_bytes_max: usize,
        time: &Moment<'_>,
    ) -> Result<String, Error> {
        self.limit_memory(memory_bytes_max)?;
        let source = LibrarySource::parse(text)?;
        let name = source.name.clone();
        if !replace && self.collection.contains(&name) {
            let text = format!("Library '{name}' already exists");
            return Err(Error::new(ErrorKind::Err, text));
        }
        let library = self.compile(&source, text, time)?;
        self.collection.add(library)?;
        self.machine.lua.expire_registry_values();
        Ok(name)
    }

    /// Lets the code of a library tell its functions.
    fn compile(
        &self,
        source: &LibrarySource<'_>,
        text: &[u8],
        time: &Moment<'_>,
    ) -> Result<Library, Error> {
        let lua = &self.machine.lua;
        let code = self.machine.compile(source.code).map_err(|error| {
            Error::new(
                ErrorKind::Err,
                ["Error compiling function: ", &compile_text(&error)].concat(),
            )
        })?;
        let ends_us = time.current_us() + LOAD_MS_MAX * 1000;
        let mut loading = Load { functions: BTreeMap::new(), lua, time, ends_us };
        let outcome = LOADING.set(&mut loading, || self.machine.call_loading(&code));
        let Load { functions, .. } = loading;
        if let Some(problem) = problem(outcome) {
            let text = [&b"Error registering functions: "[..], &problem].concat();
            return Err(Error::new(ErrorKind::Err, text));
        }
        if functions.is_empty() {
            return Err(Error::err("No functions registered"));
        }
        Ok(Library { name: source.name.clone(), text: text.into(), functions })
    }

    /// Forgets a library.
    pub(super) fn delete(&mut self, name: &[u8]) -> Result<(), Error> {
        let name = std::str::from_utf8(name).ok();
        let removed = name.and_then(|name| self.collection.remove(name));
        drop(removed.ok_or(NO_LIBRARY)?);
        self.machine.lua.expire_registry_values();
        Ok(())
    }

    /// All libraries as a payload.
    pub(super) fn dump(&self) -> Vec<u8> {
        dump::functions::dump(self.collection.libraries().map(|library| &*library.text))
    }

    /// Takes in the libraries of a payload, all of them or none.
    pub(super) fn restore(
        &mut self,
        payload: &[u8],
        policy: RestorePolicy,
        text_len_max: u64,
        memory_bytes_max: usize,
        time: &Moment<'_>,
    ) -> Result<(), Error> {
        self.limit_memory(memory_bytes_max)?;
        let mut restored = Collection::default();
        for text in dump::functions::read(payload, text_len_max)? {
            let text = text?;
            let source = LibrarySource::parse(&text)?;
            if restored.contains(&source.name) {
                let text = format!("Library '{}' already exists", source.name);
                return Err(Error::new(ErrorKind::Err, text));
            }
            restored.add(self.compile(&source, &text, time)?)?;
        }
        match policy {
            RestorePolicy::Flush => self.collection = restored,
            RestorePolicy::Append => self.collection.join(restored, false)?,
            RestorePolicy::Replace => self.collection.join(restored, true)?,
        }
        self.machine.lua.expire_registry_values();
        Ok(())
    }

    fn limit_memory(&self, bytes_max: usize) -> Result<(), Error> {
        self.machine.lua.set_memory_limit(bytes_max).map_err(|error| super::internal(&error))?;
        Ok(())
    }

    /// How much there is.
    pub(super) fn figures(&self) -> LibraryFigures {
        LibraryFigures {
            libraries: self.collection.libraries().len(),
            functions: self.collection.functions(),
            bytes: self.collection.bytes(),
            machine_bytes: self.machine.lua.used_memory(),
        }
    }

    /// The callback of a function.
    pub(super) fn callback(&self, function: &Function) -> Result<mlua::Function, mlua::Error> {
        self.machine.lua.registry_value(&function.callback)
    }
}

pub(super) const NO_LIBRARY: Error = Error::err("Library not found");

/// How long a library may take to load, in milliseconds.
const LOAD_MS_MAX: u64 = 500;

/// A library that is being loaded.
struct Load<'l> {
    functions: BTreeMap<String, Function>,
    lua: &'l mlua::Lua,
    time: &'l Moment<'l>,
    /// Until when, in microseconds on the monotonic scale.
    ends_us: u64,
}

impl Loading for Load<'_> {
    fn add(&mut self, registration: Registration) -> Result<(), Fault> {
        let Registration { name, callback, description, flags } = registration;
        if self.functions.contains_key(&name) {
            return Err(Fault::reply("Function already exists in the library"));
        }
        let callback = self.lua.create_registry_value(callback);
        let callback = callback.map_err(|_| Fault::reply("not enough memory"))?;
        self.functions.insert(name, Function { callback, description, flags });
        Ok(())
    }

    fn check_time(&self) -> Result<(), mlua::Error> {
        if self.time.current_us() > self.ends_us {
            return Err(Fault::reply("FUNCTION LOAD timeout").raised());
        }
        Ok(())
    }
}

/// What Lua says of code that is none.
fn compile_text(error: &mlua::Error) -> String {
    match error {
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        mlua::Error::MemoryError(_) => "not enough memory".to_owned(),
        other => other.to_string(),
    }
}

/// The text of the error by which code ended, if it did.
fn problem(outcome: Result<Outcome, mlua::Error>) -> Option<Vec<u8>> {
    match outcome {
        Ok(Ok(_)) => None,
        Ok(Err(problem)) => Some(match problem.raw_get("err") {
            Ok(mlua::Value::String(text)) => text.as_bytes().to_vec(),
            _ => b"ERR unknown error".to_vec(),
        }),
        Err(error) => Some(format!("ERR {error}").into_bytes()),
    }
}

/// Writes what FUNCTION LIST tells of libraries, in the order of their names.
pub(super) fn write_list(
    libraries: Option<&Collection>,
    filter: &LibraryFilter<'_>,
    out: &mut dyn ReplySink,
) {
    let all = libraries.map(Collection::libraries).into_iter().flatten();
    let listed: Vec<&Library> = all.filter(|one| filter.takes(one.name.as_bytes())).collect();
    out.array(listed.len());
    for library in listed {
        out.map(if filter.with_code { 4 } else { 3 });
        out.bulk(b"library_name");
        out.bulk(library.name.as_bytes());
        out.bulk(b"engine");
        out.bulk(b"LUA");
        out.bulk(b"functions");
        out.array(library.functions.len());
        library.functions.iter().for_each(|(name, function)| write_function(name, function, out));
        if filter.with_code {
            out.bulk(b"library_code");
            out.bulk(&library.text);
        }
    }
}

fn write_function(name: &str, function: &Function, out: &mut dyn ReplySink) {
    out.map(3);
    out.bulk(b"name");
    out.bulk(name.as_bytes());
    out.bulk(b"description");
    match &function.description {
        Some(text) => out.bulk(text),
        None => out.null(),
    }
    out.bulk(b"flags");
    let names = flag::NAMES.iter().filter(|(bit, _)| function.flags & bit != 0);
    out.set(names.clone().count());
    names.for_each(|(_, name)| out.status(name));
}
