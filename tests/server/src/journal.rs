//! What a crash must not forget of slots that move: a file for each slot beside that of the topology.
//!
//! ```text
//! FILE.NODE.leaving.SLOT   a slot about which the topology's file was asked: six numbers and the target
//! FILE.NODE.arrived.SLOT   a slot that is here whole and not served yet, as the engine wrote it
//! ```
//! A file is written beside, made durable and renamed.

use keyslot::MigrationRecord;
use keyslot::cluster::NodeId;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

/// The files of one node.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    /// How the names of the files begin.
    stem: String,
}

/// Which of the two a file is.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Leaving,
    Arrived,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Leaving => "leaving",
            Self::Arrived => "arrived",
        }
    }
}

impl Journal {
    /// The files of a node of the cluster whose topology is in a file.
    pub(crate) fn new(topology: &std::path::Path, node: NodeId) -> Self {
        let folder = match topology.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let name = topology.file_name().unwrap_or_default().to_string_lossy();
        Self { folder, stem: format!("{name}.{node}") }
    }

    /// Keeps what is asked about a slot.
    pub(crate) fn keep_leaving(&self, record: &MigrationRecord) -> io::Result<()> {
        let MigrationRecord { id, slot, source_epoch, target_epoch, attempt, arrival, .. } = record;
        let target = record.target;
        let text =
            format!("{id} {slot} {source_epoch} {target_epoch} {attempt} {arrival} {target}\n");
        self.write(Kind::Leaving, record.slot, text.as_bytes())
    }

    /// Keeps what has arrived of a slot.
    pub(crate) fn keep_arrived(&self, slot: u16, saved: &[u8]) -> io::Result<()> {
        self.write(Kind::Arrived, slot, saved)
    }

    pub(crate) fn forget_leaving(&self, slot: u16) -> io::Result<()> {
        self.remove(Kind::Leaving, slot)
    }

    pub(crate) fn forget_arrived(&self, slot: u16) -> io::Result<()> {
        self.remove(Kind::Arrived, slot)
    }

    /// What was asked before the node ended.
    pub(crate) fn leaving(&self) -> io::Result<Vec<MigrationRecord>> {
        let texts = self.read_all(Kind::Leaving)?;
        let records = texts.iter().map(|text| {
            parse(text).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "a record is damaged"))
        });
        records.collect()
    }

    /// What had arrived before the node ended.
    pub(crate) fn arrived(&self) -> io::Result<Vec<Vec<u8>>> {
        self.read_all(Kind::Arrived)
    }

    fn path(&self, kind: Kind, slot: u16) -> PathBuf {
        self.folder.join(format!("{}.{}.{slot}", self.stem, kind.name()))
    }

    fn write(&self, kind: Kind, slot: u16, content: &[u8]) -> io::Result<()> {
        let path = self.path(kind, slot);
        let next = path.with_extension(format!("{slot}.next"));
        let mut file = File::create(&next)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&next, &path)?;
        File::open(&self.folder)?.sync_all()
    }

    fn remove(&self, kind: Kind, slot: u16) -> io::Result<()> {
        match fs::remove_file(self.path(kind, slot)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn read_all(&self, kind: Kind) -> io::Result<Vec<Vec<u8>>> {
        let start = format!("{}.{}.", self.stem, kind.name());
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let slot = name.strip_prefix(&start).and_then(|slot| slot.parse::<u16>().ok());
            if slot.is_some() {
                all.push(fs::read(entry.path())?);
            }
        }
        Ok(all)
    }
}

fn parse(text: &[u8]) -> Option<MigrationRecord> {
    let text = std::str::from_utf8(text).ok()?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let [id, slot, source_epoch, target_epoch, attempt, arrival, target] = words[..] else {
        return None;
    };
    Some(MigrationRecord {
        id: id.parse().ok()?,
        slot: slot.parse().ok()?,
        target: NodeId::parse(target.as_bytes())?,
        source_epoch: source_epoch.parse().ok()?,
        target_epoch: target_epoch.parse().ok()?,
        attempt: attempt.parse().ok()?,
        arrival: arrival.parse().ok()?,
    })
}
