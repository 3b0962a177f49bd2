//! LCS: the longest common subsequence of two strings, its length, or where its runs lie.
//!
//! The plain algorithm fills a table whose cell (i, j) is the length of the longest common
//! subsequence of the first i bytes of `a` and the first j of `b`. Neighbours in a row differ by
//! 0 or 1, so a row is one bit per cell, and a whole word of cells follows from the row above by
//! an addition, whose carry is what runs along the row (Hyyrö, "Bit-parallel LCS-length computation
//! revisited", 2004). A bit is 0 where the length grows by one from the cell to its left.

use crate::command::call::Call;
use crate::error::Error;
use crate::keyspace::{Access, Key};
use crate::resp::ReplySink;
use crate::resp::number::parse_i64;
use crate::value::string;

/// What LCS's options say.
#[derive(Debug, Default)]
struct LcsOptions {
    len: bool,
    idx: bool,
    with_match_len: bool,
    match_len_min: i64,
}

impl LcsOptions {
    fn parse(words: &[&[u8]]) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
            if is(b"idx") {
                options.idx = true;
            } else if is(b"len") {
                options.len = true;
            } else if is(b"withmatchlen") {
                options.with_match_len = true;
            } else if is(b"minmatchlen") {
                let number = words.next().ok_or(Error::SYNTAX)?;
                options.match_len_min = parse_i64(number).ok_or(Error::NOT_INTEGER)?;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        if options.idx && options.len {
            return Err(Error::err(
                "If you want both the length and indexes, please just use IDX.",
            ));
        }
        Ok(options)
    }
}

pub(super) fn lcs(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let a = text_of(call.keys, &call.located[0]);
    let b = text_of(call.keys, &call.located[1]);
    let (Some(a), Some(b)) = (a, b) else {
        return Err(Error::err("The specified keys must contain string values"));
    };
    let options = LcsOptions::parse(&call.words[3..])?;
    check_size(a.len() as u64, b.len() as u64, super::len_max(call))?;
    if options.len {
        call.out.integer(Table::fill(&a, &b, Rows::Last).common_len() as i64);
        return Ok(());
    }
    let table = Table::fill(&a, &b, Rows::All);
    let runs = table.runs(&a, &b);
    if options.idx {
        reply_runs(call.out, &options, &runs, table.common_len());
    } else {
        let mut common = Vec::with_capacity(table.common_len());
        for run in runs.iter().rev() {
            common.extend_from_slice(&a[run.a..run.a + run.len]);
        }
        call.out.bulk(&common);
    }
    Ok(())
}

/// The text of a key, empty if there is no such key; none if it holds another type.
fn text_of(keys: &mut Access<'_>, key: &Key<'_>) -> Option<Vec<u8>> {
    match keys.read(key) {
        None => Some(Vec::new()),
        Some(record) => string::read(record).ok().map(|text| text.to_vec()),
    }
}

