//! Users as the lines of a file. The core reads and writes no files: a host gives and takes the text.

use super::rule::{Refusal, has_spaces, join_selectors};
use super::user::User;
use crate::command::environment::Environment;
use crate::command::quoted::split_arguments;
use crate::error::{Error, ErrorKind};
use std::sync::Arc;

/// Where a host keeps the users of an engine, as Redis does in its `aclfile`: ACL LOAD, ACL SAVE and
/// the opening of the engine come here. The text is a line a user: `user NAME RULE...`.
pub trait AclStore: Send + Sync {
    /// What errors call it, such as the path of a file.
    fn name(&self) -> String;

    /// Reads the text.
    ///
    /// # Errors
    /// Why that cannot be done, for the error that ACL LOAD answers.
    fn load(&self) -> Result<Vec<u8>, String>;

    /// Writes the text in the place of what was there, whole or not at all.
    ///
    /// # Errors
    /// Why that cannot be done. It is not told to clients.
    fn save(&self, text: &[u8]) -> Result<(), String>;
}

const NO_STORE: Error = Error::err(
    "This Redis instance is not configured to use an ACL file. You may want to specify users via \
     the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis \
     configuration file set) in order to store users in the Redis configuration.",
);

/// Writes all users to the host's store.
pub(super) fn save(env: &Environment) -> Result<(), Error> {
    const FAILED: Error = Error::err(
        "There was an error trying to save the ACLs. Please check the server logs for more \
         information",
    );
    let store = env.users.store.as_deref().ok_or(NO_STORE)?;
    let mut text = Vec::new();
    for user in env.users.all() {
        text.extend(user.describe());
        text.push(b'\n');
    }
    store.save(&text).map_err(|_| FAILED)
}

/// A user as it was, and as it is now if it still is.
pub(super) type Changed = (Arc<User>, Option<Arc<User>>);

/// Puts the users of the host's store in the place of all, if each of its lines is right.
pub(super) fn load(env: &Environment) -> Result<Vec<Changed>, Error> {
    let store = env.users.store.as_deref().ok_or(NO_STORE)?;
    let name = store.name();
    let text = store.load().map_err(|why| {
        Error::new(ErrorKind::Err, format!("Error loading ACLs, opening file '{name}': {why}"))
    })?;
    let users = parse(env, &name, &text)?;
    let before = env.users.replace(users);
    let pair = |user: Arc<User>| {
        let now = env.users.find(&user.name);
        (user, now)
    };
    Ok(before.into_iter().map(pair).collect())
}

/// Makes one user that a setting declares.
pub(super) fn declare(env: &Environment, line: &[u8]) -> Result<(), Error> {
    let words = split_arguments(line).filter(|words| !words.is_empty());
    let words = words.ok_or(Error::err("Unbalanced quotes or no name in a user declaration"))?;
    let (name, rules) = (&words[0], &words[1..]);
    if has_spaces(name) {
        return Err(Error::repeating("Spaces not allowed in the user name '", name, "'"));
    }
    env.users.change(name, rules, env.config.new_users_hear_all()).map(drop)
}

/// Reads all lines, and says of all what is wrong with them.
fn parse(env: &Environment, name: &str, text: &[u8]) -> Result<Vec<User>, Error> {
    let mut users: Vec<User> = Vec::new();
    let mut wrong: Vec<u8> = Vec::new();
    for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let place = format!("{name}:{}", at + 1);
        match parse_line(env, line.trim_ascii(), &place, &mut wrong) {
            Some(user) if users.iter().any(|other| other.name == user.name) => {
                wrong.extend(b"WARNING: Duplicate user '");
                wrong.extend_from_slice(&user.name);
                wrong.extend(format!("' found on line {}. ", at + 1).as_bytes());
            }
            Some(user) => users.push(user),
            None => {}
        }
    }
    if wrong.is_empty() {
        return Ok(users);
    }
    wrong.extend(
        b"WARNING: ACL errors detected, no change to the previously active ACL rules was performed",
    );
    Err(Error::new(ErrorKind::Err, wrong))
}

/// Reads one line, which may be empty.
fn parse_line(env: &Environment, line: &[u8], place: &str, wrong: &mut Vec<u8>) -> Option<User> {
    if line.is_empty() {
        return None;
    }
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let [b"user", name, rules @ ..] = &words[..] else {
        let text = ": should start with user keyword followed by the username. ";
        wrong.extend([place, text].concat().into_bytes());
        return None;
    };
    if has_spaces(name) {
        let parts = [&b"'"[..], place.as_bytes(), b": username '", name];
        wrong.extend(parts.concat());
        wrong.extend(b"' contains invalid characters. ");
        return None;
    }
    let all_channels = env.config.new_users_hear_all();
    let mut user = env.users.fresh(name, all_channels);
    let Ok(rules) = join_selectors(rules) else {
        wrong.extend([place, ": Unmatched parenthesis in selector definition."].concat().bytes());
        return Some(user);
    };
    let mut is_told = false;
    for rule in &rules {
        let rule = rule.trim_ascii();
        match user.apply(rule, all_channels) {
            Ok(()) => {}
            // Names of commands are no secret.
            Err(refusal @ Refusal::UnknownName) => {
                let parts = [place.as_bytes(), b": Error in applying operation '", rule, b"': "];
                wrong.extend(parts.concat());
                wrong.extend(format!("{}. ", refusal.text()).into_bytes());
            }
            Err(refusal) if !is_told => {
                wrong.extend(format!("{place}: {}. ", refusal.text()).into_bytes());
                is_told = true;
            }
            Err(_) => {}
        }
    }
    Some(user)
}
