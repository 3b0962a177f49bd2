//! BITOP: strings combined bit by bit.

use crate::command::call::Call;
use crate::error::{Error, ErrorKind};
use crate::keyspace::{Access, Event, Expiry, Key};
use crate::structs::bits::combine;
use crate::value::string;
use std::convert::Infallible;
use std::ops::Range;

/// Strings are combined in blocks of so many bytes. A block of the result stays near the processor
/// while all sources are added to it, so that each byte of memory is moved once.
const BLOCK_LEN: usize = 16 << 10;

/// How the sources make the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    /// Set in all.
    And,
    /// Set in any.
    Or,
    /// Set in an odd number.
    Xor,
    /// Clear in the only one.
    Not,
    /// Set in the first and in no other.
    Diff,
    /// Set in another than the first and not in the first.
    Diff1,
    /// Set in the first and in another.
    AndOr,
    /// Set in exactly one.
    One,
}

impl Operation {
    fn parse(word: &[u8], sources: usize) -> Result<Self, Error> {
        const NAMES: [(&str, Operation); 8] = [
            ("AND", Operation::And),
            ("OR", Operation::Or),
            ("XOR", Operation::Xor),
            ("NOT", Operation::Not),
            ("DIFF", Operation::Diff),
            ("DIFF1", Operation::Diff1),
            ("ANDOR", Operation::AndOr),
            ("ONE", Operation::One),
        ];
        let known = NAMES.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
        let (name, operation) = *known.ok_or(Error::SYNTAX)?;
        match operation {
            Self::Not if sources != 1 => {
                Err(Error::err("BITOP NOT must be called with a single source key."))
            }
            Self::Diff | Self::Diff1 | Self::AndOr if sources < 2 => Err(Error::new(
                ErrorKind::Err,
                format!("BITOP {name} must be called with at least two source keys."),
            )),
            _ => Ok(operation),
        }
    }
}

/// A block of the result while the sources are added to it.
struct Block {
    operation: Operation,
    bytes: Vec<u8>,
    /// What is set in two sources or more, for [`Operation::One`].
    twice: Vec<u8>,
}

impl Block {
    /// A block of `len` bytes before the first source.
    fn new(operation: Operation, len: usize) -> Self {
        let twice = if operation == Operation::One { vec![0; len] } else { Vec::new() };
        Self { operation, bytes: vec![0; len], twice }
    }

    /// Starts anew with `len` bytes, no more than before.
    fn start(&mut self, len: usize) {
        self.bytes.truncate(len);
        self.bytes.fill(if self.operation == Operation::And { 0xff } else { 0 });
        self.twice.truncate(len);
        self.twice.fill(0);
    }

    /// Adds a source. The first one comes last, since some operations set it against what the
    /// others made together.
    fn add(&mut self, source: &[u8], is_first: bool) {
        match (self.operation, is_first) {
            (Operation::And, _) | (Operation::AndOr, true) => {
                combine(&mut self.bytes, source, |all, one| all & one);
            }
            (Operation::Or, _) | (Operation::Diff | Operation::Diff1 | Operation::AndOr, false) => {
                combine(&mut self.bytes, source, |all, one| all | one);
            }
            (Operation::Xor, _) => combine(&mut self.bytes, source, |all, one| all ^ one),
            (Operation::Not, _) => combine(&mut self.bytes, source, |_, one| !one),
            (Operation::Diff, true) => combine(&mut self.bytes, source, |all, one| one & !all),
            (Operation::Diff1, true) => combine(&mut self.bytes, source, |all, one| all & !one),
            (Operation::One, _) => {
                for ((twice, once), one) in self.twice.iter_mut().zip(&self.bytes).zip(source) {
                    *twice |= once & one;
                }
                combine(&mut self.bytes, source, |all, one| all | one);
            }
        }
    }

    /// The result.
    fn finish(&mut self) -> &[u8] {
        combine(&mut self.bytes, &self.twice, |once, twice| once & !twice);
        &self.bytes
    }
}