/// Refuses what Redis refuses for its table of 32-bit cells.
fn check_size(a_len: u64, b_len: u64, len_max: u64) -> Result<(), Error> {
    const TEXT_LEN_MAX: u64 = u32::MAX as u64 - 1;
    if a_len >= TEXT_LEN_MAX || b_len >= TEXT_LEN_MAX {
        return Err(Error::err("String too long for LCS"));
    }
    let table_bytes = u128::from(a_len + 1) * u128::from(b_len + 1) * size_of::<u32>() as u128;
    if table_bytes > u128::from(len_max) {
        return Err(Error::err(
            "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    Ok(())
}

/// Replies with the runs, the last first.
fn reply_runs(out: &mut dyn ReplySink, options: &LcsOptions, runs: &[Run], common_len: usize) {
    let is_long = |run: &&Run| run.len as i64 >= options.match_len_min;
    out.map(2);
    out.bulk(b"matches");
    out.array(runs.iter().filter(is_long).count());
    for run in runs.iter().filter(is_long) {
        out.array(if options.with_match_len { 3 } else { 2 });
        for start in [run.a, run.b] {
            out.array(2);
            out.integer(start as i64);
            out.integer((start + run.len - 1) as i64);
        }
        if options.with_match_len {
            out.integer(run.len as i64);
        }
    }
    out.bulk(b"len");
    out.integer(common_len as i64);
}

/// A stretch of bytes that both strings have in common: where it starts in each, and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    a: usize,
    b: usize,
    len: usize,
}

/// Which rows of the table are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// All, so that the way back can be found.
    All,
    /// The last, which has the length.
    Last,
}

/// The rows of the table, one bit per cell, a row's first cell in the lowest bit of its first word.
struct Table {
    rows: Vec<u64>,
    row_words: usize,
    b_len: usize,
}

impl Table {
    fn fill(a: &[u8], b: &[u8], keep: Rows) -> Self {
        let row_words = b.len().div_ceil(64);
        let places = Places::new(a, b);
        let mut row = vec![u64::MAX; row_words];
        let mut rows = Vec::with_capacity(if keep == Rows::All { a.len() * row_words } else { 0 });
        for &byte in a {
            next_row(&mut row, places.of(byte));
            if keep == Rows::All {
                rows.extend_from_slice(&row);
            }
        }
        if keep == Rows::Last || a.is_empty() {
            rows = row;
        }
        Self { rows, row_words, b_len: b.len() }
    }

    /// The length of the longest common subsequence: how often the last row grows.
    fn common_len(&self) -> usize {
        // The bits past the end of `b` never match, so they stay 1 and are not counted.
        let last = &self.rows[self.rows.len() - self.row_words..];
        last.iter().map(|word| word.count_zeros() as usize).sum()
    }

    /// Whether the length grows from cell (`i`, `j` - 1) to cell (`i`, `j`), counted from 1.
    fn grows(&self, i: usize, j: usize) -> bool {
        let word = self.rows[(i - 1) * self.row_words + (j - 1) / 64];
        word >> ((j - 1) % 64) & 1 == 0
    }

    /// The runs of the subsequence that Redis finds, the last first. Needs all rows.
    fn runs(&self, a: &[u8], b: &[u8]) -> Vec<Run> {
        let mut runs = Vec::new();
        let mut open: Option<Run> = None;
        let (mut i, mut j) = (a.len(), self.b_len);
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                let len = open.map_or(1, |run| run.len + 1);
                open = Some(Run { a: i, b: j, len });
                continue;
            }
            runs.extend(open.take());
            // Where the bytes differ, growth along the row means that the cell above is larger
            // than the cell to the left.
            if self.grows(i, j) {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        runs.extend(open);
        runs
    }
}

/// Turns a row into the one below it, for a byte of `a` that stands at `places` in `b`.
fn next_row(row: &mut [u64], places: &[u64]) {
    let mut carry = false;
    for (cells, &matches) in row.iter_mut().zip(places) {
        let hits = *cells & matches;
        let (sum, over) = cells.overflowing_add(hits);
        let (sum, over_carry) = sum.overflowing_add(carry.into());
        carry = over | over_carry;
        *cells = sum | (*cells & !matches);
    }
}

/// Where each byte of `a` stands in `b`: a row of bits per byte value.
struct Places {
    row_of: [u16; 256],
    rows: Vec<u64>,
    row_words: usize,
}

impl Places {
    fn new(a: &[u8], b: &[u8]) -> Self {
        const NONE: u16 = u16::MAX;
        let row_words = b.len().div_ceil(64);
        let mut row_of = [NONE; 256];
        let mut count = 0;
        for &byte in a {
            let row = &mut row_of[usize::from(byte)];
            if *row == NONE {
                *row = count;
                count += 1;
            }
        }
        let mut rows = vec![0; usize::from(count) * row_words];
        for (at, &byte) in b.iter().enumerate() {
            let row = row_of[usize::from(byte)];
            if row != NONE {
                rows[usize::from(row) * row_words + at / 64] |= 1 << (at % 64);
            }
        }
        Self { row_of, rows, row_words }
    }

    /// The places of a byte that `a` has.
    fn of(&self, byte: u8) -> &[u64] {
        let start = usize::from(self.row_of[usize::from(byte)]) * self.row_words;
        &self.rows[start..start + self.row_words]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The naive twin: the table of lengths, and the way back through it.
    fn twin(a: &[u8], b: &[u8]) -> (usize, Vec<Run>) {
        let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                table[i][j] = if a[i - 1] == b[j - 1] {
                    table[i - 1][j - 1] + 1
                } else {
                    table[i - 1][j].max(table[i][j - 1])
                };
            }
        }
        let mut runs: Vec<Run> = Vec::new();
        let (mut i, mut j) = (a.len(), b.len());
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                i -= 1;
                j -= 1;
                match runs.last_mut().filter(|run| run.a == i + 1 && run.b == j + 1) {
                    Some(run) => *run = Run { a: i, b: j, len: run.len + 1 },
                    None => runs.push(Run { a: i, b: j, len: 1 }),
                }
            } else if table[i - 1][j] > table[i][j - 1] {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        (table[a.len()][b.len()], runs)
    }

    fn check(a: &[u8], b: &[u8]) {
        let (len, runs) = twin(a, b);
        let table = Table::fill(a, b, Rows::All);
        assert_eq!(table.common_len(), len);
        assert_eq!(table.runs(a, b), runs);
        assert_eq!(Table::fill(a, b, Rows::Last).common_len(), len);
    }

    #[test]
    fn strings_without_a_byte_have_nothing_in_common() {
        check(b"", b"");
        check(b"", b"abc");
        check(b"abc", b"");
        check(b"abc", b"xyz");
    }

    #[test]
    fn the_documented_example_has_its_runs() {
        let (a, b) = (b"ohmytext", b"mynewtext");
        let runs = [Run { a: 4, b: 5, len: 4 }, Run { a: 2, b: 0, len: 2 }];
        assert_eq!(Table::fill(a, b, Rows::All).runs(a, b), runs);
    }

    #[test]
    fn strings_whose_table_would_be_too_large_are_refused() {
        let max = 512 << 20;
        assert!(check_size(11_584, 11_584, max).is_ok());
        assert!(check_size(11_585, 11_585, max).is_err());
        assert!(check_size(u32::MAX.into(), 0, max).is_err());
    }

    proptest! {
        #[test]
        fn agrees_with_the_table_of_lengths(a in "[abc]{0,200}", b in "[abc]{0,200}") {
            check(a.as_bytes(), b.as_bytes());
        }

        #[test]
        fn agrees_on_bytes_of_any_kind(
            a in prop::collection::vec(any::<u8>(), 0..150),
            b in prop::collection::vec(any::<u8>(), 0..150),
        ) {
            check(&a, &b);
        }
    }
}
