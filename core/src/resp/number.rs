//! The text of numbers, as Redis reads and writes them. What a number means is the caller's.

mod double;
mod grisu;
mod integer;

pub use double::DoubleText;
pub use integer::{parse_i64, parse_u64, write_i64, write_u64};
