//! Messages as examples: made by the code that makes the real ones. The published description shows them, a test reads each
//! back, and the corpora of the fuzz bodies are made of them.

use std::sync::Arc;

use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;

use super::envelope::{PUBLIC, seal};
use super::form::{Form, Readings};
use super::records::{self, Part};
use super::registry::{DeviceTold, Digest, Piece, Pieces, Shapes, Wanted};
use super::request::{Ack, Request};
use super::response::Response;
use super::state::{State, StreamHeld};
use super::telemetry::{self, Known, columns};
use super::topics::{Base, Up};
use crate::model::device::DeviceNow;
use crate::model::record::Entry;
use crate::model::*;
use crate::seal::{OwnKey, Seal};
use crate::store::{Block, Clock, JournalId};

pub const GATEWAY: &str = "plant-7";
const JOURNAL: JournalId = JournalId([0x1d, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
const NOON: u64 = 1_790_000_000_000;
/// Of a manager, known to everybody who reads this.
const SEED: [u8; 32] = [3; 32];

/// Messages of one kind, by the name of the fuzz body that reads them.
pub struct Examples {
    pub body: &'static str,
    pub bytes: Vec<Vec<u8>>,
    /// As a gateway or a manager reads them.
    pub reads: fn(&[u8]) -> bool,
}

pub fn all() -> Vec<Examples> {
    let of = |body, bytes, reads| Examples { body, bytes, reads };
    vec![
        of("native_topic", topics(), |bytes| super::topics::read(&String::from_utf8_lossy(bytes)).is_some()),
        of("native_state", vec![bytes(&state()), bytes(&state().will()), bytes(&plain_state())], |bytes| {
            State::read(bytes).is_ok()
        }),
        of("native_request", requests(), |bytes| Request::read(bytes, 65_536, GATEWAY, &|_| Some(manager().1)).is_ok()),
        of("native_ack", acks().iter().map(bytes).collect(), |bytes| Ack::read(bytes).is_ok()),
        of("native_response", responses(), |bytes| Response::read(bytes, None).is_ok()),
        of("native_records_json", packs(Form::Json), |bytes| {
            records::Pack::read_signed(bytes, Form::Json, None).is_ok()
        }),
        of("native_records_cbor", packs(Form::Cbor), |bytes| {
            records::Pack::read_signed(bytes, Form::Cbor, None).is_ok()
        }),
        of("native_registry_json", pieces(Form::Json), |bytes| Piece::read(bytes, Form::Json).is_ok()),
        of("native_registry_cbor", pieces(Form::Cbor), |bytes| Piece::read(bytes, Form::Cbor).is_ok()),
        of("native_senml_json", readings(Readings::SenmlJson), |bytes| {
            telemetry::read(bytes, Readings::SenmlJson).is_ok()
        }),
        of("native_senml_cbor", readings(Readings::SenmlCbor), |bytes| {
            telemetry::read(bytes, Readings::SenmlCbor).is_ok()
        }),
        of("native_columns", readings(Readings::Columns), |bytes| columns::read(bytes).is_ok()),
    ]
}

fn bytes(message: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(message).unwrap()
}

fn topics() -> Vec<Vec<u8>> {
    let up = [Up::State, Up::Telemetry(Readings::SenmlCborZstd), Up::Vital(Form::Json), Up::Events(Form::CborZstd)];
    let base = Base::of("a/b+c").unwrap();
    up.iter().map(|up| base.up(up).into_bytes()).collect()
}

/// The gateway's own key, always the same one.
fn key() -> OwnKey {
    let folder = tempfile::tempdir().unwrap();
    let seal = Seal::new(&[1; 32]);
    let seed = Secret::new("CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk".to_owned());
    let sealed = seal.seal(&seed, "gateway-key").unwrap();
    let path = folder.path().join("gateway.key");
    std::fs::write(&path, format!("{sealed}\n")).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    OwnKey::of_gateway(folder.path(), &seal).unwrap()
}

fn manager() -> (Ed25519KeyPair, [u8; PUBLIC]) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    (pair, public)
}

pub fn state() -> State {
    let told = devices();
    let held = |stream, first_held, next| StreamHeld { stream, first_held, next };
    State {
        registry: Some(Digest::of(told.iter().map(|(device, _)| device))),
        streams: vec![held(Stream::Vital, 1, 18), held(Stream::Events, 40, 61), held(Stream::Telemetry, 1, 90_001)],
        public_key: Some(key().public_text()),
        ..plain_state()
    }
}

fn plain_state() -> State {
    State {
        gateway: GATEWAY.into(),
        online: true,
        since: Wall(NOON),
        why: None,
        version: "0.1.0".into(),
        journal: JOURNAL,
        boot: Boot(3),
        clock: ClockQuality::Set,
        public_key: None,
        streams: Vec::new(),
        registry: None,
    }
}

pub fn requests() -> Vec<Vec<u8>> {
    let plain = json!({ "id": "c-1", "method": "GET", "path": "/v1/status", "reply": "head-office" });
    let ask = json!({
        "gateway": GATEWAY, "id": "valve-3-open", "nonce": "8f2c", "expires": NOON + 60_000, "method": "POST",
        "path": "/v1/ask?wait=10", "reply": "head-office",
        "body": { "operate": { "device": "urn:dev:dmgw:serial:acme:17", "operation": { "write": { "point": "valve.open", "value": true } } } }
    });
    let (pair, public) = manager();
    let signed = seal(ask.to_string(), &public, |bytes| pair.sign(bytes).as_ref().to_vec());
    vec![bytes(&plain), bytes(&ask), bytes(&signed)]
}

pub fn acks() -> Vec<Ack> {
    Stream::ALL.map(|stream| Ack { journal: JOURNAL, stream, seq: 17 }).into()
}

pub fn responses() -> Vec<Vec<u8>> {
    let response = |status, media: Option<&str>, body: &str| {
        let (media, body) = Response::body(media, body.into()).unwrap();
        Response { gateway: GATEWAY.into(), id: Some("c-1".into()), time: Wall(NOON), status, media, body }
    };
    let answers = [
        response(200, None, r#"{"gateway":"plant-7","health":"ok"}"#),
        response(404, Some("application/problem+json"), r#"{"title":"there is no such device","status":404}"#),
        response(200, Some("text/plain"), "dmgw_up 1\n"),
    ];
    answers.iter().map(|answer| answer.to_bytes(Some(&key())).unwrap()).chain([bytes(&answers[0])]).collect()
}

fn entries() -> Vec<(u64, Entry)> {
    let device = DeviceId::new("urn:dev:dmgw:serial:acme:17").unwrap();
    let at = |mono| Now { mono: Mono(mono), boot: Boot(3), wall: Wall(NOON + mono), quality: ClockQuality::Set };
    let gap = Gap {
        stream: Stream::Telemetry,
        why: GapReason::Crash,
        first: 812,
        last: 131_072,
        count: 4_000,
        exact: false,
        from: at(1_000),
        to: at(9_000),
    };
    let result = Record::Result {
        command: CommandId::new("valve-3-open").unwrap(),
        device: Some(device),
        operation: "write".into(),
        state: CommandState::Done,
        outcome: Some(Outcome::Done(vec![("valve.open".parse().unwrap(), Value::Bool(true))])),
        by: Some(Name::new("head-office").unwrap()),
        from: None,
        proven: Some(true),
    };
    let entry = |at, record| Entry { at, of: None, record };
    vec![(16, entry(at(9_500), Record::Gap(gap))), (17, entry(at(12_345), result))]
}

fn events() -> Vec<(u64, Entry)> {
    let at = Now { mono: Mono(5_000), boot: Boot(3), wall: Wall(NOON), quality: ClockQuality::Unset };
    let (device, link) = (DeviceId::new("urn:dev:dmgw:serial:acme:17").unwrap(), Name::new("meters").unwrap());
    let down = Record::LinkDown { link, why: "the adapter was pulled out".into() };
    [Record::DeviceSilent { device }, down]
        .into_iter()
        .zip(58..)
        .map(|(record, seq)| (seq, Entry { at, of: None, record }))
        .collect()
}

/// One of *events*, one of *vital*, one that tells of damage too.
pub fn packs(form: Form) -> Vec<Vec<u8>> {
    let (vital, events, key) = (entries(), events(), key());
    let part = |stream, first, next| Part { journal: JOURNAL, stream, first, next, entries: &[], damaged: &[] };
    let parts = [
        (Part { entries: &events, ..part(Stream::Events, 58, 60) }, None),
        (Part { entries: &vital, ..part(Stream::Vital, 16, 18) }, Some(&key)),
        (Part { entries: &events, damaged: &[(55, 57)], ..part(Stream::Events, 55, 60) }, None),
    ];
    parts.iter().map(|(part, key)| records::pack(part, form, 65_536, *key).unwrap().bytes).collect()
}

fn shape() -> Arc<Capabilities> {
    let point = |(no, path, kind, unit): (u16, &str, ValueKind, Option<&str>)| Point {
        no: PointNo(no),
        path: path.parse().unwrap(),
        kind,
        unit: unit.map(|unit| Name::new(unit).unwrap()),
        access: if unit.is_none() { Access::ReadWrite } else { Access::Read },
        limits: None,
    };
    let points = [
        (0, "mains.1.power", ValueKind::Float, Some("W")),
        (1, "mains.0.energy", ValueKind::Uint, Some("Wh")),
        (2, "valve.open", ValueKind::Bool, None),
    ];
    let operations = OperationSet::of(&[OperationKind::Read, OperationKind::Write]);
    Arc::new(Capabilities { points: points.map(point).into(), operations, ..Capabilities::default() })
}

fn devices() -> Vec<(DeviceTold, Arc<Capabilities>)> {
    let (shape, mut shapes) = (shape(), Shapes::default());
    let mut told = |no: u32| {
        let identity = Identity::new(IdentityKind::Serial, &format!("acme:{}", 16 + no), Proof::Seen).unwrap();
        let place = Place { link: Name::new("meters").unwrap(), address: Address::new(&no.to_string()).unwrap() };
        let device = Device {
            identities: vec![identity.clone()],
            place: Some(place),
            ..Device::new(DeviceNo(no), identity.urn(), LifeCycle::Managed, &Now::default())
        };
        (DeviceTold::of(&DeviceNow::new(Arc::new(device), shape.clone()), &mut shapes), shape.clone())
    };
    (1..3).map(&mut told).collect()
}

/// A whole bucket, what changed, and what is gone.
pub fn pieces(form: Form) -> Vec<Vec<u8>> {
    let devices = devices();
    let gone = vec![devices[1].0.id.clone()];
    let whole = Pieces::of_buckets(JOURNAL, &Wanted::all(), devices.clone().into_iter(), form, 65_536);
    let changes = Pieces::of_changes(JOURNAL, devices[..1].to_vec(), gone, form, 65_536);
    changes.chain(whole).map(|piece| piece.unwrap()).collect()
}

/// One arrival; several with all that is odd; one whose time nobody knows.
pub fn readings(form: Readings) -> Vec<Vec<u8>> {
    let reading = |point, value| Reading { point: PointNo(point), value, quality: Quality::Good, source: None };
    let heard = |device, at, readings| Heard { device: DeviceNo(device), at: Mono(at), readings };
    let plain = vec![reading(0, Value::Float(811.5)), reading(1, Value::Uint(48_211)), reading(2, Value::Bool(true))];
    let doubted = Reading {
        quality: Quality::Bad(BadReason::OutOfRange),
        source: Some(Wall(NOON)),
        ..reading(0, Value::Float(-9e9))
    };
    let odd = vec![
        doubted,
        reading(0, Value::Float(f64::NAN)),
        reading(2, Value::Time(Wall(NOON))),
        reading(2, Value::Object(3, 0)),
        reading(2, Value::List(vec![Value::Int(-1), Value::text("x")].into())),
        reading(2, Value::Bytes([0xde, 0xad].as_slice().into())),
        reading(1, Value::text("\u{e4}\"")),
    ];
    let block = |quality, arrivals| {
        let clock = Clock { offset: NOON as i64, quality };
        Block { seq: 812, boot: Boot(3), clock, arrivals }
    };
    let blocks = [
        block(ClockQuality::Set, vec![heard(1, 12_345, plain.clone())]),
        block(ClockQuality::Held, vec![heard(1, 12_345, plain.clone()), heard(9, 12_350, odd)]),
        block(ClockQuality::Unset, vec![heard(2, 5_000, plain.clone()), heard(1, 6_500, plain)]),
    ];
    let devices = devices();
    let known: Known = &|no| {
        let (device, shape) = devices.iter().find(|(device, _)| device.no == no)?;
        Some((device.id.clone(), shape.clone()))
    };
    let pack =
        |block: &Block| telemetry::pack(std::slice::from_ref(block), 0, (JOURNAL, &[(810, 811)]), known, form, 65_536);
    blocks.iter().map(|block| pack(block).unwrap().bytes).collect()
}

#[test]
fn every_example_is_read_by_its_other_end() {
    for Examples { body, bytes, reads } in all() {
        assert!(bytes.len() >= 3, "{body}");
        bytes.iter().for_each(|bytes| assert!(reads(bytes), "{body}: {}", bytes.escape_ascii()));
        assert!(!reads(b"\xffnonsense"), "{body} reads anything");
    }
}

/// `REWRITE=1` writes them anew.
#[test]
fn the_corpora_of_the_fuzz_bodies_hold_every_example() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for Examples { body, bytes, .. } in all() {
        for (no, bytes) in bytes.iter().enumerate() {
            let path = root.join(body).join(no.to_string());
            if std::env::var_os("REWRITE").is_some() {
                std::fs::create_dir_all(root.join(body)).unwrap();
                std::fs::write(&path, bytes).unwrap();
            }
            assert!(std::fs::read(&path).is_ok_and(|found| found == *bytes), "{}: REWRITE=1 writes it", path.display());
        }
    }
}
