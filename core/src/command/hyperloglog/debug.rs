//! What tests of HyperLogLogs look into: PFDEBUG and PFSELFTEST.

use crate::command::call::Call;
use crate::error::Error;
use crate::structs::hyperloglog::{REGISTERS, Registers, dense, place, sparse};
use crate::value::hyperloglog::{self, Form, HyperLogLog};
use std::fmt::Write;

pub(super) fn pfdebug(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let key = call.key(0);
    let prepared = call.keys.change(&key, |record| Ok((0, hyperloglog::prepare(record)?)))?;
    if prepared.is_none() {
        return Err(Error::err("The specified key does not exist"));
    }
    let subcommand = call.words[1];
    let is = |name: &[u8]| subcommand.eq_ignore_ascii_case(name);
    if is(b"getreg") {
        make_dense(call)?;
        reply_registers(call)
    } else if is(b"decode") {
        reply_runs(call)
    } else if is(b"encoding") {
        reply_form(call)
    } else if is(b"todense") {
        let changed = make_dense(call)?;
        call.out.integer(changed.into());
        Ok(())
    } else {
        Err(Error::repeating("Unknown PFDEBUG subcommand '", subcommand, "'"))
    }
}

fn make_dense(call: &mut Call<'_, '_>) -> Result<bool, Error> {
    let made = call.keys.change(&call.located[0], |record| {
        let changed = hyperloglog::make_dense(record)?;
        Ok::<_, Error>((changed.into(), changed))
    })?;
    Ok(made.is_some_and(|made| made.result))
}

fn reply_registers(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let Some(record) = call.keys.peek(&call.located[0]) else { return Ok(()) };
    let registers = HyperLogLog::read(record)?.registers()?;
    call.out.array(REGISTERS);
    registers.values().iter().for_each(|value| call.out.integer((*value).into()));
    Ok(())
}

/// Answers the runs: `z` and `Z` for zeros in the short and the long form, `v` for others.
fn reply_runs(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let Some(record) = call.keys.peek(&call.located[0]) else { return Ok(()) };
    let here = HyperLogLog::read(record)?;
    let Form::Sparse(runs) = here.form() else {
        return Err(Error::err("HLL encoding is not sparse"));
    };
    let mut text = String::new();
    for run in sparse::runs(runs) {
        let gap = if text.is_empty() { "" } else { " " };
        let written = match (run.value, run.is_long()) {
            (0, false) => write!(text, "{gap}z:{}", run.len),
            (0, true) => write!(text, "{gap}Z:{}", run.len),
            (value, _) => write!(text, "{gap}v:{value},{}", run.len),
        };
        written.expect("a text takes what is written to it");
    }
    call.out.bulk(text.as_bytes());
    Ok(())
}

fn reply_form(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let Some(record) = call.keys.peek(&call.located[0]) else { return Ok(()) };
    call.out.status(match HyperLogLog::read(record)?.form() {
        Form::Dense(_) => "dense",
        Form::Sparse(_) => "sparse",
    });
    Ok(())
}

/// Adds a hundred thousand elements to dense registers and to plain ones, compares the two, and
/// the estimates with what they should be.
pub(super) fn pfselftest(call: &mut Call<'_, '_>) -> Result<(), Error> {
    const ELEMENTS: u64 = 100_000;
    let seed = call.env.random();
    let mut packed = [0; dense::LEN];
    let mut plain = vec![0u8; REGISTERS];
    for met in 1..=ELEMENTS {
        let (index, value) = place(&(seed ^ met).to_le_bytes());
        dense::raise(&mut packed, index, value);
        plain[index] = plain[index].max(value);
        if met == 100 || met == 10_000 || met == ELEMENTS {
            check(&packed, &plain, met)?;
        }
    }
    call.out.ok();
    Ok(())
}

fn check(packed: &[u8; dense::LEN], plain: &[u8], met: u64) -> Result<(), Error> {
    let failed = |text: String| Error::repeating("TESTFAILED ", text.as_bytes(), "");
    for (index, expected) in plain.iter().enumerate() {
        let is = dense::get(packed, index);
        if is != *expected {
            let text = format!("Register {index} should be {expected} but is {is}");
            return Err(failed(text));
        }
    }
    let mut registers = Registers::new();
    registers.merge_dense(packed);
    let estimate = registers.histogram().estimate();
    // Six times the standard error.
    if estimate.abs_diff(met) * 100 > met * 5 {
        return Err(failed(format!("Too big error. card:{met} abserr:{}", estimate.abs_diff(met))));
    }
    Ok(())
}
