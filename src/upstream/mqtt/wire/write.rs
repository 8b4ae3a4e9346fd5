//! What we send, as the broker's version has it.
//!
//! Everything that is written passed its check before, so that no length is cut; the codec's errors are only about that.

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes as old;
use rumqttc::v5::mqttbytes as five;
use zeroize::Zeroize;

use crate::model::Secret;
use crate::upstream::mqtt::connect::{Connect, Version};
use crate::upstream::mqtt::message::{Message, Qos};
use crate::upstream::mqtt::reason::Reason;

#[derive(Clone, Copy, Debug)]
pub struct Writer(pub Version);

impl Writer {
    /// More than CONNECT takes, whatever its version.
    pub fn room_for_connect(&self, how: &Connect) -> usize {
        let will = how.will.as_ref().map_or(0, |will| will.weight() + 16);
        let secret = how.password.as_ref().map_or(0, |secret| secret.reveal().len());
        64 + how.client_id.len() + how.user.as_ref().map_or(0, String::len) + secret + will
    }

    pub fn connect(&self, out: &mut BytesMut, how: &Connect, incoming: u16, largest: usize) {
        match self.0 {
            Version::Old => old_connect(out, how),
            Version::Five => connect(out, how, incoming, largest),
        }
    }

    pub fn publish(&self, out: &mut BytesMut, message: &Message, id: u16, again: bool) {
        // Each has been checked; an error could only be about its length.
        let _ = match self.0 {
            Version::Old => old_message(message, id, again).write(out).is_ok(),
            Version::Five => message_of(message, id, again).write(out).is_ok(),
        };
    }

    /// Of the whole packet.
    pub fn size(&self, message: &Message) -> usize {
        match self.0 {
            Version::Old => old_message(message, 1, false).size(),
            Version::Five => message_of(message, 1, false).size(),
        }
    }

    pub fn subscribe(&self, out: &mut BytesMut, id: u16, filters: &[(&str, Qos)]) {
        let _ = match self.0 {
            Version::Old => {
                let filter =
                    |(path, qos): &(&str, Qos)| old::v4::SubscribeFilter::new((*path).to_owned(), old_qos(*qos));
                old::v4::Subscribe { pkid: id, filters: filters.iter().map(filter).collect() }.write(out).is_ok()
            }
            Version::Five => {
                let filter = |(path, qos): &(&str, Qos)| five::v5::Filter::new(*path, five_qos(*qos));
                let filters = filters.iter().map(filter).collect();
                five::v5::Subscribe { pkid: id, filters, properties: None }.write(out).is_ok()
            }
        };
    }

    /// The same in both versions.
    pub fn took(&self, out: &mut BytesMut, id: u16) {
        let [high, low] = id.to_be_bytes();
        out.extend_from_slice(&[0x40, 2, high, low]);
    }

    pub fn ping(&self, out: &mut BytesMut) {
        out.extend_from_slice(&[0xc0, 0]);
    }

    /// By hand: of one with a reason the codec writes a length that is one too short.
    pub fn disconnect(&self, out: &mut BytesMut, reason: Reason) {
        match (self.0, reason) {
            (Version::Old, _) | (_, Reason::SUCCESS) => out.extend_from_slice(&[0xe0, 0]),
            (Version::Five, reason) => out.extend_from_slice(&[0xe0, 1, reason.code()]),
        }
    }
}

fn revealed(secret: &Option<Secret>) -> String {
    secret.as_ref().map_or(String::new(), |secret| secret.reveal().to_owned())
}

fn old_connect(out: &mut BytesMut, how: &Connect) {
    let will = how.will.as_ref().map(|will| old::v4::LastWill {
        topic: will.topic.clone(),
        message: will.payload.clone(),
        qos: old_qos(will.qos),
        retain: will.retain,
    });
    let user = how.user.clone().unwrap_or_default();
    let mut packet = old::v4::Connect {
        protocol: old::Protocol::V4,
        keep_alive: how.keep_alive_seconds(),
        client_id: how.client_id.clone(),
        clean_session: how.clean,
        last_will: will,
        login: Some(old::v4::Login { username: user, password: revealed(&how.password) }),
    };
    let _ = packet.write(out);
    if let Some(login) = &mut packet.login {
        login.password.zeroize();
    }
}

fn connect(out: &mut BytesMut, how: &Connect, incoming: u16, largest: usize) {
    let packet = five::v5::Connect {
        keep_alive: how.keep_alive_seconds(),
        client_id: how.client_id.clone(),
        clean_start: how.clean,
        properties: Some(five::v5::ConnectProperties {
            session_expiry_interval: Some(how.session_expiry.as_secs().try_into().unwrap_or(u32::MAX)),
            receive_maximum: Some(incoming),
            max_packet_size: Some(largest.try_into().unwrap_or(u32::MAX)),
            ..five::v5::ConnectProperties::new()
        }),
    };
    let will = how.will.as_ref().map(|will| five::v5::LastWill {
        topic: Bytes::copy_from_slice(will.topic.as_bytes()),
        message: will.payload.clone(),
        qos: five_qos(will.qos),
        retain: will.retain,
        properties: of_will(how, will),
    });
    let user = how.user.clone().unwrap_or_default();
    let mut login = Some(five::v5::Login { username: user, password: revealed(&how.password) });
    let _ = packet.write(&will, &login, out);
    if let Some(login) = &mut login {
        login.password.zeroize();
    }
}

fn of_will(how: &Connect, will: &Message) -> Option<five::v5::LastWillProperties> {
    let delay = how.will_delay.as_secs();
    (delay > 0 || will.content_type.is_some()).then(|| five::v5::LastWillProperties {
        delay_interval: (delay > 0).then(|| delay.try_into().unwrap_or(u32::MAX)),
        payload_format_indicator: None,
        message_expiry_interval: None,
        content_type: will.content_type.clone(),
        response_topic: None,
        correlation_data: None,
        user_properties: Vec::new(),
    })
}

fn old_message(message: &Message, id: u16, again: bool) -> old::v4::Publish {
    old::v4::Publish {
        dup: again,
        qos: old_qos(message.qos),
        retain: message.retain,
        topic: message.topic.clone(),
        pkid: id,
        payload: message.payload.clone(),
    }
}

fn message_of(message: &Message, id: u16, again: bool) -> five::v5::Publish {
    let Message { content_type, response_topic, correlation, expiry, .. } = message;
    let told = content_type.is_some() || response_topic.is_some() || correlation.is_some() || expiry.is_some();
    let properties = told.then(|| five::v5::PublishProperties {
        message_expiry_interval: expiry.map(|span| span.as_secs().try_into().unwrap_or(u32::MAX)),
        content_type: content_type.clone(),
        response_topic: response_topic.clone(),
        correlation_data: correlation.clone(),
        ..Default::default()
    });
    five::v5::Publish {
        dup: again,
        qos: five_qos(message.qos),
        retain: message.retain,
        topic: Bytes::copy_from_slice(message.topic.as_bytes()),
        pkid: id,
        payload: message.payload.clone(),
        properties,
    }
}

fn old_qos(qos: Qos) -> old::QoS {
    match qos {
        Qos::AtMostOnce => old::QoS::AtMostOnce,
        Qos::AtLeastOnce => old::QoS::AtLeastOnce,
    }
}

fn five_qos(qos: Qos) -> five::QoS {
    match qos {
        Qos::AtMostOnce => five::QoS::AtMostOnce,
        Qos::AtLeastOnce => five::QoS::AtLeastOnce,
    }
}
