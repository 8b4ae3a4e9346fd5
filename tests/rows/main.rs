//! Rows of what a gateway manager must do, each shown from outside: the real daemon, asked through its socket, and the
//! simulated plant's own record as witness.
//!
//! On Modbus the witness is a server by another hand with a record of its own.
//!
//! Each row is one function that runs the same steps twice: with the feature, where it must hold, and without it, where it
//! must not: a proof that cannot fail is none. On real protocols the rows are shown again.

#[path = "../support/mod.rs"]
mod support;

mod afar;
mod doors;
mod identity;
mod keeping_off;
mod many;
mod modbus;
mod operations;
mod registration;
mod reported;
mod selecting;
mod under_attack;

use serde_json::{Value, json};
use support::{Gateway, Plant, eventually};

/// Why a row does not hold.
type Shown = Result<(), String>;

/// Holds with the feature and does not hold without it.
#[track_caller]
fn row(proof: impl Fn(bool) -> Shown) {
    if let Err(why) = proof(true) {
        panic!("the row does not hold: {why}");
    }
    match proof(false) {
        Err(why) => println!("without the feature: {why}"),
        Ok(()) => panic!("the row holds even without the feature: this proof cannot fail"),
    }
}

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Shown {
    if holds { Ok(()) } else { Err(why()) }
}

/// Like `eventually`, but that it does not come is an answer.
fn soon<T>(what: &str, look: impl FnMut() -> Option<T>) -> Result<T, String> {
    within(5, what, look)
}

/// In so many seconds.
fn within<T>(seconds: u64, what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T, String> {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    eventually(what, || match look() {
        Some(found) => Some(Ok(found)),
        None if std::time::Instant::now() >= end => Some(Err(format!("waited in vain: {what}"))),
        None => None,
    })
}

fn device(gateway: &Gateway, word: &str) -> Value {
    gateway.get(&format!("/v1/devices/{word}")).body
}

/// Asks, and waits for the end; the state in which it ended, or the kind of the refusal.
fn end_of(gateway: &Gateway, device: &str, operation: Value) -> String {
    let answer = gateway.operate(device, operation).body;
    let state = answer["accepted"]["state"]
        .as_str()
        .or(answer["type"].as_str().map(|of| of.trim_start_matches("urn:dmgw:problem:")));
    state.unwrap_or_else(|| panic!("neither a state nor a refusal: {answer}")).to_owned()
}

/// Orders that reached a device, as the plant wrote them down.
fn orders(plant: &Plant, serial: &str) -> Vec<Value> {
    let lines = plant.witness().into_iter().map(|line| line["order"].clone());
    lines.filter(|order| order["device"] == serial && order["reached"] == true).collect()
}

/// How many readings of a device have left the plant.
fn readings(plant: &Plant, serial: &str) -> usize {
    plant.witness().iter().filter(|line| line["reading"]["device"] == serial).count()
}

fn register(gateway: &Gateway, devices: Value) -> Vec<Value> {
    let answer = gateway.post("/v1/ask", &json!({ "register": { "devices": devices } })).ok();
    answer["registered"].as_array().unwrap_or_else(|| panic!("one answer for each: {answer}")).clone()
}
