//! LOLWUT: a small picture that a cellular automaton draws, and the version, which clients read.

use super::call::Call;
use super::connection::REDIS_VERSION;
use super::table::{Command, Group, flag};
use crate::error::Error;
use crate::resp::number::parse_i64;

pub(super) const LOLWUT: Command = Command {
    name: "lolwut",
    summary: "Displays computer art and the Redis version",
    since: "5.0.0",
    complexity: "",
    group: Group::Server,
    flags: flag::READONLY | flag::FAST,
    grammar: "[VERSION version:integer]",
    arity: Some(-1),
    handler: lolwut,
    ..Command::DEFAULT
};

/// Rules of the automaton, by Wolfram's numbers, whose pictures are worth a look.
const RULES: [u8; 6] = [30, 45, 73, 90, 110, 150];
const COLUMNS: usize = 66;
const ROWS: usize = 16;
const COLUMNS_MAX: i64 = 1000;
const ROWS_MAX: i64 = 500;

/// Draws one picture for all versions: `LOLWUT [VERSION version] [columns] [rows]`. Words that are
/// no numbers are let be, as in Redis.
fn lolwut(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let sizes = match call.arguments() {
        [word, version, sizes @ ..] if word.eq_ignore_ascii_case(b"version") => {
            parse_i64(version).ok_or(Error::NOT_INTEGER)?;
            sizes
        }
        sizes => sizes,
    };
    let size = |at: usize, default: usize, max: i64| {
        let given = sizes.get(at).and_then(|word| parse_i64(word));
        given.map_or(default, |given| given.clamp(1, max) as usize)
    };
    let (columns, rows) = (size(0, COLUMNS, COLUMNS_MAX), size(1, ROWS, ROWS_MAX));
    let chance = call.env.random();
    let rule = RULES[(chance % RULES.len() as u64) as usize];
    let mut text = draw(rule, chance, columns, rows);
    text += &format!("\nRule {rule}, from a few cells by chance. Redis ver. {REDIS_VERSION}\n");
    call.out.verbatim(b"txt", text.as_bytes());
    Ok(())
}

/// Draws two generations to a row of half blocks. The bits of `chance` seed the first one.
fn draw(rule: u8, chance: u64, columns: usize, rows: usize) -> String {
    let mut cells: Vec<bool> = (0..columns).map(|at| at == columns / 2).collect();
    for seed in 0..3 {
        cells[(chance >> (8 + 16 * seed)) as u16 as usize % columns] = true;
    }
    let mut text = String::new();
    for _ in 0..rows {
        let below = next_generation(rule, &cells);
        text.extend(cells.iter().zip(&below).map(|pair| match pair {
            (false, false) => ' ',
            (true, false) => '▀',
            (false, true) => '▄',
            (true, true) => '█',
        }));
        text.push('\n');
        cells = next_generation(rule, &below);
    }
    text
}

/// The generation after `cells`, which close to a ring: a cell and its two neighbours are a number,
/// and that bit of the rule is the cell's next state.
fn next_generation(rule: u8, cells: &[bool]) -> Vec<bool> {
    let count = cells.len();
    let cell = |at: usize| usize::from(cells[at % count]);
    let next = |at: usize| {
        let neighbours = cell(at + count - 1) << 2 | cell(at) << 1 | cell(at + 1);
        rule >> neighbours & 1 == 1
    };
    (0..count).map(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_90_draws_sierpinskis_triangle() {
        let first: Vec<bool> = (0..7).map(|at| at == 3).collect();
        let second = next_generation(90, &first);
        assert_eq!(second, [false, false, true, false, true, false, false]);
        assert_eq!(next_generation(90, &second), [false, true, false, false, false, true, false]);
    }
}
