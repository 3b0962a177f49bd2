//! The command line: a few words of the host's own, and any CONFIG name as `--name value`.

use std::path::PathBuf;

pub(crate) const USAGE: &str = "\
usage: keyslot-server [--port N] [--bind ADDRESS] [--unixsocket PATH] [--shards N]
                      [--databases N] [--seed N] [--cluster FILE] [--node-id ID]
                      [--announce-host HOST] [--durable-moves yes|no]
                      [--aclfile PATH] [--NAME VALUE]...
  --port N           TCP port on loopback; 0 for none (default 6379)
  --bind ADDRESS     loopback address to listen on (default 127.0.0.1)
  --unixsocket PATH  a unix socket to listen on as well
  --shards N         locks over the keyspace, a power of two (default 1024)
  --databases N      databases that SELECT can choose (default 16)
  --seed N           what chance is derived from (default: the time)
  --cluster FILE     be a node of the cluster whose topology is in this file; nodes on one machine
                     share it and meet by CLUSTER MEET
  --node-id ID       the node's name (default: the one that its address had, or by chance)
  --announce-host HOST  where clients find the node (default: --bind)
  --durable-moves YN whether a slot that moves here is kept in a file before it changes hands, so
                     that a crash of either node at that moment loses nothing (default no)
  --aclfile PATH     file of users, which has to be there
  --NAME VALUE       any CONFIG name with its value
";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) port: u16,
    pub(crate) bind: String,
    pub(crate) unix_socket: Option<PathBuf>,
    pub(crate) shards: usize,
    pub(crate) databases: usize,
    pub(crate) seed: u64,
    pub(crate) cluster: Option<PathBuf>,
    pub(crate) node_id: Option<String>,
    pub(crate) announce_host: Option<String>,
    pub(crate) durable_moves: bool,
    pub(crate) acl_file: Option<PathBuf>,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) help: bool,
}

impl Default for Options {
    fn default() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            port: 6379,
            bind: "127.0.0.1".to_owned(),
            unix_socket: None,
            shards: 1024,
            databases: 16,
            seed: since.map_or(0, |since| since.as_nanos() as u64),
            cluster: None,
            node_id: None,
            announce_host: None,
            durable_moves: false,
            acl_file: None,
            settings: Vec::new(),
            help: false,
        }
    }
}

impl Options {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(word) = words.next() {
            let Some(name) = word.strip_prefix("--") else {
                return Err(format!("expected an option, got '{word}'\n{USAGE}"));
            };
            if name == "help" {
                options.help = true;
                continue;
            }
            let value = words.next().ok_or_else(|| format!("--{name} wants a value"))?;
            options.set(name, value)?;
        }
        Ok(options)
    }

    /// What CONFIG GET shall answer: the host's own words under their CONFIG names, and the rest.
    pub(crate) fn all_settings(&self) -> Vec<(String, String)> {
        let mut settings = vec![
            ("port".to_owned(), self.port.to_string()),
            ("bind".to_owned(), self.bind.clone()),
        ];
        if let Some(path) = &self.unix_socket {
            settings.push(("unixsocket".to_owned(), path.display().to_string()));
        }
        if let Some(path) = &self.acl_file {
            settings.push(("aclfile".to_owned(), path.display().to_string()));
        }
        settings.extend(self.settings.iter().cloned());
        settings
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "port" => self.port = number(name, &value)?,
            "bind" => self.bind = value,
            "unixsocket" => self.unix_socket = Some(PathBuf::from(value)),
            "shards" => self.shards = number(name, &value)?,
            "databases" => self.databases = number(name, &value)?,
            "cluster" => self.cluster = Some(PathBuf::from(value)),
            "node-id" => self.node_id = Some(value),
            "announce-host" => self.announce_host = Some(value),
            "durable-moves" => self.durable_moves = value == "yes",
            "seed" => self.seed = number(name, &value)?,
            "aclfile" => self.acl_file = Some(PathBuf::from(value)),
            _ => self.settings.push((name.to_owned(), value)),
        }
        Ok(())
    }
}

fn number<N: std::str::FromStr>(name: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("--{name} wants a number, got '{value}'"))
}
