//! Sets that are made whole: results that are stored, and values that come from payloads.

use super::{Members, TAG, TAG_INTSET, has_room, intset_len_max, packed};
use crate::structs::intset;
use crate::structs::listpack::{self, Element};
use crate::structs::member::Member;
use crate::value::{Limits, Object};

/// How a set is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Integers,
    Packed,
    Table,
}

/// A set on its way into a record.
#[derive(Debug)]
pub(crate) enum NewSet {
    /// Bytes that lie inside the record, with their tag.
    Inside(u8, Vec<u8>),
    /// A table, for which the tag is [`TAG`].
    Table(Box<Object>),
}

impl Form {
    /// What a set of this form is after these members were added, one after the other.
    pub(crate) fn after<'e>(
        self,
        members: impl IntoIterator<Item = Element<'e>>,
        limits: &Limits,
    ) -> Self {
        let mut form = self;
        let (mut len, mut bytes, mut longest) = (0, 0, 0);
        for element in members {
            let text_len = element.len();
            form = match (form, element) {
                (Self::Integers, Element::Int(_)) if len < intset_len_max(limits) => form,
                (Self::Integers, Element::Bytes(_)) if longest <= limits.set.value_len => {
                    Self::Packed
                }
                (Self::Integers, _) => Self::Table,
                (Self::Packed | Self::Table, _) => form,
            };
            if form == Self::Packed && !has_room(len, bytes, element, limits) {
                form = Self::Table;
            }
            if form == Self::Table {
                return form;
            }
            len += 1;
            bytes += element.size();
            longest = longest.max(text_len);
        }
        form
    }

    /// What SINTERSTORE makes of its result, when the smallest set was of this form: an intset
    /// wherever that is possible.
    pub(crate) fn of_intersection(self, members: &[Element<'_>], limits: &Limits) -> Self {
        let are_integers = members.iter().all(|element| matches!(element, Element::Int(_)));
        if are_integers && members.len() <= intset_len_max(limits) {
            return Self::Integers;
        }
        let start = if self == Self::Integers { self } else { Self::Packed };
        start.after(members.iter().copied(), limits)
    }
}

impl NewSet {
    /// A set in this form. None if an element is there twice, or does not fit the form.
    pub(crate) fn checked(form: Form, elements: &[Element<'_>], limits: &Limits) -> Option<Self> {
        match form {
            Form::Integers => Self::integers(elements),
            Form::Packed => {
                let mut bytes = listpack::EMPTY.to_vec();
                for &element in elements {
                    let pack = listpack::Listpack::new(&bytes);
                    if super::find(pack, element).is_some() {
                        return None;
                    }
                    listpack::push(&mut bytes, &[element]);
                }
                Some(Self::Inside(TAG, bytes))
            }
            Form::Table => {
                let mut members = Members::new(limits.seed);
                let all_new = elements.iter().all(|element| members.add(*element));
                all_new.then(|| Self::table(members))
            }
        }
    }

    /// A set in this form, of elements that are there once each and fit it.
    pub(crate) fn of_distinct(form: Form, elements: &[Element<'_>], limits: &Limits) -> Self {
        match form {
            Form::Integers => Self::integers(elements).expect("they are distinct integers"),
            Form::Packed => Self::Inside(TAG, packed(elements.iter().copied())),
            Form::Table => {
                let mut members = Members::with_room(elements.len(), limits.seed);
                members.add_all_new(elements);
                Self::table(members)
            }
        }
    }

    /// What is left of a table, in the form that Redis gives it.
    pub(super) fn of_members(members: Vec<Member>, limits: &Limits) -> Self {
        let elements = || members.iter().map(Member::element);
        if Form::Packed.after(elements(), limits) == Form::Packed {
            return Self::Inside(TAG, packed(elements()));
        }
        let mut table = Members::with_room(members.len(), limits.seed);
        members.into_iter().for_each(|member| table.add_new_member(member));
        Self::table(table)
    }

    fn table(members: Members) -> Self {
        Self::Table(Box::new(Object::Set(members)))
    }

    fn integers(elements: &[Element<'_>]) -> Option<Self> {
        let integer = |element: &Element<'_>| match element {
            Element::Int(value) => Some(*value),
            Element::Bytes(_) => None,
        };
        let mut values = elements.iter().map(integer).collect::<Option<Vec<i64>>>()?;
        values.sort_unstable();
        let are_distinct = values.windows(2).all(|pair| pair[0] < pair[1]);
        are_distinct.then(|| {
            let width = values.iter().map(|value| intset::width_of(*value)).max().unwrap_or(2);
            Self::Inside(TAG_INTSET, intset::from_sorted(values.into_iter(), width))
        })
    }
}
