//! Libraries of functions for hosts: out of an engine and into one, to keep them where the host
//! keeps its data.

use super::Engine;
use crate::command::RestorePolicy;
use crate::error::Error;
use crate::resp::Reply;

impl Engine {
    /// Returns all libraries of functions as bytes, which [`Engine::restore_functions`] and Redis's
    /// FUNCTION RESTORE take in. An engine keeps libraries no longer than itself.
    ///
    /// # Errors
    /// If the engine was built without scripts; `BUSY` while a script is slow.
    ///
    /// ```
    /// # use keyslot::{Engine, RestorePolicy};
    /// let engine = Engine::default();
    /// engine.restore_functions(&engine.dump_functions()?, RestorePolicy::Append)?;
    /// # Ok::<(), keyslot::error::Error>(())
    /// ```
    pub fn dump_functions(&self) -> Result<Vec<u8>, Error> {
        match self.execute(&[b"FUNCTION", b"DUMP"])? {
            Reply::Bulk(payload) => Ok(payload.into()),
            other => unreachable!("a payload is a text, not {other:?}"),
        }
    }

    /// Takes in libraries that [`Engine::dump_functions`] or Redis's FUNCTION DUMP gave: all of them,
    /// or none.
    ///
    /// # Errors
    /// If the payload is no such, a library does not load, or a name is taken.
    pub fn restore_functions(&self, payload: &[u8], policy: RestorePolicy) -> Result<(), Error> {
        let policy: &[u8] = match policy {
            RestorePolicy::Append => b"APPEND",
            RestorePolicy::Replace => b"REPLACE",
            RestorePolicy::Flush => b"FLUSH",
        };
        self.execute(&[b"FUNCTION", b"RESTORE", payload, policy]).map(drop)
    }
}
