//! Which steps the protocol can take, what must hold in every state, and how a state goes on when
//! nothing goes wrong any more.

use crate::protocol::{
    Command, Fence, Flaw, Frame, Import, Left, Moving, Question, Stage, State, Values,
};
use stateright::{Model, Property};

/// What can happen next; numbers are nodes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// A host begins to move the slot.
    Begin(usize),
    /// The client asks for something.
    Ask(usize, Command),
    /// Steps of a source for which nothing has to arrive.
    Own(usize, Own),
    Deliver(Frame),
    /// A source or a target was waiting for too long.
    GiveUp(usize),
    DropSilent(usize),
    Cancel(usize),
    Save(usize),
    NoteSaved(usize),
    /// The store comes to a question.
    CompareAndSet(Question),
    HearAnswer(usize),
    /// A host asks the store how it is.
    Look(usize),
    Refresh(usize),
    /// A host of a target acts late on what it was told.
    ActLate(usize),
    Crash(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Own {
    Walk,
    Cut,
    Drain,
    Prepare,
    Delete,
}

const OWN: [Own; 5] = [Own::Walk, Own::Cut, Own::Drain, Own::Prepare, Own::Delete];
const COMMANDS: [Command; 3] = [Command::Increment(0), Command::Increment(1), Command::Copy];

/// The protocol, with a flaw or without, from some beginnings.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    pub(crate) flaw: Flaw,
    pub(crate) first: Vec<(Values, Left)>,
}

impl Protocol {
    /// Whether a source can take a step of its own.
    pub(crate) fn can(state: &State, number: usize, own: Own) -> bool {
        let Some(moving) = &state.nodes[number].moving else { return false };
        let (feed, is_copying) = match &moving.stage {
            Stage::Copying(feed) => (feed, true),
            Stage::Draining(feed) => (feed, false),
            Stage::Deleting => return own == Own::Delete,
            _ => return false,
        };
        match own {
            Own::Walk => !feed.is_through(),
            Own::Cut => !feed.out.is_empty(),
            // What was through once is fenced though something else is to be sent again by now.
            Own::Drain => is_copying && feed.walked == 2,
            Own::Prepare => {
                let is_settled = moving.acked == moving.last && feed.out.is_empty();
                !is_copying && is_settled && feed.is_through()
            }
            Own::Delete => false,
        }
    }

    fn may_give_up(&self, stage: &Stage) -> bool {
        match stage {
            Stage::Opening | Stage::Copying(_) => true,
            Stage::Withdrawing { is_fenced, .. } => !is_fenced,
            Stage::Draining(_) | Stage::Preparing | Stage::Deciding => {
                self.flaw == Flaw::LiftsFenceInTime
            }
            Stage::Committing | Stage::Deleting => false,
        }
    }

    fn steps_of(&self, state: &State, number: usize, steps: &mut Vec<Step>) {
        let node = &state.nodes[number];
        let (is_owner, left) = (node.view.owner == number, state.left);
        if is_owner && node.moving.is_none() && node.import.is_none() && left.moves > 0 {
            steps.push(Step::Begin(number));
        }
        if is_owner && state.client.is_none() && left.writes > 0 {
            steps.extend(COMMANDS.map(|command| Step::Ask(number, command)));
        }
        let own = OWN.iter().filter(|own| Self::can(state, number, **own));
        steps.extend(own.map(|own| Step::Own(number, *own)));
        let stage = node.moving.as_ref().map(|moving| &moving.stage);
        if left.doubts > 0 {
            steps.extend(stage.filter(|it| self.may_give_up(it)).map(|_| Step::GiveUp(number)));
            let can_be_cancelled = matches!(
                stage,
                Some(Stage::Opening | Stage::Copying(_) | Stage::Draining(_) | Stage::Preparing)
            );
            steps.extend(can_be_cancelled.then_some(Step::Cancel(number)));
            let is_deciding = matches!(stage, Some(Stage::Deciding));
            steps.extend(is_deciding.then_some(Step::Look(number)));
            let is_partial =
                node.import.as_ref().is_some_and(|it| !it.is_prepared && !it.is_saving);
            steps.extend(is_partial.then_some(Step::DropSilent(number)));
        }
        if node.import.as_ref().is_some_and(|import| import.is_saving) {
            let is_saved = state.is_saved(number);
            steps.push(if is_saved { Step::NoteSaved(number) } else { Step::Save(number) });
        }
        steps.extend(node.answer.map(|_| Step::HearAnswer(number)));
        steps.push(Step::Refresh(number));
        if self.flaw == Flaw::AnswersFirst && state.is_late(number) {
            steps.push(Step::ActLate(number));
        }
        if left.crashes > 0 {
            steps.push(Step::Crash(number));
        }
    }

