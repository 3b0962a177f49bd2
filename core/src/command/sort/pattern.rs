//! Patterns of BY and GET: the key, or the field of a hash, that holds something for an element.

use crate::keyspace::Access;
use crate::slot::SlotScheme;
use crate::structs::listpack::Scratch;
use crate::value::hash::Hash;
use crate::value::string;

/// Where the value for an element is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pattern<'a> {
    /// `#`: it is the element.
    Element,
    /// A text without `*`, which names nothing.
    Nowhere,
    /// `before*after` or `before*after->field`, with the element in the place of the star.
    Key { before: &'a [u8], after: &'a [u8], field: Option<&'a [u8]> },
}

impl<'a> Pattern<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Self {
        if text == b"#" {
            return Self::Element;
        }
        // Redis looks for the star and for the arrow no further than a zero.
        let end = memchr::memchr(0, text).unwrap_or(text.len());
        let Some(star) = memchr::memchr(b'*', &text[..end]) else { return Self::Nowhere };
        let (before, after) = (&text[..star], &text[star + 1..]);
        let arrow = memchr::memmem::find(&text[star + 1..end], b"->");
        match arrow.filter(|at| star + 1 + at + 2 < end) {
            Some(at) => Self::Key { before, after: &after[..at], field: Some(&after[at + 2..]) },
            None => Self::Key { before, after, field: None },
        }
    }

    /// Lets `visit` see the value for an element, or that there is none: no such key, no such field,
    /// or a key of another type.
    pub(super) fn read<R>(
        &self,
        keys: &mut Access<'_>,
        db: usize,
        element: &[u8],
        visit: impl FnOnce(Option<&[u8]>) -> R,
    ) -> R {
        let (before, after, field) = match self {
            Self::Element => return visit(Some(element)),
            Self::Nowhere => return visit(None),
            Self::Key { before, after, field } => (before, after, field),
        };
        let name = [before, element, after].concat();
        let key = keys.keyspace().locate(db, &name);
        let now_ms = keys.unix_ms();
        let Some(record) = keys.read(&key) else { return visit(None) };
        match field {
            None => visit(string::read(record).ok().as_deref()),
            Some(field) => {
                let found = Hash::of(record, now_ms).ok().and_then(|hash| hash.get(field));
                visit(found.map(|value| value.text(&mut Scratch::new()).to_vec()).as_deref())
            }
        }
    }
}

/// The slot of all keys that a pattern names, if its hash tag says so.
pub(super) fn slot(text: &[u8], scheme: SlotScheme) -> Option<u16> {
    let fixed = text.iter().position(|byte| b"*?[\\".contains(byte));
    let Some(fixed) = fixed else { return Some(scheme.slot(text)) };
    let before = &text[..fixed];
    (scheme.tag(before).len() < before.len()).then(|| scheme.slot(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_a_key_or_a_field() {
        let key = |before, after, field| Pattern::Key { before, after, field };
        for (text, pattern) in [
            (&b"#"[..], Pattern::Element),
            (b"##", Pattern::Nowhere),
            (b"", Pattern::Nowhere),
            (b"name", Pattern::Nowhere),
            (b"a->b", Pattern::Nowhere),
            (b"a\0*", Pattern::Nowhere),
            (b"*", key(b"", b"", None)),
            (b"w_*_x", key(b"w_", b"_x", None)),
            (b"w_**", key(b"w_", b"*", None)),
            (b"w_*->f", key(b"w_", b"", Some(b"f"))),
            (b"w_*:x->f->g", key(b"w_", b":x", Some(b"f->g"))),
            (b"a->b*", key(b"a->b", b"", None)),
            (b"w_*->", key(b"w_", b"->", None)),
            (b"w_*-", key(b"w_", b"-", None)),
        ] {
            assert_eq!(Pattern::parse(text), pattern, "{text:?}");
        }
    }

    #[test]
    fn a_tag_before_the_star_decides_the_slot() {
        let scheme = SlotScheme::Redis;
        let of = |text: &str| slot(text.as_bytes(), scheme);
        assert_eq!(of("{t}*"), Some(scheme.slot(b"t")));
        assert_eq!(of("a{t}b*->f"), Some(scheme.slot(b"t")));
        assert_eq!(of("plain"), Some(scheme.slot(b"plain")));
        for text in ["*", "w_*", "*{t}", "{t*}", "{}*", "{t?}*", "{t*"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
