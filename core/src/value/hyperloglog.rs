//! Strings that count distinct things. The registers are `structs::hyperloglog`'s; here are the
//! head that Redis puts in front of them, and the count that is remembered there.
//!
//! ```text
//! | HYLL | form | zeros | count, little endian | registers ...
//! | 4    | 1    | 3     | 8                    |
//! ```
//! The form is 0 for dense registers and 1 for sparse ones. The highest bit of the count says that
//! it has to be computed anew.

use super::Record;
use super::string::{self, TAG_RAW};
use crate::error::{Error, ErrorKind};
use crate::structs::hyperloglog::sparse::{self, Need, Start};
use crate::structs::hyperloglog::{Histogram, Registers, dense, place};
use std::borrow::Cow;

/// `WRONGTYPE Key is not a valid HyperLogLog string value.`
const NOT_ONE: Error =
    Error::fixed(ErrorKind::WrongType, "Key is not a valid HyperLogLog string value.");
/// `INVALIDOBJ Corrupted HLL object detected`
const CORRUPTED: Error =
    Error::fixed(ErrorKind::Foreign, "INVALIDOBJ Corrupted HLL object detected");

const MAGIC: &[u8] = b"HYLL";
const FORM_AT: usize = 4;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
const COUNT_AT: usize = 8;
const HEAD_LEN: usize = 16;
/// In the last byte of the count: it has to be computed anew.
const STALE: u8 = 0x80;
const DENSE_LEN: usize = HEAD_LEN + dense::LEN;

/// The registers of a HyperLogLog, in either form.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form<'a> {
    Dense(&'a [u8; dense::LEN]),
    Sparse(&'a [u8]),
}

/// The bytes of a HyperLogLog, whose head was checked.
#[derive(Debug)]
pub(crate) struct HyperLogLog<'a> {
    bytes: Cow<'a, [u8]>,
}

impl HyperLogLog<'static> {
    /// One that has met nothing.
    pub(crate) fn empty() -> Self {
        let mut bytes = vec![0; HEAD_LEN];
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        bytes[FORM_AT] = SPARSE;
        bytes.extend_from_slice(&sparse::EMPTY);
        Self { bytes: Cow::Owned(bytes) }
    }
}

impl<'a> HyperLogLog<'a> {
    /// The HyperLogLog of a record.
    ///
    /// # Errors
    /// `WRONGTYPE` if the record holds another type, or another string.
    pub(crate) fn read(record: &'a Record) -> Result<Self, Error> {
        match string::read(record)? {
            string::Text::Stored(bytes) if Self::is_head(bytes) => Ok(Self { bytes: bytes.into() }),
            string::Text::Stored(_) | string::Text::Printed(_) => Err(NOT_ONE),
        }
    }

    fn is_head(bytes: &[u8]) -> bool {
        bytes.len() >= HEAD_LEN
            && bytes.starts_with(MAGIC)
            && match bytes[FORM_AT] {
                DENSE => bytes.len() == DENSE_LEN,
                SPARSE => true,
                _ => false,
            }
    }

