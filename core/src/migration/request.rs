//! Keys as requests that store them elsewhere: RESTORE in its forms. What is sent when is the
//! machine's or the command's business.

use crate::keyspace::Usage;
use crate::resp::number::write_u64;
use crate::structs::entry::Body;
use crate::value::{Record, dump};

/// How a key is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RestoreForm {
    /// By RESTORE-ASKING, which an importing slot takes.
    pub(crate) asking: bool,
    /// Over what the target has under this key.
    pub(crate) replace: bool,
    /// With the time of expiry and the idle time as they are, for which the clocks have to agree,
    /// or with how often it was used; otherwise with what is left of its time alone.
    pub(crate) absolute: bool,
    /// What the record's stamp tells.
    pub(crate) usage: Usage,
    /// The version of the RDB format that the payload claims.
    pub(crate) payload_version: u16,
}

/// Appends `RESTORE[-ASKING] key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds | FREQ counter]`.
pub(crate) fn write_restore(record: &Record, form: RestoreForm, now_ms: u64, out: &mut Vec<u8>) {
    let lately = form.absolute.then(|| Lately::of(record, form.usage, now_ms));
    let lately = lately.filter(|lately| *lately != Lately::Idle(0));
    let ttl_ms = match record.expire_ms() {
        None => 0,
        Some(at_ms) if form.absolute => at_ms,
        // Zero would stand for ever.
        Some(at_ms) => at_ms.saturating_sub(now_ms).max(1),
    };
    let options = [form.replace, form.absolute, lately.is_some(), lately.is_some()];
    out.push(b'*');
    write_u64(4 + options.into_iter().map(u64::from).sum::<u64>(), out);
    out.extend_from_slice(b"\r\n");
    write_bulk(if form.asking { b"RESTORE-ASKING" } else { b"RESTORE" }, out);
    write_bulk(record.key(), out);
    write_number(ttl_ms, out);
    write_payload(record, form.payload_version, out);
    if form.replace {
        write_bulk(b"REPLACE", out);
    }
    if form.absolute {
        write_bulk(b"ABSTTL", out);
    }
    match lately {
        None => {}
        Some(Lately::Idle(seconds)) => {
            write_bulk(b"IDLETIME", out);
            write_number(seconds.into(), out);
        }
        Some(Lately::Used(counter)) => {
            write_bulk(b"FREQ", out);
            write_number(counter.into(), out);
        }
    }
}

fn write_bulk(bytes: &[u8], out: &mut Vec<u8>) {
    write_head(bytes.len(), out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn write_head(len: usize, out: &mut Vec<u8>) {
    out.push(b'$');
    write_u64(len as u64, out);
    out.extend_from_slice(b"\r\n");
}

fn write_number(value: u64, out: &mut Vec<u8>) {
    let mut text = itoa::Buffer::new();
    write_bulk(text.format(value).as_bytes(), out);
}

/// Writes the payload where it belongs, behind the head of a guessed length, and then puts the head
/// right; a long value is moved only if the guess has too many digits or too few.
fn write_payload(record: &Record, version: u16, out: &mut Vec<u8>) {
    let guess = match record.body() {
        // From 64 bytes on a length takes another byte.
        Body::Bytes(bytes) => bytes.len() + SHORT_OVERHEAD + usize::from(bytes.len() >= 64),
        Body::Int(_) => SHORT_OVERHEAD,
        Body::Boxed(object) => object.footprint(),
    };
    let head_at = out.len();
    write_head(guess, out);
    let start = out.len();
    dump::dump(record, version, out);
    let len = out.len() - start;
    if len != guess {
        let mut head = Vec::new();
        write_head(len, &mut head);
        out.splice(head_at..start, head);
    }
    out.extend_from_slice(b"\r\n");
}

/// What the payload of a short text has beside it: type, length, version, checksum.
const SHORT_OVERHEAD: usize = 12;

/// How a record was used lately, as its stamp tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lately {
    /// Not for so many seconds.
    Idle(u32),
    /// So often, as a logarithm.
    Used(u8),
}

impl Lately {
    fn of(record: &Record, usage: Usage, now_ms: u64) -> Self {
        match usage {
            Usage::Recency => {
                let idle_s = Usage::idle_s(record.stamp(), now_ms);
                // The clock wraps; what lies in the future was set by one that was put back since.
                Self::Idle(if idle_s > IDLE_S_MAX { 0 } else { idle_s })
            }
            Usage::Frequency { .. } => Self::Used(usage.counter(record.stamp(), now_ms)),
        }
    }
}

/// Half of the time after which the clock wraps.
const IDLE_S_MAX: u32 = 1 << 23;
