//! A record in a file that the processes of one machine share. This is the only file of the core.
//!
//! ```text
//! PATH        the version on a line of its own, then the record
//! PATH.lock   empty; whoever changes the record holds the system's lock on it
//! PATH.next   the next record, before it takes the name of the last
//! ```
//! A change is written beside, made durable, and renamed, so that a reader sees one record or the
//! other, whenever the machine stops.

use super::{Stored, TopologyStore};
use crate::cluster::ClusterRecord;
use crate::error::{Error, ErrorKind};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;

/// A record in a file. The folder is there; the file need not be.
#[derive(Clone, Debug)]
pub struct FileStore {
    path: PathBuf,
}

impl FileStore {
    /// A record in this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(ending);
        name.into()
    }

    fn read(&self) -> io::Result<Option<String>> {
        match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    fn replace(&self, version: u64, record: &ClusterRecord) -> io::Result<()> {
        let next = self.beside(".next");
        let mut file = File::create(&next)?;
        write!(file, "{version}\n{record}")?;
        file.sync_all()?;
        fs::rename(&next, &self.path)?;
        // The new name is durable when the folder is.
        match self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => File::open(folder)?.sync_all(),
            None => File::open(".")?.sync_all(),
        }
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::new(ErrorKind::Err, format!("cluster record {}: {error}", self.path.display()))
    }
}

impl TopologyStore for FileStore {
    fn load(&self) -> Result<Stored, Error> {
        let Some(text) = self.read().map_err(|error| self.failed(&error))? else {
            return Ok(Stored::default());
        };
        let (version, record) = text.split_once('\n').unwrap_or_default();
        let version =
            version.parse().map_err(|_| Error::err("the cluster record has no version"))?;
        Ok(Stored { version, record: ClusterRecord::parse(record)? })
    }

    fn compare_and_set(&self, version: u64, record: &ClusterRecord) -> Result<Option<u64>, Error> {
        let lock = File::create(self.beside(".lock")).map_err(|error| self.failed(&error))?;
        // Given back when the file is closed, at the latest by the end of the process.
        lock.lock().map_err(|error| self.failed(&error))?;
        if self.load()?.version != version {
            return Ok(None);
        }
        self.replace(version + 1, record).map_err(|error| self.failed(&error))?;
        Ok(Some(version + 1))
    }

    /// Reads the first line alone.
    fn may_have_changed(&self, version: u64) -> Result<bool, Error> {
        let mut first = String::new();
        let read =
            File::open(&self.path).and_then(|file| BufReader::new(file).read_line(&mut first));
        match read {
            Ok(_) => Ok(first.trim_end() != version.to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(version != 0),
            Err(error) => Err(self.failed(&error)),
        }
    }
}
