//! The session about itself: PING and its family.

use super::call::Call;
use super::table::{Command, Group, flag};
use crate::error::Error;

pub(super) const COMMANDS: &[Command] = &[Command {
    name: "ping",
    summary: "Returns the server's liveliness response.",
    group: Group::Connection,
    flags: flag::FAST,
    grammar: "[message]",
    handler: ping,
    ..Command::DEFAULT
}];

fn ping(call: &mut Call<'_, '_>) -> Result<(), Error> {
    match call.arguments() {
        [] => call.out.status("PONG"),
        [message] => call.out.bulk(message),
        _ => return Err(Error::arity("ping")),
    }
    Ok(())
}