pub(super) fn bitop(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let operation = Operation::parse(call.words[1], call.words.len() - 3)?;
    let Some((target, sources)) = call.located.split_first() else { return Err(Error::SYNTAX) };
    let mut len = 0;
    for source in sources {
        len = len.max(call.keys.read(source).map_or(Ok(0), string::len)?);
    }
    if len == 0 {
        if call.keys.remove(target) {
            call.notify(Event::Generic, "del", target);
        }
    } else {
        let mut result = combined(call.keys, operation, target, sources, len);
        let body = string::plain_owned(&mut result);
        call.keys.put(target, string::TAG_RAW, body, Expiry::Never);
        call.notify(Event::String, "set", target);
    }
    call.out.integer(len as i64);
    Ok(())
}

/// The string of `len` bytes that an operation makes of strings. The target's own buffer is written
/// over where it is long enough, so that no new memory has to be cleared for it.
fn combined(
    keys: &mut Access<'_>,
    operation: Operation,
    target: &Key<'_>,
    sources: &[Key<'_>],
    len: usize,
) -> Vec<u8> {
    let buffer = take_buffer(keys, target, len);
    // The target may be a source as well; then its bytes are in the buffer, up to their own length.
    let own_len = buffer.as_ref().map(Vec::len);
    let mut result = buffer.unwrap_or_default();
    result.resize(len, 0);
    let mut block = Block::new(operation, len.min(BLOCK_LEN));
    for start in (0..len).step_by(BLOCK_LEN) {
        let range = start..len.min(start + BLOCK_LEN);
        block.start(range.len());
        for (number, source) in sources.iter().enumerate().rev() {
            match own_len {
                Some(own_len) if source.bytes == target.bytes => {
                    block.add(part(&result[..own_len], &range), number == 0);
                }
                _ => {
                    let text = keys.peek(source).and_then(|record| string::read(record).ok());
                    block.add(text.as_deref().map_or(&[], |text| part(text, &range)), number == 0);
                }
            }
        }
        result[range].copy_from_slice(block.finish());
    }
    result
}

/// Takes the buffer out of the target's string, if it has room for `len` bytes and not for many
/// more.
fn take_buffer(keys: &mut Access<'_>, target: &Key<'_>, len: usize) -> Option<Vec<u8>> {
    let room = len..=len.saturating_mul(2);
    let taken = keys.change(target, |record| {
        let wanted = |buffer: &Vec<u8>| room.contains(&buffer.capacity());
        Ok::<_, Infallible>((0, string::take_buffer(record, wanted)))
    });
    taken.ok().flatten()?.result
}

/// What a string has of a range.
fn part<'a>(text: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    &text[range.start.min(text.len())..range.end.min(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The naive twin: how many sources have the bit, and whether the first one has it.
    fn twin(operation: Operation, first: bool, count: usize, sources: usize) -> bool {
        match operation {
            Operation::And => count == sources,
            Operation::Or => count > 0,
            Operation::Xor => count % 2 == 1,
            Operation::Not => count == 0,
            Operation::Diff => first && count == 1,
            Operation::Diff1 => !first && count > 0,
            Operation::AndOr => first && count > 1,
            Operation::One => count == 1,
        }
    }

    fn any_operation() -> impl Strategy<Value = Operation> {
        prop::sample::select(vec![
            Operation::And,
            Operation::Or,
            Operation::Xor,
            Operation::Not,
            Operation::Diff,
            Operation::Diff1,
            Operation::AndOr,
            Operation::One,
        ])
    }

    proptest! {
        #[test]
        fn operations_agree_with_a_count_bit_by_bit(
            operation in any_operation(),
            sources in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 1..5),
        ) {
            let sources = if operation == Operation::Not { &sources[..1] } else { &sources };
            let len = sources.iter().map(Vec::len).max().unwrap_or_default();
            let mut block = Block::new(operation, 6);
            block.start(len);
            for (number, source) in sources.iter().enumerate().rev() {
                block.add(source, number == 0);
            }
            let result = block.finish().to_vec();
            let has = |source: &Vec<u8>, bit: usize| {
                source.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
            };
            for bit in 0..len * 8 {
                let count = sources.iter().filter(|source| has(source, bit)).count();
                let expected = twin(operation, has(&sources[0], bit), count, sources.len());
                prop_assert_eq!(has(&result, bit), expected);
            }
        }
    }
}
