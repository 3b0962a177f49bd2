//! Registers as runs of equal ones, for as long as most of them are zero.
//!
//! ```text
//! 00llllll             a run of 1 to 64 registers that are zero
//! 01llllll llllllll    a run of 1 to 16,384 registers that are zero
//! 1vvvvvll             a run of 1 to 4 registers that hold 1 to 32
//! ```
//! Lengths and values are kept less one. A value that does not fit, or a list that would grow beyond
//! its limit, asks for the dense form.
//!
//! How a run is split, and which ones are joined afterwards, is Redis's way to the byte, since the
//! bytes are what GET and DUMP show: a register cuts its run in two or three, and then values that
//! meet are joined among five runs from the one before.

use super::REGISTERS;

const LONG: u8 = 0b0100_0000;
const VALUE: u8 = 0b1000_0000;
const SHORT_LEN_MAX: usize = 64;
const VALUE_LEN_MAX: usize = 4;
/// The greatest value that a run can have.
const VALUE_MAX: u8 = 32;
/// How many runs are looked at for joining.
const JOIN_RUNS: usize = 5;

/// All registers zero: one run.
pub(crate) const EMPTY: [u8; 2] = long(REGISTERS);

const fn long(len: usize) -> [u8; 2] {
    let less_one = (len - 1) as u16 | (LONG as u16) << 8;
    less_one.to_be_bytes()
}

/// Registers of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) value: u8,
    pub(crate) len: usize,
    /// The bytes that it takes.
    size: usize,
}

impl Run {
    /// Reads the run that begins here. The last byte may be missing where there should be two.
    #[inline]
    fn read(bytes: &[u8]) -> Option<Self> {
        let first = *bytes.first()?;
        Some(if first & VALUE != 0 {
            let (value, len) = ((first >> 2 & 0x1f) + 1, usize::from(first & 3) + 1);
            Self { value, len, size: 1 }
        } else if first & LONG != 0 {
            let second = bytes.get(1).copied().unwrap_or_default();
            let len = (usize::from(first & 0x3f) << 8 | usize::from(second)) + 1;
            Self { value: 0, len, size: 2 }
        } else {
            Self { value: 0, len: usize::from(first) + 1, size: 1 }
        })
    }

    /// Whether it takes the long form of a run of zeros.
    pub(crate) fn is_long(self) -> bool {
        self.size == 2
    }
}

/// The runs in order.
pub(crate) fn runs(mut bytes: &[u8]) -> impl Iterator<Item = Run> {
    std::iter::from_fn(move || {
        let run = Run::read(bytes)?;
        bytes = bytes.get(run.size..).unwrap_or_default();
        Some(run)
    })
}

/// Where to begin to look for a register: a run and the first register that it covers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    at: usize,
    register: usize,
}

impl Start {
    /// At the first run, which begins at this byte.
    pub(crate) fn new(at: usize) -> Self {
        Self { at, register: 0 }
    }
}

/// What a register needs to hold a value at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing, it does.
    Nothing,
    /// Another run in the place of one.
    Cut(Cut),
    /// There is no run that covers it.
    Damaged,
}

/// The run that covers a register, which shall hold a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Where the run begins, and the run before it, if there is one.
    at: usize,
    previous_at: usize,
    run: Run,
    /// Registers of the run before this one.
    before: usize,
    value: u8,
}

/// Finds what a register needs. A start that is used again finds the next register from where this
/// one was, for registers in ascending order.
pub(crate) fn find(bytes: &[u8], start: &mut Start, index: usize, value: u8) -> Need {
    let (mut at, mut first) = (start.at, start.register);
    let mut previous = None;
    loop {
        let Some(run) = Run::read(bytes.get(at..).unwrap_or_default()) else {
            return Need::Damaged;
        };
        if index < first + run.len {
            let previous_at = previous.map_or(at, |start: Start| start.at);
            let cut = Cut { at, previous_at, run, before: index - first, value };
            return if run.value < value { Need::Cut(cut) } else { Need::Nothing };
        }
        // Joining begins at the run before; the one before that stays as it is.
        *start = previous.unwrap_or(*start);
        previous = Some(Start { at, register: first });
        at += run.size;
        first += run.len;
    }
}

impl Cut {
    /// Sets the register in the bytes that it was found in, which may grow to `len_max`. False if
    /// that does not fit, and then nothing is changed.
    pub(crate) fn apply(self, bytes: &mut Vec<u8>, len_max: usize) -> bool {
        let Self { at, run, before, value, .. } = self;
        if value > VALUE_MAX {
            return false;
        }
        if run.len == 1 && run.size == 1 {
            bytes[at] = one(value);
        } else {
            let mut split = Split::default();
            split.push(run.value, before);
            split.push(value, 1);
            split.push(run.value, run.len - 1 - before);
            let old = at..bytes.len().min(at + run.size);
            let len = bytes.len() - old.len() + split.len;
            if len > bytes.len() && len > len_max {
                return false;
            }
            bytes.splice(old, split.bytes[..split.len].iter().copied());
        }
        join(bytes, self.previous_at);
        true
    }
}

/// A run of one register that holds a value.
fn one(value: u8) -> u8 {
    VALUE | (value - 1) << 2
}

/// The runs that take the place of one.
#[derive(Default)]
struct Split {
    bytes: [u8; 5],
    len: usize,
}

