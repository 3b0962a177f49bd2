//! Slots behind routers, simulated: routers that lock and drain, a network that loses, doubles and
//! reorders, machines that crash and are taken up from what was stored, and clients that write.
//! Every run follows from its seed.

#![allow(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it shall")]

use keyslot::cluster::NodeId;
use keyslot::{
    SlotAction, SlotActionEvent, SlotActionLimits, SlotActionRecord, SlotActionState, SlotRoute,
};
use std::collections::BTreeMap;

const KEYS: usize = 4;
const ROUTERS: u64 = 3;

fn node(name: u8) -> NodeId {
    NodeId::parse(&[name; 40]).unwrap()
}

fn record() -> SlotActionRecord {
    let (source, target) = (node(b'a'), node(b'b'));
    SlotActionRecord { slot: 7, source, target, state: SlotActionState::Pending, epoch: 0 }
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }
}

/// A command that a router has given to a node.
#[derive(Clone, Copy, Debug)]
struct Command {
    key: usize,
    /// What it writes; none if it reads.
    write: Option<u64>,
    node: NodeId,
    migrate_from: Option<NodeId>,
}

#[derive(Debug, Default)]
struct Router {
    route: Option<SlotRoute>,
    given: Vec<Command>,
}

impl Router {
    fn version(&self) -> u64 {
        self.route.map_or(0, |route| route.version)
    }
}

#[derive(Clone, Copy, Debug)]
enum Message {
    Tell(u64, SlotRoute),
    Answer(u64, u64),
}

/// What a run shows to be wrong.
type Fault = String;

struct World {
    chance: Chance,
    now_us: u64,
    machine: SlotAction,
    stored: SlotActionRecord,
    routers: BTreeMap<u64, Router>,
    network: Vec<Message>,
    /// By node, the keys with their values.
    nodes: BTreeMap<NodeId, BTreeMap<usize, u64>>,
    /// By key, the newest value that a client was told of.
    acknowledged: [u64; KEYS],
    written: u64,
    moves_keys: bool,
    rolled_back: usize,
    finished: bool,
    /// Whether things go wrong.
    faults: bool,
    /// Whether routers answer a lock only when their commands are answered. Without, the checks
    /// have to find something.
    drains: bool,
}

impl World {
    fn new(seed: u64, drains: bool) -> Self {
        let keys = (0..KEYS).map(|key| (key, 0)).collect();
        let nodes = [(node(b'a'), keys), (node(b'b'), BTreeMap::new())];
        let serve =
            SlotRoute { slot: 7, node: node(b'a'), migrate_from: None, locked: false, version: 0 };
        let router = || Router { route: Some(serve), given: Vec::new() };
        Self {
            chance: Chance(seed),
            now_us: 0,
            machine: SlotAction::new(record(), 0..ROUTERS, SlotActionLimits::default()),
            stored: record(),
            routers: (0..ROUTERS).map(|number| (number, router())).collect(),
            network: Vec::new(),
            nodes: nodes.into(),
            acknowledged: [0; KEYS],
            written: 0,
            moves_keys: false,
            rolled_back: 0,
            finished: false,
            faults: true,
            drains,
        }
    }

    fn step(&mut self) -> Result<(), Fault> {
        self.now_us += self.chance.below(40_000) as u64;
        match self.chance.below(10) {
            0 | 1 => self.drive(),
            2 | 3 => (0..3).for_each(|_| self.deliver()),
            4 | 5 => self.give(),
            6 | 7 => self.carry_out()?,
            8 => self.move_a_key(),
            _ if self.faults => self.crash(),
            _ => self.drive(),
        }
        self.check()
    }

    /// What the host does for the machine.
    fn drive(&mut self) {
        self.machine.handle_timeout(self.now_us);
        if let Some(record) = self.machine.poll_store() {
            let may = record.epoch == self.stored.epoch || record.epoch == self.stored.epoch + 1;
            if may {
                self.stored = record;
            }
            self.machine.handle_stored(may, self.now_us);
        }
        while let Some((router, route)) = self.machine.poll_route(self.now_us) {
            self.send(Message::Tell(router, route));
        }
        while let Some(event) = self.machine.poll_event() {
            match event {
                SlotActionEvent::MoveKeys => self.moves_keys = true,
                SlotActionEvent::Finished => self.finished = true,
                SlotActionEvent::RolledBack { .. } => self.rolled_back += 1,
                SlotActionEvent::Cancelled | SlotActionEvent::Superseded => panic!("{event:?}"),
            }
        }
    }