    pub(crate) fn take(&self, state: &mut State, step: &Step) {
        let flaw = self.flaw;
        match step {
            &Step::Begin(number) => state.begin(number),
            &Step::Ask(number, command) => state.ask(number, command, flaw),
            &Step::Own(number, own) => match own {
                Own::Walk => state.walk(number),
                Own::Cut => state.cut(number),
                Own::Drain => state.drain(number, flaw),
                Own::Prepare => state.prepare(number, flaw),
                Own::Delete => state.delete(number),
            },
            Step::Deliver(frame @ Frame::Ack(..)) => state.take_ack(frame, flaw),
            Step::Deliver(frame) => _ = state.receive(frame, flaw),
            &Step::GiveUp(number) => {
                state.left.doubts -= 1;
                state.give_up(number, flaw);
            }
            &Step::DropSilent(number) => {
                state.left.doubts -= 1;
                state.drop_silent(number, flaw);
            }
            &Step::Cancel(number) => {
                state.left.doubts -= 1;
                state.cancel(number, flaw);
            }
            &Step::Save(number) => state.save(number),
            &Step::NoteSaved(number) => state.note_saved(number, flaw),
            &Step::CompareAndSet(question) => state.compare_and_set(question),
            &Step::HearAnswer(number) => state.hear_answer(number, flaw),
            &Step::Look(number) => {
                state.left.doubts -= 1;
                state.look(number, flaw);
            }
            &Step::Refresh(number) => state.refresh(number, flaw),
            &Step::ActLate(number) => state.nodes[number].saved = None,
            &Step::Crash(number) => {
                state.left.crashes -= 1;
                state.crash(number, flaw);
            }
        }
    }

    /// How a state goes on when nothing is lost, nobody crashes and nobody begins anything.
    pub(crate) fn settle(&self, mut state: State) -> State {
        let quiet = Left { writes: 0, moves: 0, crashes: 0, doubts: 9, ..state.left };
        state.left = quiet;
        loop {
            let before = state.clone();
            for question in state.asked.clone() {
                state.compare_and_set(question);
            }
            (0..2).for_each(|number| self.settle_node(&mut state, number));
            if state != before {
                continue;
            }
            (0..2).for_each(|number| self.wait_in_vain(&mut state, number));
            state.left = Left { retries: state.left.retries, ..quiet };
            if state == before {
                return state;
            }
        }
    }

    fn settle_node(&self, state: &mut State, number: usize) {
        for own in OWN {
            while Self::can(state, number, own) {
                self.take(state, &Step::Own(number, own));
            }
        }
        for frame in outstanding(state, number) {
            let answer = state.receive(&frame, self.flaw);
            state.take_ack(&answer, self.flaw);
        }
        if state.nodes[number].import.as_ref().is_some_and(|import| import.is_saving) {
            state.save(number);
            state.note_saved(number, self.flaw);
        }
        if self.flaw == Flaw::AnswersFirst && state.is_late(number) {
            state.nodes[number].saved = None;
        }
        state.hear_answer(number, self.flaw);
        state.refresh(number, self.flaw);
    }

    fn wait_in_vain(&self, state: &mut State, number: usize) {
        let stage = state.nodes[number].moving.as_ref().map(|moving| &moving.stage);
        match stage {
            Some(Stage::Deciding) => _ = state.look(number, self.flaw),
            Some(stage) if self.may_give_up(stage) => state.give_up(number, self.flaw),
            _ => {}
        }
        let is_silent = |state: &State| {
            let attempt = state.nodes[number].import.as_ref().map(|import| import.header);
            let other = state.nodes[1 - number].moving.as_ref().map(|moving| moving.header);
            let import = state.nodes[number].import.as_ref();
            attempt != other && import.is_some_and(|it| !it.is_prepared && !it.is_saving)
        };
        if is_silent(state) {
            state.drop_silent(number, self.flaw);
        }
    }
}

