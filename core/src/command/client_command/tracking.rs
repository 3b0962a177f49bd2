//! CLIENT TRACKING and what goes with it: a session that keeps copies says so, and asks how.

use crate::command::call::Call;
use crate::command::tracking::{Choice, Mode, option};
use crate::error::Error;
use std::sync::atomic::Ordering::Relaxed;

pub(super) fn tracking(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let exists = |id| call.env.sessions.card(id).is_some();
    let choice = Choice::parse(&call.words[3..], exists)?;
    match call.words[2].to_ascii_lowercase().as_slice() {
        b"on" => begin(call, &choice)?,
        b"off" => call.client.end_tracking(call.env, call.keys.keyspace()),
        _ => return Err(Error::SYNTAX),
    }
    call.out.ok();
    Ok(())
}

/// A caller without a session has nowhere to hear of anything.
fn begin(call: &mut Call<'_, '_>, choice: &Choice<'_>) -> Result<(), Error> {
    let own = call.env.tracking.prefixes_of(call.client.id);
    choice.check(call.client.tracking, &own)?;
    let Some(card) = call.client.card.clone().filter(|card| card.id != 0) else {
        return Err(Error::err("CLIENT TRACKING needs a session"));
    };
    // What a transaction has changed before is none of its business.
    call.env.tell_listeners(call.keys);
    call.env.tracking.begin(&card, choice, call.keys.keyspace());
    let caching = call.client.tracking.caching;
    call.client.tracking = Mode { id: card.id, options: choice.options | option::ON, caching };
    call.keys.look_for_interests();
    Ok(())
}

pub(super) fn caching(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let mode = &mut call.client.tracking;
    if !mode.is_on() {
        return Err(Error::err(
            "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or \
             OPTOUT mode enabled",
        ));
    }
    let is_yes = match call.words[2].to_ascii_lowercase().as_slice() {
        b"yes" => true,
        b"no" => false,
        _ => return Err(Error::SYNTAX),
    };
    if is_yes && !mode.has(option::OPTIN) {
        return Err(Error::err(
            "CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        ));
    }
    if !is_yes && !mode.has(option::OPTOUT) {
        return Err(Error::err(
            "CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        ));
    }
    mode.caching = true;
    call.out.ok();
    Ok(())
}

/// The number of the session that hears in this one's place: zero if it hears itself, and -1 if it
/// does not track.
fn redirect(call: &mut Call<'_, '_>) -> i64 {
    call.client.card().tracker.redirect().map_or(-1, |id| id as i64)
}

pub(super) fn getredir(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let redirect = redirect(call);
    call.out.integer(redirect);
    Ok(())
}

pub(super) fn trackinginfo(call: &mut Call<'_, '_>) -> Result<(), Error> {
    let mode = call.client.tracking;
    let is_broken = call.client.card().tracker.is_broken.load(Relaxed);
    let flags = [
        (!mode.is_on(), "off"),
        (mode.is_on(), "on"),
        (mode.has(option::BCAST), "bcast"),
        (mode.has(option::OPTIN), "optin"),
        (mode.has(option::OPTIN) && mode.caching, "caching-yes"),
        (mode.has(option::OPTOUT), "optout"),
        (mode.has(option::OPTOUT) && mode.caching, "caching-no"),
        (mode.has(option::NOLOOP), "noloop"),
        (is_broken, "broken_redirect"),
    ];
    let flags: Vec<&str> =
        flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect();
    let redirect = redirect(call);
    let prefixes = call.env.tracking.prefixes_of(call.client.id);
    call.out.map(3);
    call.out.bulk(b"flags");
    call.out.set(flags.len());
    flags.iter().for_each(|flag| call.out.bulk(flag.as_bytes()));
    call.out.bulk(b"redirect");
    call.out.integer(redirect);
    call.out.bulk(b"prefixes");
    call.out.array(prefixes.len());
    prefixes.iter().for_each(|prefix| call.out.bulk(prefix));
    Ok(())
}
