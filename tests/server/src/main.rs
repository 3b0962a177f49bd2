//! A small host around the engine, so that real Redis clients can talk to it over loopback or a
//! unix socket. It is a test host and an example of embedding, not a product.

mod cluster;
mod figures;
mod journal;
mod links;
mod moves;
mod options;
mod serve;
mod users;

use journal::Journal;
use keyslot::time::SystemClock;
use keyslot::{Engine, EngineOptions, MigrationLimits};
use moves::Moves;
use options::Options;
use serve::Host;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the keeper sleeps when nothing is due, and how much it does at a time.
const MAINTAIN_EVERY: Duration = Duration::from_millis(10);
const MAINTAIN_BUDGET: usize = 1_000;
/// How often the engine hears of the process.
const TELL_EVERY: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("keyslot-server: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), String> {
    if options.help {
        print!("{}", options::USAGE);
        return Ok(());
    }
    let clock = Arc::new(SystemClock::new());
    let membership = cluster::join(&options)?;
    let (cluster, topology_store) = membership.unzip();
    let node = cluster.as_ref().map(|topology| topology.myself().id);
    let engine = Engine::open(EngineOptions {
        cluster,
        topology_store: topology_store.clone(),
        clock: Box::new(clock.clone()),
        shards: options.shards,
        databases: options.databases,
        seed: options.seed,
        settings: options.all_settings(),
        secret: Some(users::secret()?),
        acl_store: options.acl_file.clone().map(users::store),
        ..EngineOptions::default()
    });
    let engine = engine.map_err(|error| error.to_string())?;
    let moves = match (topology_store, node, &options.cluster) {
        (Some(store), Some(node), Some(path)) => {
            let limits = MigrationLimits { durable: options.durable_moves, ..Default::default() };
            let journal = Journal::new(path, node);
            Some(Moves::new(&engine, &clock, store, journal, limits))
        }
        _ => None,
    };
    keep(engine.clone(), moves.clone());
    links::serve(&engine, &clock);
    if let Some(moves) = &moves {
        moves.serve()?;
    }
    serve::listen(&Host { engine, clock, moves }, &options)
}

/// Lets a thread do what is due: expiry, freeing of what waits to be freed, figures for INFO, and
/// what other nodes changed in the topology.
fn keep(engine: Engine, moves: Option<Arc<Moves>>) {
    std::thread::spawn(move || {
        engine.set_host_figures(figures::read());
        let mut told = Instant::now();
        loop {
            if let Err(error) = engine.refresh_topology() {
                eprintln!("keyslot-server: {error}");
            }
            if let Some(moves) = &moves {
                moves.note_arrivals();
            }
            if !engine.maintain(MAINTAIN_BUDGET) {
                std::thread::sleep(MAINTAIN_EVERY);
            }
            if told.elapsed() >= TELL_EVERY {
                engine.set_host_figures(figures::read());
                told = Instant::now();
            }
        }
    });
}
