//! How the program is linked: to a fixed address, as runc is.
//!
//! Each container starts this file twice, as the command and as its monitor, and 30,000 addresses to be set right each
//! time, on 120 pages of memory that no two processes then share, are a seventh of what `run` costs and a third of what a
//! monitor holds. Libraries, heap and stack stay where chance puts them.

fn main() {
    println!("cargo:rerun-if-changed=src/build.rs");
    let target = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
