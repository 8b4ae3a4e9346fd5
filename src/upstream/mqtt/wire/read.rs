//! What a broker may send, out of one whole packet.

use std::time::Duration;

use bytes::Bytes;
use rumqttc::mqttbytes as old;
use rumqttc::v5::mqttbytes as five;

use super::frame::Head;
use super::properties::{ELSEWHERE, May, Properties, REASON_TEXT, TOPIC_ALIAS, properties};
use super::{Malformed, name};
use crate::upstream::mqtt::connect::Version;
use crate::upstream::mqtt::message::{Message, Qos, is_topic};
use crate::upstream::mqtt::reason::Reason;

/// The longest text of a broker's own that is kept, in characters.
const LONGEST_TOLD: usize = 200;

#[derive(Debug)]
pub enum Packet {
    Answer(Answer),
    Publish(Came),
    Acknowledged { id: u16, reason: Reason, text: Option<String> },
    Subscribed { id: u16, granted: Vec<Result<Qos, Reason>> },
    Pong,
    Bye { reason: Reason, text: Option<String>, elsewhere: Option<String> },
}

/// CONNACK.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub reason: Reason,
    pub text: Option<String>,
    pub elsewhere: Option<String>,
    pub session_present: bool,
    pub client_id: Option<String>,
    pub receive_maximum: Option<u16>,
    pub largest_packet: Option<usize>,
    pub qos: Qos,
    pub retain: bool,
    pub keep_alive: Option<u16>,
    pub session_expiry: Option<Duration>,
}

#[derive(Debug)]
pub struct Came {
    pub message: Message,
    pub id: u16,
    pub again: bool,
}

pub fn read(version: Version, head: &Head, packet: &[u8]) -> Result<Packet, Malformed> {
    let (kind, body) = (name(head.first), packet.get(head.body..).unwrap_or_default());
    if !head.is_publish() && head.first & 0x0f != 0 && head.first != 0x62 {
        return Err(Malformed::Content(kind, "its flags are not what they must be"));
    }
    match (head.first >> 4, version) {
        (2, Version::Old) => old_answer(head, packet, body).map(Packet::Answer),
        (2, Version::Five) => answer(head, packet, body).map(Packet::Answer),
        (3, Version::Old) => old_publish(head, packet).map(Packet::Publish),
        (3, Version::Five) => publish(head, packet, body).map(Packet::Publish),
        (4, _) => acknowledged(version, body),
        (9, _) => subscribed(version, body),
        (13, _) if body.is_empty() => Ok(Packet::Pong),
        (13, _) => Err(Malformed::Content(kind, "it has a content")),
        (14, Version::Five) => bye(body),
        _ => Err(Malformed::Unexpected(kind)),
    }
}

fn acknowledged(version: Version, body: &[u8]) -> Result<Packet, Malformed> {
    let (id, rest) = id("PUBACK", body)?;
    let (reason, text) = match (version, rest) {
        (_, []) => (Reason::SUCCESS, None),
        (Version::Five, [code, rest @ ..]) => (Reason::of(*code), told("PUBACK", rest, May::ACK)?.0),
        (Version::Old, _) => return Err(Malformed::Content("PUBACK", "it is longer than its id")),
    };
    Ok(Packet::Acknowledged { id, reason, text })
}

fn subscribed(version: Version, body: &[u8]) -> Result<Packet, Malformed> {
    let (id, mut codes) = id("SUBACK", body)?;
    if version == Version::Five {
        let (walk, after) = properties("SUBACK", codes, May::ACK)?;
        whole(walk)?;
        codes = after;
    }
    let granted = codes.iter().map(|code| match code {
        0 => Ok(Ok(Qos::AtMostOnce)),
        1 => Ok(Ok(Qos::AtLeastOnce)),
        0x80.. => Ok(Err(Reason::of(*code))),
        _ => Err(Malformed::Content("SUBACK", "it grants what was not asked")),
    });
    Ok(Packet::Subscribed { id, granted: granted.collect::<Result<_, _>>()? })
}

fn bye(body: &[u8]) -> Result<Packet, Malformed> {
    let (reason, rest) = body.split_first().map_or((Reason::SUCCESS, body), |(code, rest)| (Reason::of(*code), rest));
    let (text, elsewhere) = told("DISCONNECT", rest, May::DISCONNECT)?;
    Ok(Packet::Bye { reason, text, elsewhere })
}