    /// The registers.
    pub(crate) fn form(&self) -> Form<'_> {
        let registers = &self.bytes[HEAD_LEN..];
        match registers.first_chunk() {
            Some(dense) if self.bytes[FORM_AT] == DENSE => Form::Dense(dense),
            _ => Form::Sparse(registers),
        }
    }

    /// Sets each of the registers to the greater of itself and the one here.
    ///
    /// # Errors
    /// `INVALIDOBJ` if there are not as many here as there have to be.
    pub(crate) fn merge_into(&self, registers: &mut Registers) -> Result<(), Error> {
        match self.form() {
            Form::Dense(packed) => registers.merge_dense(packed),
            Form::Sparse(runs) => {
                if !registers.merge_sparse(runs) {
                    return Err(CORRUPTED);
                }
            }
        }
        Ok(())
    }

    /// The registers, a byte each.
    ///
    /// # Errors
    /// `INVALIDOBJ` as in [`HyperLogLog::merge_into`].
    pub(crate) fn registers(&self) -> Result<Registers, Error> {
        let mut registers = Registers::new();
        self.merge_into(&mut registers)?;
        Ok(registers)
    }

    /// The count that was computed before, if nothing has changed since.
    pub(crate) fn remembered_count(&self) -> Option<u64> {
        let count = self.bytes.get(COUNT_AT..)?.first_chunk::<8>()?;
        (count[7] & STALE == 0).then(|| u64::from_le_bytes(*count))
    }

    /// Computes the count.
    ///
    /// # Errors
    /// `INVALIDOBJ` as in [`HyperLogLog::merge_into`].
    pub(crate) fn count(&self) -> Result<u64, Error> {
        let histogram = match self.form() {
            Form::Dense(_) => self.registers()?.histogram(),
            Form::Sparse(runs) => Histogram::of_runs(runs).ok_or(CORRUPTED)?,
        };
        Ok(histogram.estimate())
    }

    /// Meets elements. Sparse registers may take `len_max` bytes with the head; beyond, they become
    /// dense. Returns how often a register was set.
    ///
    /// # Errors
    /// `INVALIDOBJ` if a register is not there. The elements before have been met.
    fn add(&mut self, elements: &[&[u8]], len_max: usize) -> Result<u64, Error> {
        let mut changes = 0;
        for element in elements {
            let (index, value) = place(element);
            if self.raise(index, value, len_max)? {
                changes += 1;
                forget_count(self.bytes.to_mut());
            }
        }
        Ok(changes)
    }

    /// Sets a register, if it holds less. Returns whether it did.
    fn raise(&mut self, index: usize, value: u8, len_max: usize) -> Result<bool, Error> {
        if let Form::Sparse(_) = self.form() {
            match sparse::find(&self.bytes, &mut Start::new(HEAD_LEN), index, value) {
                Need::Nothing => return Ok(false),
                Need::Damaged => return Err(CORRUPTED),
                Need::Cut(cut) if cut.apply(self.bytes.to_mut(), len_max) => return Ok(true),
                Need::Cut(_) => self.make_dense()?,
            }
        }
        Ok(raise(self.bytes.to_mut(), index, value))
    }

    /// Packs all registers side by side.
    fn make_dense(&mut self) -> Result<(), Error> {
        if let Form::Sparse(_) = self.form() {
            let registers = self.registers()?;
            self.pack(&registers);
        }
        Ok(())
    }

    /// Takes these registers in the dense form.
    fn pack(&mut self, registers: &Registers) {
        let bytes = self.bytes.to_mut();
        bytes[FORM_AT] = DENSE;
        bytes.resize(DENSE_LEN, 0);
        if let Some(packed) = bytes[HEAD_LEN..].first_chunk_mut() {
            dense::pack(registers.values(), packed);
        }
    }

    /// Takes registers none of which is less than here. Those of the sparse form are set one by one,
    /// since that decides how they lie in runs and whether they become dense.
    fn raise_all(&mut self, registers: &Registers, is_dense: bool, len_max: usize) {
        if is_dense || !self.raise_sparse(registers, len_max) {
            self.pack(registers);
        }
        forget_count(self.bytes.to_mut());
    }

    /// Returns whether the registers can stay sparse.
    fn raise_sparse(&mut self, registers: &Registers, len_max: usize) -> bool {
        let bytes = self.bytes.to_mut();
        let mut start = Start::new(HEAD_LEN);
        let set = registers.values().iter().enumerate().filter(|(_, value)| **value > 0);
        for (index, value) in set {
            match sparse::find(bytes, &mut start, index, *value) {
                Need::Nothing => {}
                Need::Cut(cut) if cut.apply(bytes, len_max) => {}
                Need::Cut(_) | Need::Damaged => return false,
            }
        }
        true
    }

    /// What is stored if anything was changed.
    fn into_changed(self) -> Option<Vec<u8>> {
        match self.bytes {
            Cow::Owned(bytes) => Some(bytes),
            Cow::Borrowed(_) => None,
        }
    }
}

