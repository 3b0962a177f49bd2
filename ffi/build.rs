//! Gives the shared library the name that programs record, which changes with the ABI only, and puts
//! Lua into the static one.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let abi = 0;
    let os = std::env::var("CARGO_CFG_TARGET_OS").expect("cargo sets the target");
    match os.as_str() {
        "macos" => link_argument(&format!("-Wl,-install_name,@rpath/libkeyslot.{abi}.dylib")),
        "windows" => {}
        _ => link_argument(&format!("-Wl,-soname,libkeyslot.so.{abi}")),
    }
    bundle_lua();
}

/// Lua's own crate leaves Lua to whoever links a program, and a C program knows nothing of it.
fn bundle_lua() {
    let lua = lua_src::Build::new().build(lua_src::Lua51);
    println!("cargo::rustc-link-search=native={}", lua.lib_dir().display());
    for library in lua.libs() {
        println!("cargo::rustc-link-lib=static:+bundle={library}");
    }
}

fn link_argument(argument: &str) {
    println!("cargo::rustc-cdylib-link-arg={argument}");
}