    fn send(&mut self, message: Message) {
        let copies = if self.faults { [0, 1, 1, 1, 2][self.chance.below(5)] } else { 1 };
        (0..copies).for_each(|_| self.network.push(message));
    }

    fn deliver(&mut self) {
        if self.network.is_empty() {
            return;
        }
        let at = self.chance.below(self.network.len());
        match self.network.swap_remove(at) {
            Message::Tell(number, route) => {
                let router = self.routers.get_mut(&number).unwrap();
                if route.version < router.version() {
                    return;
                }
                router.route = Some(route);
                let is_drained = router.given.is_empty() || !route.locked;
                if is_drained || !self.drains {
                    self.send(Message::Answer(number, route.version));
                }
            }
            Message::Answer(number, version) => {
                self.machine.handle_route(number, version, self.now_us);
            }
        }
    }

    /// A client asks a router for something, which gives it to a node unless the slot is locked.
    fn give(&mut self) {
        let number = self.chance.below(ROUTERS as usize) as u64;
        let key = self.chance.below(KEYS);
        let is_write = self.chance.one_in(2);
        let router = self.routers.get_mut(&number).unwrap();
        let Some(route) = router.route.filter(|route| !route.locked) else { return };
        self.written += u64::from(is_write);
        router.given.push(Command {
            key,
            write: is_write.then_some(self.written),
            node: route.node,
            migrate_from: route.migrate_from,
        });
    }

    /// A node carries out a command and the client hears of it.
    fn carry_out(&mut self) -> Result<(), Fault> {
        let number = self.chance.below(ROUTERS as usize) as u64;
        let given = &mut self.routers.get_mut(&number).unwrap().given;
        if given.is_empty() {
            return Ok(());
        }
        let command = given.swap_remove(self.chance.below(given.len()));
        let Command { key, write, node, migrate_from } = command;
        if let Some(source) = migrate_from
            && let Some(value) = self.nodes.get_mut(&source).unwrap().remove(&key)
        {
            self.nodes.get_mut(&node).unwrap().insert(key, value);
        }
        let keys = self.nodes.get_mut(&node).unwrap();
        match write {
            Some(value) => {
                keys.insert(key, value);
                self.acknowledged[key] = value;
            }
            None => {
                let found = keys.get(&key).copied();
                let newest = self.acknowledged[key];
                if found != Some(newest) {
                    return Err(format!("key {key} is {found:?} at {node}, and was {newest}"));
                }
            }
        }
        Ok(())
    }

    fn move_a_key(&mut self) {
        if !self.moves_keys {
            return;
        }
        match self.nodes.get_mut(&node(b'a')).unwrap().pop_first() {
            Some((key, value)) => _ = self.nodes.get_mut(&node(b'b')).unwrap().insert(key, value),
            None => self.machine.handle_empty(),
        }
    }

    /// The machine is lost and taken up from what was stored, or a router forgets its route.
    fn crash(&mut self) {
        if self.chance.one_in(3) && !self.finished {
            self.moves_keys = false;
            self.machine = SlotAction::new(self.stored, 0..ROUTERS, SlotActionLimits::default());
        } else if self.chance.one_in(3) {
            let number = self.chance.below(ROUTERS as usize) as u64;
            let router = self.routers.get_mut(&number).unwrap();
            if router.given.is_empty() && !self.machine.is_ended() {
                *router = Router::default();
                self.machine.add_router(number);
            }
        }
    }

    fn check(&self) -> Result<(), Fault> {
        for key in 0..KEYS {
            let homes = self.nodes.values().filter(|keys| keys.contains_key(&key)).count();
            if homes != 1 {
                return Err(format!("key {key} is at {homes} nodes"));
            }
        }
        let serving = |wanted: NodeId| {
            let routes = self.routers.values().filter_map(|router| router.route);
            routes.filter(|route| !route.locked && route.node == wanted).count()
        };
        if serving(node(b'a')) > 0 && serving(node(b'b')) > 0 {
            return Err("routers serve at both nodes".into());
        }
        Ok(())
    }
}

