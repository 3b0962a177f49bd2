//! The engine as Python opens it: its options, its upkeep, its end.

use crate::client::{Client, Shared};
use crate::clock::ManualClock;
use crate::errors;
use crate::link::Link;
use crate::word::{Word, flattened};
use keyslot::resp::{Encoder, Protocol};
use keyslot::slot::SlotScheme;
use keyslot::time::{Clock, SystemClock};
use keyslot::{EngineOptions, Metric};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// As many as a key's place has room for.
const DATABASES_MAX: usize = 1 << 16;
/// What is freed between two looks at the clock while an engine closes.
const CLOSE_STEP: usize = 10_000;

/// An engine, and a conversation with it.
#[pyclass(extends = Client, subclass, frozen, module = "keyslot._keyslot")]
pub(crate) struct Engine;

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (*, shards=1024, databases=16, scheme="redis", seed=0, clock=None,
                        settings=None))]
    fn new(
        py: Python<'_>,
        shards: usize,
        databases: usize,
        scheme: &str,
        seed: u64,
        clock: Option<&Bound<'_, ManualClock>>,
        settings: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let scheme = scheme_named(scheme)?;
        check_sizes(scheme, shards, databases)?;
        let clock: Box<dyn Clock> = match clock {
            Some(clock) => Box::new(clock.get().clock.clone()),
            None => Box::new(SystemClock::new()),
        };
        let settings = settings.map(texts).transpose()?.unwrap_or_default();
        // Generated passwords must not follow from a seed, which somebody may know.
        let secret = Some(py.import("os")?.call_method1("urandom", (32,))?.extract()?);
        let rest = EngineOptions::default();
        let options =
            EngineOptions { scheme, shards, databases, clock, seed, settings, secret, ..rest };
        let engine = keyslot::Engine::open(options).map_err(|error| errors::raised(py, &error))?;
        let shared = Arc::new(Shared { engine, closed: AtomicBool::new(false) });
        Ok(PyClassInitializer::from(Client::new(shared)).add_subclass(Self))
    }

    /// Do work that is due: delete up to ``budget`` expired keys, and free about as much of what
    /// waits to be freed. Return whether there is more to do at once.
    ///
    /// Expired keys are never seen, with or without this; it gives their memory back. Ten times a
    /// second is often enough.
    #[pyo3(signature = (budget=1000))]
    fn maintain(this: &Bound<'_, Self>, budget: usize) -> PyResult<bool> {
        let engine = this.as_super().get().engine(this.py())?;
        Ok(this.py().detach(|| engine.maintain(budget)))
    }

    /// Return when the next key expires, in milliseconds since the Unix epoch, or an earlier time;
    /// ``None`` if nothing expires.
    fn next_expiry_ms(this: &Bound<'_, Self>) -> PyResult<Option<u64>> {
        Ok(this.as_super().get().engine(this.py())?.next_expiry_ms())
    }

    /// Return what the engine knows of itself, by name: numbers such as ``keyspace_hits`` and
    /// ``used_memory_bytes``, and under ``databases``, ``commands`` and ``errors`` what is known of
    /// each of these.
    fn figures<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let py = this.py();
        let engine = this.as_super().get().engine(py)?;
        let figures = py.detach(|| engine.figures());
        let all = PyDict::new(py);
        for metric in Metric::all() {
            all.set_item(metric.name(), metric.value(&figures))?;
        }
        let databases = PyDict::new(py);
        for database in &figures.databases {
            let one = PyDict::new(py);
            one.set_item("keys", database.keys)?;
            one.set_item("expiring_keys", database.expiring_keys)?;
            databases.set_item(database.database, one)?;
        }
        let commands = PyDict::new(py);
        for command in &figures.commands {
            let one = PyDict::new(py);
            one.set_item("calls", command.calls)?;
            one.set_item("failed", command.failed)?;
            one.set_item("rejected", command.rejected)?;
            one.set_item("seconds", command.busy_ns as f64 / 1e9)?;
            commands.set_item(command.name, one)?;
        }
        let errors = PyDict::new(py);
        for (prefix, count) in &figures.errors {
            errors.set_item(prefix, count)?;
        }
        all.set_item("databases", databases)?;
        all.set_item("commands", commands)?;
        all.set_item("errors", errors)?;
        Ok(all)
    }

    /// Return all figures as a monitoring system reads them, in the format of OpenMetrics 1.0.
    fn open_metrics(this: &Bound<'_, Self>) -> PyResult<String> {
        let engine = this.as_super().get().engine(this.py())?;
        let mut text = String::new();
        this.py().detach(|| engine.open_metrics(&mut text));
        Ok(text)
    }

    /// Return the next connection that a command such as ``MIGRATE`` asks for, or ``None``.
    /// ``serve_links`` carries them all; a program that does so itself calls ``link_fileno`` first.
    fn poll_link(this: &Bound<'_, Self>) -> PyResult<Option<Link>> {
        let client = this.as_super().get();
        let wanted = client.engine(this.py())?.poll_link();
        Ok(wanted.map(|wanted| Link::new(client.shared().clone(), wanted)))
    }

    /// A descriptor that is readable while commands wait for a connection; then call ``poll_link``
    /// until there is none. It stays the engine's. Whoever asks for it promises to open them; without
    /// that such commands answer ``IOERR``.
    #[cfg(unix)]
    fn link_fileno(this: &Bound<'_, Self>) -> PyResult<i32> {
        use std::os::fd::AsRawFd;
        Ok(this.as_super().get().engine(this.py())?.link_descriptor()?.as_raw_fd())
    }

    /// Take the promise to open connections back. Close those that are open first.
    fn decline_links(this: &Bound<'_, Self>) -> PyResult<()> {
        let engine = this.as_super().get().engine(this.py())?;
        this.py().detach(|| engine.decline_links());
        Ok(())
    }

    /// Delete everything and end all conversations with the engine. Closing twice is no error.
    fn close(this: &Bound<'_, Self>) {
        let client = this.as_super().get();
        if client.shared().closed.swap(true, Relaxed) {
            return;
        }
        client.close(this.py());
        let engine = &client.shared().engine;
        this.py().detach(|| {
            engine.call(&[b"FLUSHALL"], &mut Encoder::new(Protocol::Resp2));
            while engine.maintain(CLOSE_STEP) {}
        });
    }

    /// Whether the engine was closed.
    #[getter]
    fn closed(this: &Bound<'_, Self>) -> bool {
        this.as_super().get().is_closed()
    }
}

