//! Runs the body `mqtt_client` of `fuzz/bodies.rs` under libFuzzer.
#![no_main]

#[path = "../bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bodies::run("mqtt_client", bytes);
});
