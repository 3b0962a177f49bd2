//! The native half of the Python package: what must be fast, or must let other threads run. The
//! Python half has the commands that are words and a conversion.

mod client;
mod clock;
mod engine;
mod errors;
mod expiry;
mod keys;
mod link;
mod pipeline;
mod reply;
mod session;
mod strings;
mod waiting;
mod word;

use pyo3::prelude::*;

/// The engine behind `import keyslot`.
#[pymodule(gil_used = false)]
mod _keyslot {
    #[pymodule_export]
    use crate::client::Client;
    #[pymodule_export]
    use crate::clock::ManualClock;
    #[pymodule_export]
    use crate::engine::Engine;
    #[pymodule_export]
    use crate::link::Link;
    #[pymodule_export]
    use crate::pipeline::Pipeline;
    #[pymodule_export]
    use crate::session::Session;
}
