//! The random numbers of scripts: the sequence of `drand48` from its first state on, whatever chance
//! the engine was given.

use super::arguments::Arguments;
use super::fault::raise;
use mlua::{Error, Lua, MultiValue, Table};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The generator's state, 48 bits.
#[derive(Clone, Debug)]
pub(super) struct Random(Arc<AtomicU64>);

const MULTIPLIER: u64 = 0x5_deec_e66d;
const INCREMENT: u64 = 0xb;
const FIRST_STATE: u64 = 0x1234_abcd_330e;
const MASK: u64 = (1 << 48) - 1;
/// What a number is cut and divided by.
const RANGE: u32 = i32::MAX as u32;

impl Default for Random {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(FIRST_STATE)))
    }
}

fn start(seed: u32) -> u64 {
    u64::from(seed) << 16 | 0x330e
}

impl Random {
    /// Starts the sequence of a seed.
    fn seed(&self, seed: u32) {
        self.0.store(start(seed), Relaxed);
    }

    /// The next 31 bits.
    fn next(&self) -> u32 {
        let state = self.0.load(Relaxed).wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT) & MASK;
        self.0.store(state, Relaxed);
        (state >> 17) as u32
    }

    /// A number from zero on, below one.
    fn unit(&self) -> f64 {
        f64::from(self.next() % RANGE) / f64::from(RANGE)
    }

    /// The functions that take the place of Lua's.
    pub(super) fn table(&self, lua: &Lua) -> Result<Table, Error> {
        let table = lua.create_table()?;
        let own = self.clone();
        table.set("random", lua.create_function(move |lua, values| own.draw(lua, values))?)?;
        let own = self.clone();
        let reseed = move |lua: &Lua, values: MultiValue| {
            own.seed(Arguments::new(lua, values).integer(1)? as u32);
            Ok(())
        };
        table.set("randomseed", lua.create_function(reseed)?)?;
        Ok(table)
    }

    fn draw(&self, lua: &Lua, values: MultiValue) -> Result<f64, Error> {
        let arguments = Arguments::new(lua, values);
        let unit = self.unit();
        let (least, most, last) = match arguments.len() {
            0 => return Ok(unit),
            1 => (1, arguments.integer(1)? as i32, 1),
            2 => (arguments.integer(1)? as i32, arguments.integer(2)? as i32, 2),
            _ => return Err(raise(lua, "wrong number of arguments")),
        };
        if least > most {
            return Err(arguments.refuse(last, "interval is empty"));
        }
        let span = f64::from(most.wrapping_sub(least).wrapping_add(1));
        Ok((unit * span).floor() + f64::from(least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_of_a_seed_is_that_of_drand48() {
        let random = Random::default();
        assert_eq!(
            [random.next(), random.next(), random.next()],
            [851_401_618, 1_804_928_587, 758_783_491]
        );
        random.seed(0);
        assert_eq!([random.next(), random.next()], [366_850_414, 1_610_402_240]);
    }
}