/// What a source would send again now.
fn outstanding(state: &State, number: usize) -> Vec<Frame> {
    let Some(Moving { header, stage, acked, .. }) = &state.nodes[number].moving else {
        return Vec::new();
    };
    let is_due = |frame: &&Frame| match (frame, stage) {
        (Frame::Open(_), Stage::Opening) => true,
        (Frame::Data(_, sequence, _), Stage::Copying(_) | Stage::Draining(_)) => sequence > acked,
        (Frame::Prepare(..), Stage::Preparing) => true,
        (Frame::Commit(..), Stage::Committing) => true,
        (Frame::Abort(_), Stage::Withdrawing { .. }) => true,
        _ => false,
    };
    let frames = state.sent.iter().filter(|frame| frame.header() == *header);
    frames.filter(is_due).cloned().collect()
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        self.first.iter().map(|&(values, left)| State::new(values, left)).collect()
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        (0..2).for_each(|number| self.steps_of(state, number, steps));
        steps.extend(state.sent.iter().map(|frame| Step::Deliver(frame.clone())));
        steps.extend(state.asked.iter().map(|&question| Step::CompareAndSet(question)));
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        self.take(&mut next, &step);
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONE_ANSWERS, |_, state: &State| {
                (0..2).all(|number| !state.serves(number) || state.store.owner == number)
            }),
            Property::always(NOTHING_IS_LOST, |_, state: &State| {
                let shows = |number: usize| state.nodes[number].values == state.expected;
                (0..2).all(|number| !state.serves(number) || shows(number))
            }),
            Property::always(EPOCHS_GROW, |_, state: &State| {
                let epochs = |view: &crate::protocol::View| view.epochs;
                let of_nodes = state.nodes.iter().map(|node| epochs(&node.view));
                of_nodes.into_iter().all(|it| (0..2).all(|at| it[at] <= state.store.epochs[at]))
            }),
            Property::always(IT_ENDS, |model: &Self, state: &State| {
                let mut settled = model.settle(state.clone());
                let is_whole_now = is_whole(&settled);
                let owner = settled.store.owner;
                settled.left = Left { moves: 1, retries: 1, ..settled.left };
                settled.begin(owner);
                let next = model.settle(settled);
                let is_rid = next.nodes.iter().all(|node| node.import.is_none());
                is_whole_now && is_whole(&next) && next.store.owner != owner && is_rid
            }),
            Property::sometimes("the slot was there and is back", |_, state: &State| {
                state.moved == 2
            }),
            Property::sometimes("a client waits", |_, state: &State| {
                let waits = state.client.map(|(at, _)| state.nodes[at].fence);
                waits == Some(Fence::All)
            }),
        ]
    }
}

/// I1 and I4: who answers is the owner by the store, and so at most one node does.
pub(crate) const ONE_ANSWERS: &str = "who answers is the store's owner";
/// I2, I3, I9: who answers shows what was acknowledged, and nothing else.
pub(crate) const NOTHING_IS_LOST: &str = "who answers shows what was acknowledged";
pub(crate) const EPOCHS_GROW: &str = "nobody knows an epoch that the store does not";
/// I7, I10, I11: when faults stop, it ends, with the slot whole at one node and the client answered.
pub(crate) const IT_ENDS: &str = "it ends with the slot whole at one node";

/// Whether everything is over, and the slot at one node alone.
fn is_whole(state: &State) -> bool {
    let owner = state.store.owner;
    let other = &state.nodes[1 - owner];
    let is_idle = state.nodes.iter().all(|node| {
        // The source may have crashed before it asked the store, and knows nothing of it.
        let is_left = |import: &Import| import.is_prepared;
        node.moving.is_none() && node.import.as_ref().is_none_or(is_left)
    });
    is_idle
        && state.client.is_none()
        && state.serves(owner)
        && state.nodes[owner].values == state.expected
        && other.values == [0, 0]
        && other.view.owner == owner
}
