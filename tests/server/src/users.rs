//! Users in a file, and what generated passwords are made from.

use keyslot::AclStore;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// A file of users, replaced whole by ACL SAVE.
struct AclFile {
    path: PathBuf,
}

/// Users that are kept in a file.
pub(crate) fn store(path: PathBuf) -> Box<dyn AclStore> {
    Box::new(AclFile { path })
}

impl AclStore for AclFile {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn load(&self) -> Result<Vec<u8>, String> {
        fs::read(&self.path).map_err(|error| error.to_string())
    }

    fn save(&self, text: &[u8]) -> Result<(), String> {
        self.replace(text).map_err(|error| error.to_string())
    }
}

impl AclFile {
    /// Writes beside the file first, so that there is a whole one at any time.
    fn replace(&self, text: &[u8]) -> io::Result<()> {
        let beside = self.path.with_added_extension("tmp");
        let mut file = File::create(&beside)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)
    }
}

/// Thirty-two bytes from the system's source of chance.
pub(crate) fn secret() -> Result<[u8; 32], String> {
    let mut secret = [0; 32];
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut secret));
    read.map(|()| secret).map_err(|error| format!("no secret for passwords: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyslot::{Engine, EngineOptions, Session};

    fn say(session: &mut Session, input: &str) -> String {
        session.feed(input.as_bytes());
        String::from_utf8(session.take_output()).expect("text").replace("\r\n", " ")
    }

    #[test]
    fn users_outlive_the_engine_in_their_file() {
        let path = std::env::temp_dir().join(format!("keyslot-users-{}", std::process::id()));
        fs::write(&path, "user u on >p ~* +@all\n").expect("a temporary file");
        let open = || {
            let acl_store = Some(store(path.clone()));
            Engine::open(EngineOptions { acl_store, ..EngineOptions::default() })
        };
        let mut session = open().expect("the file is right").session();
        assert_eq!(say(&mut session, "ACL SETUSER v on >q +get\r\nACL SAVE\r\n"), "+OK +OK ");
        let mut session = open().expect("the file is right").session();
        assert_eq!(say(&mut session, "AUTH v q\r\nAUTH u p\r\n"), "+OK +OK ");
        fs::remove_file(&path).expect("it is there");
        let refused = say(&mut session, "ACL LOAD\r\n");
        assert!(refused.starts_with("-ERR Error loading ACLs, opening file '"), "{refused}");
        assert!(open().is_err());
    }
}
