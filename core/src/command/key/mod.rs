//! Keys without regard for what they hold: removing, listing, moving, expiring and inspecting them.
//! Values are the business of their own families.

mod existence;
mod expire;
mod migrate;
mod object;
mod scan;
#[cfg(test)]
mod tests;
mod transfer;

pub(super) use expire::{remove_expiry, say_expiry};

use super::table::Command;

pub(super) const COMMANDS: [&[Command]; 6] = [
    existence::COMMANDS,
    scan::COMMANDS,
    transfer::COMMANDS,
    expire::COMMANDS,
    object::COMMANDS,
    migrate::COMMANDS,
];
