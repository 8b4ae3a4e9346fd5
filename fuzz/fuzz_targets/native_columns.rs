//! Runs the body `native_columns` of `fuzz/bodies.rs` under libFuzzer.
#![no_main]

#[path = "../bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bodies::run("native_columns", bytes);
});