fn scheme_named(name: &str) -> PyResult<SlotScheme> {
    match name {
        "redis" => Ok(SlotScheme::Redis),
        "codis" => Ok(SlotScheme::Codis),
        _ => Err(PyValueError::new_err(format!("scheme is 'redis' or 'codis', not '{name}'"))),
    }
}

/// Names and values of settings as texts.
fn texts(settings: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let words = flattened(settings)?;
    let text = |object: &Bound<'_, PyAny>| -> PyResult<String> {
        let word: Word<'_> = object.as_borrowed().extract()?;
        Ok(String::from_utf8(word.bytes().to_vec())?)
    };
    words.chunks_exact(2).map(|pair| Ok((text(&pair[0])?, text(&pair[1])?))).collect()
}

fn check_sizes(scheme: SlotScheme, shards: usize, databases: usize) -> PyResult<()> {
    let slots = scheme.slots();
    if !shards.is_power_of_two() || shards > slots {
        let text = format!("shards must be a power of two from 1 to {slots}, not {shards}");
        return Err(PyValueError::new_err(text));
    }
    if !(1..=DATABASES_MAX).contains(&databases) {
        let text = format!("databases must be from 1 to {DATABASES_MAX}, not {databases}");
        return Err(PyValueError::new_err(text));
    }
    Ok(())
}
