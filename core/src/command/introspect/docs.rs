//! What COMMAND DOCS says of a command.

use super::super::grammar::{Argument, Repeat};
use super::super::table::Spec;
use super::write_names;
use crate::resp::ReplySink;

/// Writes a map from names to documents.
pub(super) fn write_all<'a>(
    out: &mut dyn ReplySink,
    specs: impl ExactSizeIterator<Item = &'a Spec>,
) {
    out.map(specs.len());
    for spec in specs {
        out.bulk(spec.name.as_bytes());
        write(out, spec);
    }
}

fn write(out: &mut dyn ReplySink, spec: &Spec) {
    let command = spec.command;
    let parts = [
        !command.complexity.is_empty(),
        command.internal || command.deprecated.is_some(),
        command.deprecated.is_some(),
        command.deprecated.is_some(),
        !command.history.is_empty(),
        !spec.arguments.is_empty(),
        !spec.subcommands.is_empty(),
    ];
    out.map(3 + parts.iter().filter(|&&there| there).count());
    write_text(out, "summary", command.summary);
    write_text(out, "since", command.since);
    write_text(out, "group", command.group.name());
    if !command.complexity.is_empty() {
        write_text(out, "complexity", command.complexity);
    }
    write_doc_flags(out, spec);
    if let Some(deprecated) = &command.deprecated {
        write_text(out, "deprecated_since", deprecated.since);
        write_text(out, "replaced_by", deprecated.replaced_by);
    }
    if !command.history.is_empty() {
        out.bulk(b"history");
        out.set(command.history.len());
        for (version, change) in command.history {
            out.array(2);
            out.bulk(version.as_bytes());
            out.bulk(change.as_bytes());
        }
    }
    if !spec.arguments.is_empty() {
        out.bulk(b"arguments");
        write_arguments(out, &spec.arguments);
    }
    if !spec.subcommands.is_empty() {
        out.bulk(b"subcommands");
        write_all(out, spec.subcommands.iter());
    }
}

fn write_doc_flags(out: &mut dyn ReplySink, spec: &Spec) {
    let mut flags = Vec::new();
    if spec.command.deprecated.is_some() {
        flags.push("deprecated");
    }
    if spec.command.internal {
        flags.push("syscmd");
    }
    if !flags.is_empty() {
        out.bulk(b"doc_flags");
        write_names(out, &flags);
    }
}

fn write_arguments(out: &mut dyn ReplySink, arguments: &[Argument]) {
    out.array(arguments.len());
    arguments.iter().for_each(|argument| write_argument(out, argument));
}

fn write_argument(out: &mut dyn ReplySink, argument: &Argument) {
    let flags = argument_flags(argument);
    let parts = [
        argument.key_spec.is_some(),
        argument.token.is_some(),
        argument.since.is_some(),
        !flags.is_empty(),
    ];
    out.map(3 + parts.iter().filter(|&&there| there).count());
    write_text(out, "name", &argument.name);
    write_text(out, "type", argument.kind.name());
    let inner = argument.kind.parts();
    if inner.is_none() {
        write_text(out, "display_text", &argument.name);
    }
    if let Some(number) = argument.key_spec {
        out.bulk(b"key_spec_index");
        out.integer(number as i64);
    }
    if let Some(token) = argument.token {
        write_text(out, "token", token);
    }
    if let Some(since) = argument.since {
        write_text(out, "since", since);
    }
    if !flags.is_empty() {
        out.bulk(b"flags");
        write_names(out, &flags);
    }
    if let Some(inner) = inner {
        out.bulk(b"arguments");
        write_arguments(out, inner);
    }
}

fn argument_flags(argument: &Argument) -> Vec<&'static str> {
    let mut flags = Vec::new();
    if argument.optional {
        flags.push("optional");
    }
    if argument.repeat != Repeat::Once {
        flags.push("multiple");
    }
    if argument.repeat == Repeat::ManyWithToken {
        flags.push("multiple_token");
    }
    flags
}

fn write_text(out: &mut dyn ReplySink, name: &str, text: &str) {
    out.bulk(name.as_bytes());
    out.bulk(text.as_bytes());
}