fn old_answer(head: &Head, packet: &[u8], body: &[u8]) -> Result<Answer, Malformed> {
    let wrong = |what| Malformed::Content("CONNACK", what);
    let [flags, code] = *body else { return Err(wrong("it is not two bytes")) };
    // The codec knows six codes.
    let mended = patched(packet, head.body + 1, 0);
    let length = head.end - head.body;
    let read = old::v4::ConnAck::read(old::FixedHeader::new(head.first, head.body - 1, length), mended);
    let read = read.map_err(|_| wrong("it cannot be read"))?;
    Ok(Answer { session_present: sessions(flags, code, read.session_present)?, ..no_more_than(Reason::of_old(code)) })
}

/// A broker that has no MQTT 5 answers in its own version: two bytes.
fn answer(head: &Head, packet: &[u8], body: &[u8]) -> Result<Answer, Malformed> {
    let wrong = |what| Malformed::Content("CONNACK", what);
    let [flags, code, rest @ ..] = body else { return Err(wrong("it is not even two bytes")) };
    match (rest, code) {
        ([], 0) => return Err(wrong("it has no properties")),
        ([], 1..=5) => return Ok(no_more_than(Reason::of_old(*code))),
        ([], _) => return Ok(no_more_than(Reason::of(*code))),
        _ => {}
    }
    let (walk, after) = properties("CONNACK", rest, May::CONNACK)?;
    whole(walk)?;
    if !after.is_empty() {
        return Err(wrong("it is longer than its properties"));
    }
    // The codec does not know every code.
    let mended = patched(packet, head.body + 1, 0);
    let header = five::v5::FixedHeader::new(head.first, head.body - 1, head.end - head.body);
    let read = five::v5::ConnAck::read(header, mended).map_err(|_| wrong("it cannot be read"))?;
    let session_present = sessions(*flags, *code, read.session_present)?;
    let answer = Answer { session_present, ..no_more_than(Reason::of(*code)) };
    read.properties.map_or(Ok(no_more_than(answer.reason)).map(|none| Answer { session_present, ..none }), |limits| {
        limited(answer, limits)
    })
}

fn limited(answer: Answer, limits: five::v5::ConnAckProperties) -> Result<Answer, Malformed> {
    let wrong = |what| Malformed::Content("CONNACK", what);
    if limits.receive_max == Some(0) || limits.max_packet_size == Some(0) {
        return Err(wrong("it allows nothing"));
    }
    if limits.max_qos.is_some_and(|qos| qos > 1) || limits.retain_available.is_some_and(|retain| retain > 1) {
        return Err(wrong("yes or no is neither 0 nor 1"));
    }
    Ok(Answer {
        text: limits.reason_string.as_deref().map(shown),
        elsewhere: limits.server_reference.as_deref().map(shown),
        client_id: limits.assigned_client_identifier,
        receive_maximum: limits.receive_max,
        largest_packet: limits.max_packet_size.and_then(|most| most.try_into().ok()),
        qos: if limits.max_qos == Some(0) { Qos::AtMostOnce } else { Qos::AtLeastOnce },
        retain: limits.retain_available != Some(0),
        keep_alive: limits.server_keep_alive,
        session_expiry: limits.session_expiry_interval.map(|span| Duration::from_secs(span.into())),
        ..answer
    })
}

fn no_more_than(reason: Reason) -> Answer {
    Answer {
        reason,
        text: None,
        elsewhere: None,
        session_present: false,
        client_id: None,
        receive_maximum: None,
        largest_packet: None,
        qos: Qos::AtLeastOnce,
        retain: true,
        keep_alive: None,
        session_expiry: None,
    }
}

fn sessions(flags: u8, code: u8, present: bool) -> Result<bool, Malformed> {
    if flags > 1 || (code != 0 && present) {
        return Err(Malformed::Content("CONNACK", "its flags are not what they must be"));
    }
    Ok(present)
}

fn old_publish(head: &Head, packet: &[u8]) -> Result<Came, Malformed> {
    flags(head)?;
    let wrong = |_| Malformed::Content("PUBLISH", "it cannot be read");
    let header = old::FixedHeader::new(head.first, head.body - 1, head.end - head.body);
    let read = old::v4::Publish::read(header, Bytes::copy_from_slice(packet)).map_err(wrong)?;
    named(&read.topic)?;
    let message = Message { qos: qos(head), retain: read.retain, ..Message::new(read.topic, read.payload) };
    Ok(Came { message, id: read.pkid, again: read.dup })
}

