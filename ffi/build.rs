//! Gives the shared library the name that programs record: it changes with the ABI only.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let abi = 0;
    let os = std::env::var("CARGO_CFG_TARGET_OS").expect("cargo sets the target");
    match os.as_str() {
        "macos" => link_argument(&format!("-Wl,-install_name,@rpath/libkeyslot.{abi}.dylib")),
        "windows" => {}
        _ => link_argument(&format!("-Wl,-soname,libkeyslot.so.{abi}")),
    }
}

fn link_argument(argument: &str) {
    println!("cargo::rustc-cdylib-link-arg={argument}");
}
