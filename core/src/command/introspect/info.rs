//! What COMMAND INFO says of a command.

use super::super::key_spec::{Begin, Find, KeySpec};
use super::super::table::{Spec, category, flag, key_use};
use super::{names, write_names};
use crate::resp::ReplySink;

pub(super) fn write_all(out: &mut dyn ReplySink, specs: &[&Spec]) {
    out.array(specs.len());
    specs.iter().for_each(|spec| write(out, spec));
}

pub(super) fn write(out: &mut dyn ReplySink, spec: &Spec) {
    let (first, last, step) = spec.key_range;
    let categories: Vec<_> =
        names(category::NAMES, spec.categories).iter().map(|name| format!("@{name}")).collect();
    out.array(10);
    out.bulk(spec.name.as_bytes());
    out.integer(spec.arity.into());
    write_names(out, &names(flag::NAMES, spec.flags));
    [first, last, step].iter().for_each(|&place| out.integer(place.into()));
    out.set(categories.len());
    categories.iter().for_each(|name| out.status(name));
    out.set(spec.command.tips.len());
    spec.command.tips.iter().for_each(|tip| out.bulk(tip.as_bytes()));
    out.set(spec.key_specs.len());
    spec.key_specs.iter().for_each(|one| write_key_spec(out, one));
    if spec.subcommands.is_empty() {
        out.set(0);
    } else {
        write_all(out, &spec.subcommands.iter().collect::<Vec<_>>());
    }
}

fn write_key_spec(out: &mut dyn ReplySink, spec: &KeySpec) {
    out.map(3 + usize::from(!spec.notes.is_empty()));
    if !spec.notes.is_empty() {
        out.bulk(b"notes");
        out.bulk(spec.notes.as_bytes());
    }
    out.bulk(b"flags");
    write_names(out, &names(key_use::NAMES, spec.uses));
    out.bulk(b"begin_search");
    match spec.begin {
        Begin::Index(index) => write_part(out, "index", &[("index", index as i64)]),
        Begin::Keyword { keyword, from } => {
            write_head(out, "keyword", 2);
            out.bulk(b"keyword");
            out.bulk(keyword.as_bytes());
            write_number(out, "startfrom", from.into());
        }
        Begin::Unknown => write_part(out, "unknown", &[]),
    }
    out.bulk(b"find_keys");
    match spec.find {
        Find::Range { last, step, limit } => {
            let last = ("lastkey", i64::from(last));
            write_part(out, "range", &[last, ("keystep", step as i64), ("limit", limit as i64)]);
        }
        Find::Count { index, first, step } => {
            let (index, first) = (("keynumidx", index as i64), ("firstkey", first as i64));
            write_part(out, "keynum", &[index, first, ("keystep", step as i64)]);
        }
        Find::Unknown => write_part(out, "unknown", &[]),
    }
}

fn write_part(out: &mut dyn ReplySink, kind: &str, numbers: &[(&str, i64)]) {
    write_head(out, kind, numbers.len());
    numbers.iter().for_each(|(name, value)| write_number(out, name, *value));
}

fn write_head(out: &mut dyn ReplySink, kind: &str, fields: usize) {
    out.map(2);
    out.bulk(b"type");
    out.bulk(kind.as_bytes());
    out.bulk(b"spec");
    out.map(fields);
}

fn write_number(out: &mut dyn ReplySink, name: &str, value: i64) {
    out.bulk(name.as_bytes());
    out.integer(value);
}