fn publish(head: &Head, packet: &[u8], body: &[u8]) -> Result<Came, Malformed> {
    flags(head)?;
    properties_of_publish(head, body)?;
    let header = five::v5::FixedHeader::new(head.first, head.body - 1, head.end - head.body);
    let read = five::v5::Publish::read(header, Bytes::copy_from_slice(packet));
    let read = read.map_err(|_| Malformed::Content("PUBLISH", "it cannot be read"))?;
    let wrong = |_| Malformed::Content("PUBLISH", "its topic is no text");
    let topic = String::from_utf8(read.topic.into()).map_err(wrong)?;
    named(&topic)?;
    let told = read.properties.unwrap_or_default();
    let message = Message {
        qos: qos(head),
        retain: read.retain,
        content_type: told.content_type,
        // Nobody can be answered at what is no topic; the message is as good as without.
        response_topic: told.response_topic.filter(|topic| is_topic(topic).is_ok()),
        correlation: told.correlation_data,
        expiry: told.message_expiry_interval.map(|span| Duration::from_secs(span.into())),
        ..Message::new(topic, read.payload)
    };
    Ok(Came { message, id: read.pkid, again: read.dup })
}

/// They stand behind the topic and the id.
fn properties_of_publish(head: &Head, body: &[u8]) -> Result<(), Malformed> {
    let cut = || Malformed::Content("PUBLISH", "it ends too early");
    let (length, rest) = body.split_first_chunk::<2>().ok_or_else(cut)?;
    let before = usize::from(u16::from_be_bytes(*length)) + 2 * usize::from(head.qos() > 0);
    let (walk, _) = properties("PUBLISH", rest.get(before..).ok_or_else(cut)?, May::PUBLISH)?;
    for one in walk {
        if one?.0 == TOPIC_ALIAS {
            return Err(Malformed::Content("PUBLISH", "a topic alias, and none was allowed"));
        }
    }
    Ok(())
}

fn flags(head: &Head) -> Result<(), Malformed> {
    match (head.qos(), head.first & 8 != 0) {
        (2, _) => Err(Malformed::Qos2),
        (3, _) | (0, true) => Err(Malformed::Content("PUBLISH", "its flags are not what they must be")),
        _ => Ok(()),
    }
}

fn qos(head: &Head) -> Qos {
    if head.qos() == 0 { Qos::AtMostOnce } else { Qos::AtLeastOnce }
}

fn named(topic: &str) -> Result<(), Malformed> {
    is_topic(topic).map_err(|_| Malformed::Content("PUBLISH", "its topic is none"))
}

fn id<'a>(packet: &'static str, body: &'a [u8]) -> Result<(u16, &'a [u8]), Malformed> {
    let (id, rest) = body.split_first_chunk::<2>().ok_or(Malformed::Content(packet, "it has no id"))?;
    match u16::from_be_bytes(*id) {
        0 => Err(Malformed::Content(packet, "its id is 0")),
        id => Ok((id, rest)),
    }
}

/// What the broker says in its own words, and where it sends us; the properties may be missing.
fn told(packet: &'static str, bytes: &[u8], may: May) -> Result<(Option<String>, Option<String>), Malformed> {
    let (mut text, mut elsewhere) = (None, None);
    if bytes.is_empty() {
        return Ok((text, elsewhere));
    }
    let (walk, after) = properties(packet, bytes, may)?;
    for one in walk {
        let (id, content) = one?;
        let told = || Some(shown(&String::from_utf8_lossy(content)));
        match id {
            REASON_TEXT => text = told(),
            ELSEWHERE => elsewhere = told(),
            _ => {}
        }
    }
    if after.is_empty() {
        Ok((text, elsewhere))
    } else {
        Err(Malformed::Content(packet, "it is longer than its properties"))
    }
}

fn whole(mut walk: Properties<'_>) -> Result<(), Malformed> {
    walk.try_for_each(|one| one.map(drop))
}

/// For people: one line, and no more than they read.
fn shown(text: &str) -> String {
    text.chars().take(LONGEST_TOLD).map(|sign| if sign.is_control() { ' ' } else { sign }).collect()
}

fn patched(packet: &[u8], at: usize, byte: u8) -> Bytes {
    let mut packet = packet.to_vec();
    if let Some(place) = packet.get_mut(at) {
        *place = byte;
    }
    packet.into()
}
