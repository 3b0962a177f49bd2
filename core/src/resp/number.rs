//! The text of numbers, as Redis reads and writes them. What a number means is the caller's.

mod binary;
mod double;
mod grisu;
mod integer;
mod long_double;

pub use double::{DoubleText, parse_f64, write_f64};
pub(crate) use double::{parse_c_double, write_f64_17, write_f64_human};
pub use integer::{parse_i64, parse_u64, write_i64, write_u64};
pub use long_double::LongDouble;
