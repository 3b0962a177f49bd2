//! The committed header is what the crate's source says. To write it anew:
//! `KEYSLOT_WRITE_HEADER=1 cargo test -p keyslot-ffi --test header`

use std::path::Path;

fn generate() -> String {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = cbindgen::Config::from_file(crate_dir.join("cbindgen.toml"))
        .expect("the configuration can be read");
    config.trailer = Some(include_str!("../format.h").trim().to_owned());
    let builder = cbindgen::Builder::new().with_crate(crate_dir).with_config(config);
    let mut header = Vec::new();
    builder.generate().expect("the header can be generated").write(&mut header);
    // An enum's name stands before its variants, in full.
    String::from_utf8(header)
        .expect("a header is text")
        .replace("KEYSLOT_STATUS_", "KEYSLOT_")
        .replace("KEYSLOT_REPLY_TYPE_", "KEYSLOT_REPLY_")
        .replace("KEYSLOT_ARGUMENT_KIND_", "KEYSLOT_ARGUMENT_")
        .replace("KEYSLOT_SLOT_SCHEME_", "KEYSLOT_SLOTS_")
}

#[test]
fn the_committed_header_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../include/keyslot.h");
    let generated = generate();
    if std::env::var_os("KEYSLOT_WRITE_HEADER").is_some() {
        std::fs::write(&path, &generated).expect("the header can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "include/keyslot.h differs from what ffi/src says; \
         write it by KEYSLOT_WRITE_HEADER=1 cargo test -p keyslot-ffi --test header"
    );
}