impl Split {
    fn push(&mut self, value: u8, len: usize) {
        let [first, second] = long(len.max(1));
        match (value, len) {
            (_, 0) => {}
            (0, ..=SHORT_LEN_MAX) => self.push_byte((len - 1) as u8),
            (0, _) => {
                self.push_byte(first);
                self.push_byte(second);
            }
            (value, len) => self.push_byte(one(value) | (len - 1) as u8),
        }
    }

    fn push_byte(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }
}

/// Joins neighbours of the same value, from a run on.
fn join(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOIN_RUNS {
        let Some(run) = Run::read(bytes.get(at..).unwrap_or_default()) else { return };
        if run.value > 0
            && let Some(next) = Run::read(&bytes[at + 1..])
            && next.value == run.value
            && run.len + next.len <= VALUE_LEN_MAX
        {
            // The joined run may be joined again with what follows.
            bytes.remove(at);
            bytes[at] = one(run.value) | (run.len + next.len - 1) as u8;
        } else {
            at += run.size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Registers;
    use super::*;
    use proptest::prelude::*;

    fn values(bytes: &[u8]) -> Vec<u8> {
        let mut registers = Registers::new();
        assert!(registers.merge_sparse(bytes), "{bytes:?}");
        registers.values().to_vec()
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Raised {
        No,
        Yes,
        TooLarge,
        Damaged,
    }

    fn raise(
        bytes: &mut Vec<u8>,
        start: &mut Start,
        index: usize,
        value: u8,
        len_max: usize,
    ) -> Raised {
        match find(bytes, start, index, value) {
            Need::Nothing => Raised::No,
            Need::Damaged => Raised::Damaged,
            Need::Cut(cut) if cut.apply(bytes, len_max) => Raised::Yes,
            Need::Cut(_) => Raised::TooLarge,
        }
    }

    fn raise_one(bytes: &mut Vec<u8>, index: usize, value: u8, len_max: usize) -> Raised {
        raise(bytes, &mut Start::new(0), index, value, len_max)
    }

    #[test]
    fn a_register_splits_a_run_in_three() {
        let mut bytes = EMPTY.to_vec();
        assert_eq!(bytes, [0x7f, 0xff]);
        assert_eq!(raise_one(&mut bytes, 100, 3, 100), Raised::Yes);
        assert_eq!(bytes, [0x40, 99, one(3), 0x7f, 0x9a]);
        assert_eq!(raise_one(&mut bytes, 10, 3, 100), Raised::Yes);
        assert_eq!(bytes, [9, one(3), 0x40, 88, one(3), 0x7f, 0x9a]);
        assert_eq!(raise_one(&mut bytes, 10, 3, 100), Raised::No);
        assert_eq!(raise_one(&mut bytes, 11, 3, 100), Raised::Yes);
        assert_eq!(bytes, [9, one(3) | 1, 0x40, 87, one(3), 0x7f, 0x9a]);
        assert_eq!(raise_one(&mut bytes, 10, 4, 100), Raised::Yes);
        assert_eq!(bytes, [9, one(4), one(3), 0x40, 87, one(3), 0x7f, 0x9a]);
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut bytes = EMPTY.to_vec();
        assert_eq!(raise_one(&mut bytes, 5, 33, 100), Raised::TooLarge);
        assert_eq!(raise_one(&mut bytes, 5, 1, 3), Raised::TooLarge);
        assert_eq!(bytes, EMPTY);
        assert_eq!(raise_one(&mut bytes, 0, 1, 3), Raised::Yes);
        assert_eq!(raise_one(&mut Vec::new(), 0, 1, 100), Raised::Damaged);
        assert_eq!(raise_one(&mut vec![0x3f], 64, 1, 100), Raised::Damaged);
    }

    fn any_changes() -> impl Strategy<Value = Vec<(usize, u8)>> {
        let index = prop_oneof![0usize..40, 0..REGISTERS, REGISTERS - 3..REGISTERS];
        prop::collection::vec((index, 1u8..5), 0..80)
    }

    proptest! {
        #[test]
        fn runs_agree_with_plain_registers(changes in any_changes()) {
            let mut bytes = EMPTY.to_vec();
            let mut twin = vec![0u8; REGISTERS];
            for (index, value) in changes {
                let raises = if twin[index] < value { Raised::Yes } else { Raised::No };
                prop_assert_eq!(raise_one(&mut bytes, index, value, 10_000), raises);
                twin[index] = twin[index].max(value);
                prop_assert!(values(&bytes) == twin);
            }
        }

        #[test]
        fn ascending_registers_with_one_start_make_the_same_bytes(
            before in any_changes(),
            mut changes in any_changes(),
        ) {
            let mut bytes = EMPTY.to_vec();
            for (index, value) in before {
                raise_one(&mut bytes, index, value, 10_000);
            }
            changes.sort_unstable();
            changes.dedup_by_key(|(index, _)| *index);
            let mut one_by_one = bytes.clone();
            let mut start = Start::new(0);
            for (index, value) in changes {
                let expected = raise_one(&mut one_by_one, index, value, 10_000);
                prop_assert_eq!(raise(&mut bytes, &mut start, index, value, 10_000), expected);
                prop_assert_eq!(&bytes, &one_by_one);
            }
        }

        #[test]
        fn damaged_runs_do_no_harm(
            mut bytes in prop::collection::vec(any::<u8>(), 0..60),
            index in 0..REGISTERS,
            value in 1u8..40,
        ) {
            let _ = raise_one(&mut bytes, index, value, 100);
            let _ = Registers::new().merge_sparse(&bytes);
        }
    }
}