/// Lets a world go on with faults and then without, until the slot has moved.
fn run(seed: u64, drains: bool) -> Result<World, Fault> {
    let mut world = World::new(seed, drains);
    let steps = 200 + world.chance.below(1_500);
    for _ in 0..steps {
        world.step()?;
    }
    world.faults = false;
    for _ in 0..20_000 {
        if world.finished && world.network.is_empty() {
            break;
        }
        world.step()?;
    }
    if !world.finished {
        return Err(format!("it does not end: {:?}", world.machine));
    }
    Ok(world)
}

#[test]
fn nothing_is_lost_and_every_way_ends() {
    let mut rolled_back = 0;
    for seed in 0..400 {
        let world = run(seed, true).unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
        assert!(world.nodes[&node(b'a')].is_empty(), "seed {seed}");
        assert_eq!(world.nodes[&node(b'b')].len(), KEYS, "seed {seed}");
        rolled_back += world.rolled_back;
    }
    assert!(rolled_back > 0, "no run has rolled back");
}

#[test]
fn routers_that_do_not_drain_are_found_out() {
    let broken = (0..400).filter(|&seed| run(seed, false).is_err()).count();
    assert!(broken > 0, "the checks see nothing");
}

/// Stores what is to be stored and tells the routes to `answering` routers, which confirm.
fn settle(action: &mut SlotAction, now_us: u64, answering: &[u64]) -> Vec<SlotRoute> {
    let mut told = Vec::new();
    loop {
        if action.poll_store().is_some() {
            action.handle_stored(true, now_us);
        } else if let Some((router, route)) = action.poll_route(now_us) {
            told.push(route);
            if answering.contains(&router) {
                action.handle_route(router, route.version, now_us);
            }
        } else {
            return told;
        }
    }
}

#[test]
fn a_router_that_is_silent_rolls_all_back() {
    let mut action = SlotAction::new(record(), [1, 2], SlotActionLimits::default());
    let told = settle(&mut action, 0, &[1]);
    assert!(told.iter().all(|route| route.locked && route.node == node(b'a')));
    assert_eq!(action.state(), SlotActionState::Preparing);
    action.handle_timeout(2_000_000);
    assert_eq!(action.poll_event(), Some(SlotActionEvent::RolledBack { router: 2 }));
    let told = settle(&mut action, 2_000_000, &[1, 2]);
    assert!(told.iter().all(|route| !route.locked && route.node == node(b'a')));
    assert_eq!(action.poll_timeout(), Some(3_000_000));
    action.handle_timeout(3_000_000);
    let told = settle(&mut action, 3_000_000, &[1, 2]);
    let routes: Vec<_> = told.iter().map(|route| (route.locked, route.node)).collect();
    assert_eq!(
        routes,
        [(true, node(b'a')), (true, node(b'a')), (false, node(b'b')), (false, node(b'b'))]
    );
    assert!(told[2..].iter().all(|route| route.migrate_from == Some(node(b'a'))));
    assert_eq!(action.poll_event(), Some(SlotActionEvent::MoveKeys));
    action.handle_empty();
    let told = settle(&mut action, 3_000_000, &[1, 2]);
    assert!(told.iter().all(|route| route.migrate_from.is_none() && route.node == node(b'b')));
    assert_eq!(action.poll_event(), Some(SlotActionEvent::Finished));
    assert!(action.is_ended());
}

#[test]
fn a_way_can_be_given_up_until_a_router_may_have_the_new_route() {
    let mut action = SlotAction::new(record(), [1, 2], SlotActionLimits::default());
    settle(&mut action, 0, &[1]);
    assert!(action.cancel());
    let told = settle(&mut action, 0, &[1, 2]);
    assert!(told.iter().all(|route| !route.locked && route.node == node(b'a')));
    assert_eq!(action.poll_event(), Some(SlotActionEvent::Cancelled));
    let mut action = SlotAction::new(record(), [1], SlotActionLimits::default());
    settle(&mut action, 0, &[1]);
    assert!(!action.cancel());
}

#[test]
fn a_machine_that_was_replaced_stops() {
    let mut action = SlotAction::new(record(), [1], SlotActionLimits::default());
    assert_eq!(action.poll_store().map(|record| record.epoch), Some(1));
    action.handle_stored(false, 0);
    assert_eq!(action.poll_event(), Some(SlotActionEvent::Superseded));
    assert!(action.is_ended() && action.poll_route(0).is_none());
}
