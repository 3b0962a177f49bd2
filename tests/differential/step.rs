//! What a stream consists of, and how it is printed. Carrying it out is `pair`'s work.

use std::fmt;

/// A command's words, its name first.
pub(crate) type Command = Vec<Vec<u8>>;

/// A part of a stream that makes sense alone, so that shrinking may keep or drop it.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Commands in a row, of which the last `answered` get replies.
    Send {
        /// The commands.
        commands: Vec<Command>,
        /// How many of them get replies.
        answered: usize,
    },
    /// The DUMP of a key at each side, restored at both.
    Exchange {
        /// The key to dump.
        source: Vec<u8>,
        /// RESTORE with all its words; the payload is put in the place of the fourth.
        restore: Command,
        /// Which byte of the payloads is damaged, counted from the end.
        damage: Option<usize>,
    },
    /// A SCAN or SSCAN from the start to the end.
    Scan {
        /// The words before the cursor.
        start: Command,
        /// MATCH, COUNT and TYPE.
        options: Command,
    },
    /// RANDOMKEY, and a look whether the key exists.
    RandomKey,
}

impl Step {
    /// One command with one reply.
    pub(crate) fn one(command: Command) -> Self {
        Self::Send { commands: vec![command], answered: 1 }
    }

    /// Commands that each get a reply.
    pub(crate) fn all(commands: Vec<Command>) -> Self {
        Self::Send { answered: commands.len(), commands }
    }
}

/// Makes a command of texts.
pub(crate) fn words<W: AsRef<[u8]>>(texts: &[W]) -> Command {
    texts.iter().map(|text| text.as_ref().to_vec()).collect()
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { commands, answered } => {
                for (at, command) in commands.iter().enumerate() {
                    let (gap, quiet) = (if at > 0 { "\n" } else { "" }, commands.len() - answered);
                    let mark = if at < quiet { " (not answered)" } else { "" };
                    write!(f, "{gap}{}{mark}", Line(command))?;
                }
                Ok(())
            }
            Self::Exchange { source, restore, damage } => {
                write!(f, "payload = DUMP {}; {}", Word(source), Line(restore))?;
                match damage {
                    Some(from_end) => write!(f, " (byte {from_end} from its end damaged)"),
                    None => Ok(()),
                }
            }
            Self::Scan { start, options } => {
                write!(f, "{} to the end {}", Line(start), Line(options))
            }
            Self::RandomKey => f.write_str("RANDOMKEY"),
        }
    }
}

/// Prints a command in one line.
pub(crate) struct Line<'a>(pub(crate) &'a Command);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.0.iter().enumerate() {
            write!(f, "{}{}", if at > 0 { " " } else { "" }, Word(word))?;
        }
        Ok(())
    }
}

/// Bytes of a word that are printed; of a longer one its length is told.
const PRINTED_MAX: usize = 400;

struct Word<'a>(&'a [u8]);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"'\\".contains(byte);
        match self.0 {
            [] => f.write_str("\"\""),
            word if word.len() > PRINTED_MAX => {
                write!(f, "\"{}\"... of {} bytes", word[..40].escape_ascii(), word.len())
            }
            word if word.iter().all(is_plain) => write!(f, "{}", word.escape_ascii()),
            word => write!(f, "\"{}\"", word.escape_ascii()),
        }
    }
}
