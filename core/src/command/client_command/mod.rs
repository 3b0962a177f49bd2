//! CLIENT and its subcommands: who is connected, under what name, and how replies are wanted.

mod entries;
mod filter;
mod line;
mod tracking;

pub(super) use entries::CLIENT;
pub(super) use line::line;

use super::call::Call;
use super::card::Card;
use super::client::ReplyMode;
use super::pause::Paused;
use super::wait::{Release, Timeout};
use crate::error::Error;
use crate::resp::number::parse_i64;
use filter::Filter;
use line::write_line;
use std::sync::Arc;

fn id(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.out.integer(call.client.id as i64);
    Ok(())
}

fn getname(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let labels = call.client.labels();
    if labels.name.is_empty() {
        call.out.null();
    } else {
        call.out.bulk(&labels.name);
    }
    Ok(())
}

fn setname(call: &mut Call<'_, '_>) -> Result<(), Error> {
    check_name(call.words[2])?;
    call.client.labels().name = call.words[2].to_vec();
    call.out.ok();
    Ok(())
}

/// Refuses a name that would break the lines of CLIENT LIST.
pub(super) fn check_name(name: &[u8]) -> Result<(), Error> {
    if is_plain(name) {
        return Ok(());
    }
    Err(Error::err("Client names cannot contain spaces, newlines or special characters."))
}

fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

fn setinfo(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (option, value) = (call.words[2], call.words[3]);
    let is_name = option.eq_ignore_ascii_case(b"lib-name");
    if !is_name && !option.eq_ignore_ascii_case(b"lib-ver") {
        return Err(Error::repeating("Unrecognized option '", option, "'"));
    }
    if !is_plain(value) {
        let why = " cannot contain spaces, newlines or special characters.";
        return Err(Error::repeating("", option, why));
    }
    let mut labels = call.client.labels();
    let label = if is_name { &mut labels.library_name } else { &mut labels.library_version };
    *label = value.to_vec();
    call.out.ok();
    Ok(())
}

fn reply(call: &mut Call<'_, '_>) -> Result<(), Error> {
    match call.words[2].to_ascii_lowercase().as_slice() {
        b"on" => {
            call.client.reply = ReplyMode::On;
            call.out.ok();
        }
        b"off" => call.client.reply = ReplyMode::Off,
        b"skip" if call.client.reply != ReplyMode::Off => call.client.reply = ReplyMode::SkipNext,
        b"skip" => {}
        _ => return Err(Error::SYNTAX),
    }
    Ok(())
}

fn no_evict(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.client.no_evict = parse_on_off(call.words[2])?;
    call.out.ok();
    Ok(())
}

fn no_touch(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.client.no_touch = parse_on_off(call.words[2])?;
    call.out.ok();
    Ok(())
}

/// Ends the wait of another session.
fn unblock(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let how = match &call.words[3..] {
        [] => Release::Timeout,
        [word] if word.eq_ignore_ascii_case(b"timeout") => Release::Timeout,
        [word] if word.eq_ignore_ascii_case(b"error") => Release::Error,
        [_] => return Err(Error::err("CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
        _ => return Err(too_many_words(call)),
    };
    let id = parse_i64(call.words[2]).ok_or(Error::NOT_INTEGER)?;
    let card = call.env.sessions.card(id as u64);
    let waiter = card.and_then(|card| card.waiter.lock().clone());
    let released = waiter.is_some_and(|waiter| waiter.release(Ok(how), &call.env.post));
    call.out.integer(released.into());
    Ok(())
}

fn parse_on_off(word: &[u8]) -> Result<bool, Error> {
    match word.to_ascii_lowercase().as_slice() {
        b"on" => Ok(true),
        b"off" => Ok(false),
        _ => Err(Error::SYNTAX),
    }
}

fn info(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let now_ms = call.time.unix_ms();
    call.client.card();
    call.client.publish(now_ms);
    let mut lines = Vec::new();
    write_line(call.client.card(), now_ms, &mut lines);
    call.out.verbatim(b"txt", &lines);
    Ok(())
}

fn list(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let filter = Filter::of_list(&call.words[2..], &call.env.users)?;
    let now_ms = call.time.unix_ms();
    call.client.publish(now_ms);
    let mut lines = Vec::new();
    for card in matching(call, &filter) {
        write_line(&card, now_ms, &mut lines);
    }
    call.out.verbatim(b"txt", &lines);
    Ok(())
}

/// The cards of the sessions that a filter holds for: in the order of their ids where it gives
/// some, and otherwise the oldest first.
fn matching(call: &Call<'_, '_>, filter: &Filter) -> Vec<Arc<Card>> {
    let (sessions, now_ms) = (&call.env.sessions, call.time.unix_ms());
    let mut cards = match filter.ids() {
        Some(ids) => ids.iter().filter_map(|&id| sessions.card(id)).collect(),
        None => sessions.cards(),
    };
    cards.retain(|card| filter.holds(card, call.client.id, now_ms));
    cards
}

/// Ends sessions: the one at an address, which may be the one that asks, or those that filters hold
/// for. The one that asks hears of it before it ends.
fn kill(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let (filter, is_old_form) = match &call.words[2..] {
        [address] => (Filter::of_address(address), true),
        words => (Filter::of_kill(words, &call.env.users)?, false),
    };
    let cards = matching(call, &filter);
    for card in &cards {
        if card.id == call.client.id {
            call.client.closing = true;
        } else {
            call.env.sessions.close(card.id);
            card.kill(&call.env.post);
        }
    }
    match (is_old_form, cards.len()) {
        (true, 0) => return Err(Error::err("No such client")),
        (true, _) => call.out.ok(),
        (false, killed) => call.out.integer(killed as i64),
    }
    Ok(())
}

fn pause(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let paused = match &call.words[3..] {
        [] => Paused::All,
        [word] if word.eq_ignore_ascii_case(b"all") => Paused::All,
        [word] if word.eq_ignore_ascii_case(b"write") => Paused::Writes,
        [_] => return Err(Error::err("CLIENT PAUSE mode must be WRITE or ALL")),
        _ => return Err(too_many_words(call)),
    };
    let now_ms = call.time.unix_ms();
    if let Timeout(Some(ms)) = Timeout::milliseconds(call.words[2], now_ms)? {
        call.env.pause.begin(paused, now_ms + ms, now_ms);
    }
    call.out.ok();
    Ok(())
}

fn unpause(call: &mut Call<'_, '_>) -> Result<(), Error> {
    call.env.pause.end(&call.env.post);
    call.out.ok();
    Ok(())
}

fn too_many_words(call: &Call<'_, '_>) -> Error {
    let start = "unknown subcommand or wrong number of arguments for '";
    Error::repeating(start, call.words[1], "'. Try CLIENT HELP.")
}
