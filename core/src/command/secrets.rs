//! What of a request no log may show: passwords, and who has them.

use super::table::Spec;
use crate::config::Config;

/// Stands in place of a secret.
const REDACTED: &[u8] = b"(redacted)";

/// The words of a request as logs may show them.
pub(crate) fn redact<'a>(spec: &Spec, words: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let mut shown = words.to_vec();
    let is_secret = match &*spec.name {
        "auth" => |_: &[&[u8]], at: usize| at >= 1,
        "acl|setuser" | "acl|getuser" | "acl|deluser" => |_: &[&[u8]], at: usize| at >= 2,
        "config|set" => is_secret_value,
        "hello" => |words: &[&[u8]], at: usize| follows(words, at, b"auth", 2),
        "migrate" => |words: &[&[u8]], at: usize| {
            at > 6 && (follows(words, at, b"auth", 1) || follows(words, at, b"auth2", 2))
        },
        _ => return shown,
    };
    let secrets = shown.iter_mut().enumerate().filter(|(at, _)| is_secret(words, *at));
    secrets.for_each(|(_, word)| *word = REDACTED);
    shown
}

/// Whether a word is among the first `len` after a keyword.
fn follows(words: &[&[u8]], at: usize, keyword: &[u8], len: usize) -> bool {
    words[..at].iter().skip(1).rev().take(len).any(|word| word.eq_ignore_ascii_case(keyword))
}

fn is_secret_value(words: &[&[u8]], at: usize) -> bool {
    at >= 3 && at % 2 == 1 && Config::is_secret(words[at - 1])
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    fn shown(request: &str) -> String {
        let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
        let shown = redact(table::find(&words).unwrap(), &words);
        String::from_utf8(shown.join(&b' ')).unwrap()
    }

    #[test]
    fn secrets_are_left_out_and_nothing_else() {
        for (request, expected) in [
            ("AUTH pw", "AUTH (redacted)"),
            ("auth bob pw", "auth (redacted) (redacted)"),
            ("HELLO 2 AUTH bob pw SETNAME q", "HELLO 2 AUTH (redacted) (redacted) SETNAME q"),
            ("hello 3 setname q", "hello 3 setname q"),
            (
                "config set hz 20 requirepass x Tls-Key-File-Pass y",
                "config set hz 20 requirepass (redacted) Tls-Key-File-Pass (redacted)",
            ),
            ("config get requirepass", "config get requirepass"),
            ("migrate h 1 k 0 1 auth pw", "migrate h 1 k 0 1 auth (redacted)"),
            (
                "migrate h 1  0 1 AUTH2 u pw KEYS a b",
                "migrate h 1  0 1 AUTH2 (redacted) (redacted) KEYS a b",
            ),
            ("migrate h 1 auth 0 1", "migrate h 1 auth 0 1"),
            ("migrate h 1 k auth 1 copy", "migrate h 1 k auth 1 copy"),
            ("set auth pw", "set auth pw"),
        ] {
            if table::find(&[request.split(' ').next().unwrap().as_bytes()]).is_some() {
                assert_eq!(shown(request), expected);
            }
        }
    }
}