/// Sets a dense register, if it holds less. Returns whether it did.
fn raise(bytes: &mut [u8], index: usize, value: u8) -> bool {
    let packed = bytes[HEAD_LEN..].first_chunk_mut();
    packed.is_some_and(|packed| dense::raise(packed, index, value))
}

/// Marks the count as to be computed anew.
fn forget_count(bytes: &mut [u8]) {
    bytes[HEAD_LEN - 1] |= STALE;
}

/// A HyperLogLog that has met these elements.
pub(crate) fn new(elements: &[&[u8]], len_max: usize) -> Result<Vec<u8>, Error> {
    let mut fresh = HyperLogLog::empty();
    fresh.add(elements, len_max)?;
    let mut bytes = fresh.bytes.into_owned();
    forget_count(&mut bytes);
    Ok(bytes)
}

/// Checks that a record holds a HyperLogLog, and makes it a string that is changed in part, which
/// Redis keeps apart whether or not a change follows.
///
/// # Errors
/// `WRONGTYPE` if the record holds another type, or another string.
pub(crate) fn prepare(record: &mut Record) -> Result<(), Error> {
    HyperLogLog::read(record)?;
    string::change_bytes(record, 0, |_| false);
    Ok(())
}

/// Lets the HyperLogLog of a record meet elements. Returns how often a register was set.
///
/// # Errors
/// `WRONGTYPE`; `INVALIDOBJ` if a register is not there, and then the elements before have been met.
pub(crate) fn add(record: &mut Record, elements: &[&[u8]], len_max: usize) -> Result<u64, Error> {
    prepare(record)?;
    let mut here = HyperLogLog::read(record)?;
    if let Form::Dense(_) = here.form() {
        return Ok(add_dense(record, elements));
    }
    let changes = here.add(elements, len_max);
    store(record, here.into_changed());
    changes
}

/// As [`add`], where the registers are.
fn add_dense(record: &mut Record, elements: &[&[u8]]) -> u64 {
    let mut changes = 0;
    string::change_bytes(record, 0, |bytes| {
        for (index, value) in elements.iter().map(|element| place(element)) {
            changes += u64::from(raise(bytes, index, value));
        }
        if changes > 0 {
            forget_count(bytes);
        }
        changes > 0
    });
    changes
}

/// Stores the bytes if any were changed. Returns whether they were.
fn store(record: &mut Record, changed: Option<Vec<u8>>) -> bool {
    let Some(mut bytes) = changed else { return false };
    record.set_body(TAG_RAW, string::plain_owned(&mut bytes));
    true
}

/// Puts the registers of a record side by side. Returns whether they were not before.
///
/// # Errors
/// `WRONGTYPE` and `INVALIDOBJ`.
pub(crate) fn make_dense(record: &mut Record) -> Result<bool, Error> {
    prepare(record)?;
    let mut here = HyperLogLog::read(record)?;
    here.make_dense()?;
    let changed = here.into_changed();
    Ok(store(record, changed))
}

/// Counts what a record has met, and remembers the count. Returns it, and whether it was computed.
///
/// # Errors
/// `WRONGTYPE` and `INVALIDOBJ`.
pub(crate) fn count(record: &mut Record) -> Result<(u64, bool), Error> {
    prepare(record)?;
    let here = HyperLogLog::read(record)?;
    if let Some(count) = here.remembered_count() {
        return Ok((count, false));
    }
    let count = here.count()?;
    string::change_bytes(record, 0, |bytes| {
        bytes[COUNT_AT..HEAD_LEN].copy_from_slice(&count.to_le_bytes());
        true
    });
    Ok((count, true))
}

/// The bytes of a HyperLogLog that had these registers added, none of which is less than its own.
/// They are dense if `is_dense`, or if they do not fit in `len_max` bytes otherwise.
pub(crate) fn raised(
    target: Option<HyperLogLog<'_>>,
    registers: &Registers,
    is_dense: bool,
    len_max: usize,
) -> Vec<u8> {
    let mut target = target.unwrap_or(HyperLogLog::empty());
    target.raise_all(registers, is_dense, len_max);
    target.bytes.into_owned()
}
