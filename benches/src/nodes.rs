//! Two engines of a cluster in this process, and slots on their way from the first to the second.

use keyslot::cluster::{Node, NodeId, Topology};
use keyslot::slot::{SLOTS, SlotScheme};
use keyslot::{
    Decision, Engine, EngineOptions, Migration, MigrationEvent, MigrationLimits, Mode, Receiver,
    Session,
};

/// How many bytes a migration gives out at once.
pub(crate) const FRAME_BYTES: usize = 1 << 20;

/// Two nodes, the first of which owns every slot at first.
pub(crate) struct Nodes {
    pub(crate) source: Engine,
    pub(crate) target: Engine,
    target_id: NodeId,
}

fn node(digit: u8) -> Node {
    let id = NodeId::parse(&[digit; 40]).expect("forty hexadecimal digits");
    Node::primary(id, "127.0.0.1", u16::from(digit))
}

fn engine(nodes: &[Node; 2], me: usize) -> Engine {
    let mut topology = Topology::new(SlotScheme::Redis, nodes[me].clone());
    topology.put_node(nodes[1 - me].clone());
    for slot in 0..SLOTS as u16 {
        assert!(topology.assign(slot, nodes[0].id), "the first node is known");
    }
    Engine::new(EngineOptions { cluster: Some(topology), ..EngineOptions::default() })
}

impl Nodes {
    pub(crate) fn new() -> Self {
        let nodes = [node(b'a'), node(b'b')];
        let [source, target] = [0, 1].map(|me| engine(&nodes, me));
        Self { source, target, target_id: nodes[1].id }
    }

    /// Begins to move slots from the first node to the second.
    pub(crate) fn migrate(&self, mode: Mode, slots: &[u16]) -> Carrier {
        let (slots, limits) = (slots.iter().copied().collect(), MigrationLimits::default());
        let migration = self.source.migrate(mode, slots, self.target_id, limits);
        let end = match mode {
            Mode::Atomic => End::Receiver(self.target.receiver()),
            Mode::ByKey | Mode::AsyncKeys | Mode::ByTag => {
                End::Session(Box::new(self.target.session()))
            }
        };
        let migration = migration.expect("the first node owns the slots");
        Carrier { migration, end, frame: Vec::new(), answer: Vec::new(), epoch: 1 }
    }
}

/// Who takes in what arrives.
enum End {
    Session(Box<Session>),
    Receiver(Receiver),
}

/// A migration, the connection to its target and the store that decides.
pub(crate) struct Carrier {
    pub(crate) migration: Migration,
    end: End,
    frame: Vec<u8>,
    answer: Vec<u8>,
    epoch: u64,
}

/// The calls of which a turn of a host's loop consists.
pub(crate) const CALLS: [fn(&mut Carrier); 4] =
    [Carrier::transmit, Carrier::receive, Carrier::hear, Carrier::settle];

impl Carrier {
    /// Carries frames and answers to and fro until the migration ends.
    pub(crate) fn carry(&mut self) {
        while !self.migration.is_ended() {
            CALLS.iter().for_each(|call| call(self));
        }
    }

    fn transmit(&mut self) {
        self.frame.clear();
        self.migration.poll_transmit(&mut self.frame, FRAME_BYTES);
    }

    fn receive(&mut self) {
        self.answer.clear();
        match &mut self.end {
            End::Session(session) => {
                session.feed(&self.frame);
                self.answer.extend_from_slice(session.output());
                session.consume_output(self.answer.len());
            }
            End::Receiver(receiver) => receiver.handle_frame(&self.frame, &mut self.answer),
        }
    }

    fn hear(&mut self) {
        self.migration.handle_frame(&self.answer);
    }

    /// Lets time pass, and lets the store agree to whatever it is asked.
    fn settle(&mut self) {
        self.migration.handle_timeout();
        while let Some(event) = self.migration.poll_event() {
            match event {
                MigrationEvent::Decide(record) => {
                    self.epoch += 1;
                    let decision = Decision::Committed { epoch: self.epoch };
                    self.migration.handle_decision(record.slot, decision);
                }
                MigrationEvent::SlotMoved { .. } | MigrationEvent::Finished => {}
                failure => panic!("the slots move without a failure: {failure:?}"),
            }
        }
    }
}
