//! Imports point one way, and `unsafe` stays where it is listed: read from the sources themselves.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module, and what it may import from. A module may always import from itself.
const LAYERS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("time", &[]),
    ("structs", &[]),
    ("secret", &[]),
    ("slot", &["error"]),
    ("resp", &["error"]),
    ("config", &["secret", "error", "resp"]),
    ("value", &["structs", "error", "resp"]),
    ("keyspace", &["value", "structs", "slot", "time"]),
    ("cluster", &["keyspace", "value", "resp", "slot", "time", "error"]),
    ("migration", &["cluster", "keyspace", "value", "structs", "resp", "slot", "time", "error"]),
    (
        "command",
        &[
            "config",
            "migration",
            "cluster",
            "keyspace",
            "value",
            "structs",
            "resp",
            "secret",
            "slot",
            "time",
            "error",
        ],
    ),
    (
        "engine",
        &[
            "command",
            "config",
            "migration",
            "cluster",
            "keyspace",
            "value",
            "structs",
            "resp",
            "secret",
            "slot",
            "time",
            "error",
        ],
    ),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn all_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    sources(&root(), &mut found);
    found
}

fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(root()).expect("a source of the core");
    let first = inside.iter().next().and_then(|part| part.to_str()).expect("names are text");
    first.trim_end_matches(".rs").to_owned()
}

/// The modules that a source names after `crate::`, in code, not in comments or tests' own modules.
fn imports(text: &str) -> BTreeSet<&str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| {
            let end = rest.find(|letter: char| !letter.is_ascii_lowercase() && letter != '_');
            &rest[..end.unwrap_or(rest.len())]
        })
        .filter(|module| !module.is_empty())
        .collect()
}

#[test]
fn no_import_points_back() {
    let mut wrong = Vec::new();
    for path in all_sources() {
        let module = module_of(&path);
        if module == "lib" {
            continue;
        }
        let layer = LAYERS.iter().find(|(name, _)| *name == module);
        let (_, allowed) = layer.unwrap_or_else(|| panic!("{module} has no place in the layers"));
        let text = fs::read_to_string(&path).expect("a source is text");
        for import in imports(&text) {
            if import != module && !allowed.contains(&import) {
                wrong.push(format!("{} imports {import}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unsafe_code_stays_under_structs() {
    let mut wrong = Vec::new();
    for path in all_sources() {
        let text = fs::read_to_string(&path).expect("a source is text");
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let is_unsafe = code
            .flat_map(|line| line.split(|letter: char| !letter.is_ascii_alphanumeric()))
            .any(|word| word == "unsafe");
        if is_unsafe && module_of(&path) != "structs" {
            wrong.push(path);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
