//! Runs the body `native_registry_cbor` of `fuzz/bodies.rs` under libFuzzer.
#![no_main]

#[path = "../bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bodies::run("native_registry_cbor", bytes);
});
