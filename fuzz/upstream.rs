//! The bodies for what comes and goes over an upstream: both ends of `dmgw/1`.

use dmgw::store::{Block, JournalId};
use dmgw::upstream::native::envelope::PUBLIC;
use dmgw::upstream::native::form::{Form, Readings};
use dmgw::upstream::native::records::Pack;
use dmgw::upstream::native::registry::{Mirror, Piece};
use dmgw::upstream::native::request::{Ack, LONGEST_PATH, Request};
use dmgw::upstream::native::response::Response;
use dmgw::upstream::native::state::State;
use dmgw::upstream::native::telemetry::{self, columns, pack};
use dmgw::upstream::native::topics::{self, Base};

/// Bytes of one message, as a broker may bound it.
const MOST: usize = 65_536;
/// The one that signed what stands in the corpus: of the seed of 32 times 3.
const MANAGER: [u8; PUBLIC] = [
    0xed, 0x49, 0x28, 0xc6, 0x28, 0xd1, 0xc2, 0xc6, 0xea, 0xe9, 0x03, 0x38, 0x90, 0x59, 0x95, 0x61, 0x29, 0x59, 0x27,
    0x3a, 0x5c, 0x63, 0xf9, 0x36, 0x36, 0xc1, 0x46, 0x14, 0xac, 0x87, 0x37, 0xd1,
];

pub fn native_topic(bytes: &[u8]) -> bool {
    let read = std::str::from_utf8(bytes).ok().and_then(|topic| Some((topic, topics::read(topic)?)));
    read.is_some_and(|(topic, (gateway, up))| {
        assert_eq!(Base::of(&gateway).expect("a name that was read").up(&up), topic, "a topic has one spelling");
        true
    })
}

pub fn native_state(bytes: &[u8]) -> bool {
    State::read(bytes).is_ok_and(|state| {
        let again = State::read(&state.to_bytes().expect("plain data"));
        again.is_ok_and(|again| again == state)
    })
}

pub fn native_request(bytes: &[u8]) -> bool {
    Request::read(bytes, MOST, "plant-7", &|_| Some(MANAGER)).is_ok_and(|request| {
        assert!(request.path.starts_with("/v1/") && request.path.len() <= LONGEST_PATH);
        assert!(request.body.is_none_or(|body| serde_json::from_str::<serde::de::IgnoredAny>(body.get()).is_ok()));
        true
    })
}

pub fn native_ack(bytes: &[u8]) -> bool {
    Ack::read(bytes).is_ok_and(|ack| {
        let again = Ack::read(&serde_json::to_vec(&ack).expect("plain data"));
        again.is_ok_and(|again| again == ack)
    })
}

pub fn native_response(bytes: &[u8]) -> bool {
    Response::read(bytes, None).is_ok_and(|response| {
        let again = Response::read(&response.to_bytes(None).expect("plain data"), None).expect("what was read");
        assert_eq!((again.id, again.status, again.media), (response.id, response.status, response.media));
        true
    })
}

pub fn native_records_json(bytes: &[u8]) -> bool {
    records(bytes, Form::Json)
}

pub fn native_records_cbor(bytes: &[u8]) -> bool {
    records(bytes, Form::Cbor)
}

fn records(bytes: &[u8], form: Form) -> bool {
    Pack::read_signed(bytes, form, None).is_ok_and(|pack| {
        assert!(pack.records.iter().all(|told| (pack.first..=pack.last).contains(&told.seq)));
        true
    })
}

pub fn native_registry_json(bytes: &[u8]) -> bool {
    registry(bytes, Form::Json)
}

pub fn native_registry_cbor(bytes: &[u8]) -> bool {
    registry(bytes, Form::Cbor)
}

fn registry(bytes: &[u8], form: Form) -> bool {
    Piece::read(bytes, form).is_ok_and(|piece| {
        let mut mirror = Mirror::default();
        mirror.take(piece.clone());
        let once: Vec<_> = mirror.devices().cloned().collect();
        mirror.take(piece);
        assert!(mirror.devices().eq(&once), "the same piece twice changes nothing");
        true
    })
}

pub fn native_senml_json(bytes: &[u8]) -> bool {
    senml(bytes, Readings::SenmlJson)
}

pub fn native_senml_cbor(bytes: &[u8]) -> bool {
    senml(bytes, Readings::SenmlCbor)
}

fn senml(bytes: &[u8], form: Readings) -> bool {
    telemetry::read(bytes, form).is_ok_and(|(head, told)| {
        assert!(told.first().is_some_and(|first| first.seq == head.first));
        told.iter().for_each(|told| told.value.check().expect("what was read keeps its bounds"));
        true
    })
}

pub fn native_columns(bytes: &[u8]) -> bool {
    columns::read(bytes).is_ok_and(|(head, block)| {
        if block.arrivals.iter().all(|heard| heard.readings.is_empty()) {
            return true;
        }
        let again = packed(head.journal, &head.damaged, &block);
        let (again_head, again) = columns::read(&again).expect("what was written");
        assert_eq!(
            (again_head.journal, again_head.first, again_head.damaged),
            (head.journal, head.first, head.damaged)
        );
        // NaN is not equal to itself.
        assert_eq!(format!("{:?}", readings(again)), format!("{:?}", readings(block)));
        true
    })
}

fn packed(journal: JournalId, damaged: &[(u64, u64)], block: &Block) -> Vec<u8> {
    let most = 64 << 20;
    pack(std::slice::from_ref(block), 0, (journal, damaged), &|_| None, Readings::Columns, most).expect("a block").bytes
}

/// Arrivals without a reading say nothing and are not sent.
fn readings(block: Block) -> Vec<dmgw::model::Heard> {
    block.arrivals.into_iter().filter(|heard| !heard.readings.is_empty()).collect()
}
