//! A broker as a model, in false time: it keeps its own record of what it was given and of each rule that was broken.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::BytesMut;
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;

use super::*;

/// What the broker says that it takes at once; and what the machine may give at once.
const TAKES: u16 = 3;
const WINDOW: u16 = 4;
/// More bytes than the pace lets through at first.
const LARGEST: usize = 8_000;

#[derive(Clone, Debug)]
pub enum Act {
    Publish {
        acknowledged: bool,
        size: u16,
    },
    /// So many bytes reach the broker, or the machine.
    Up(u16),
    Down(u16),
    /// One of those that wait, whichever.
    Answer {
        which: u8,
        refuse: bool,
    },
    Pass(Duration),
    /// The connection is cut, wherever it was.
    Cut {
        keep: bool,
    },
    Bye,
    HandBack,
}

/// What is broken on purpose, to see that it is found.
#[derive(Clone, Copy, PartialEq)]
pub enum Sabotage {
    Nothing,
    /// What is held is forgotten with the connection.
    Forgets,
    /// The broker takes fewer than it says.
    Overruns,
    Swaps,
    /// The broker acknowledges what it throws away.
    Lies,
}

#[derive(Default)]
struct Broker {
    old: bool,
    /// What came in this session.
    session: Option<BTreeSet<Token>>,
    present: bool,
    input: BytesMut,
    output: VecDeque<u8>,
    waiting: Vec<(u16, Token)>,
    last: Option<Token>,
    delivered: BTreeSet<Token>,
    faults: Vec<String>,
}

impl Broker {
    fn accepts(&mut self, told: u16) {
        self.present = self.session.is_some();
        self.session.get_or_insert_default();
        let present = u8::from(self.present);
        match self.old {
            true => self.output.extend([0x20, 2, present, 0]),
            false => self.output.extend([0x20, 6, present, 0, 3, 33, 0, told as u8]),
        }
    }

    fn loses(&mut self, keep: bool) {
        self.input.clear();
        self.output.clear();
        self.waiting.clear();
        self.last = None;
        if !keep {
            self.session = None;
        }
    }

    fn hears(&mut self, bytes: &[u8], takes: u16) {
        self.input.extend_from_slice(bytes);
        while let Some(packet) = self.packet() {
            match packet {
                Heard::Connect => self.accepts(takes),
                Heard::Publish { token, id, again } => self.takes(token, id, again, takes.min(TAKES)),
                Heard::Ping => self.output.extend([0xd0, 0]),
            }
        }
    }

    fn packet(&mut self) -> Option<Heard> {
        // Of the new version too: it can tell what is not whole from what is wrong.
        let token = |payload: &[u8]| Token::from_be_bytes(payload[..8].try_into().unwrap());
        if self.old {
            match v4::Packet::read(&mut self.input, usize::MAX) {
                Ok(v4::Packet::Connect(_)) => Some(Heard::Connect),
                Ok(v4::Packet::Publish(p)) => {
                    Some(Heard::Publish { token: token(&p.payload), id: p.pkid, again: p.dup })
                }
                Ok(v4::Packet::PingReq) => Some(Heard::Ping),
                Err(rumqttc::mqttbytes::Error::InsufficientBytes(_)) => None,
                other => panic!("{other:?}"),
            }
        } else {
            match v5::Packet::read(&mut self.input, None) {
                Ok(v5::Packet::Connect(..)) => Some(Heard::Connect),
                Ok(v5::Packet::Publish(p)) => {
                    Some(Heard::Publish { token: token(&p.payload), id: p.pkid, again: p.dup })
                }
                Ok(v5::Packet::PingReq(_)) => Some(Heard::Ping),
                Err(rumqttc::v5::mqttbytes::Error::InsufficientBytes(_)) => None,
                other => panic!("{other:?}"),
            }
        }
    }

    fn takes(&mut self, token: Token, id: u16, again: bool, most: u16) {
        let session = self.session.get_or_insert_default();
        let known = !session.insert(token);
        self.delivered.insert(token);
        let mut fault = |wrong: bool, what: &str| {
            if wrong {
                self.faults.push(format!("{token}: {what}"));
            }
        };
        fault(self.last >= Some(token), "out of order");
        self.last = Some(token);
        if id == 0 {
            return fault(again, "a duplicate that nobody acknowledges");
        }
        fault(again && !self.present, "a duplicate without a session");
        fault(known && !again, "the same again, and not as a duplicate");
        fault(self.waiting.iter().any(|(waiting, _)| *waiting == id), "its id is in use");
        let most = if self.old { WINDOW } else { most };
        fault(self.waiting.len() >= most.into(), "beyond the window");
        self.waiting.push((id, token));
    }

    fn answers(&mut self, which: usize, refuse: bool) -> Option<Token> {
        let (id, token) = (!self.waiting.is_empty()).then(|| self.waiting.remove(which % self.waiting.len()))?;
        let [high, low] = id.to_be_bytes();
        let answer = if refuse && !self.old { vec![0x40, 3, high, low, 0x97] } else { vec![0x40, 2, high, low] };
        self.output.extend(answer);
        Some(token)
    }
}

enum Heard {
    Connect,
    Publish { token: Token, id: u16, again: bool },
    Ping,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ended {
    Acknowledged,
    Refused,
    Back,
}

/// A machine, a broker, and the record of both.
pub struct Trial {
    bench: Bench,
    broker: Broker,
    sabotage: Sabotage,
    apart: bool,
    /// Whether it is to be acknowledged.
    given: BTreeMap<Token, bool>,
    ended: Vec<(Token, Ended)>,
    next: Token,
}

impl Trial {
    pub fn new(old: bool, sabotage: Sabotage) -> Trial {
        let mut bench = Bench::with(Bounds { window: WINDOW, ..Bounds::default() });
        if old {
            bench.how.version = Version::Old;
        }
        let broker = Broker { old, ..Broker::default() };
        Trial { bench, broker, sabotage, apart: true, given: BTreeMap::new(), ended: Vec::new(), next: 0 }
    }

    pub fn act(&mut self, act: Act) {
        match act {
            Act::Publish { acknowledged, size } => self.publish(acknowledged, size.into()),
            Act::HandBack if self.apart => self.hand_back(),
            Act::HandBack => {}
            other => {
                self.connected();
                self.on_the_wire(other);
            }
        }
        self.told();
    }

    fn on_the_wire(&mut self, act: Act) {
        match act {
            Act::Up(count) => self.up(count.into()),
            Act::Down(count) => self.down(count.into()),
            Act::Answer { which, refuse } => {
                let token = self.broker.answers(which.into(), refuse);
                if let Some(token) = token.filter(|_| self.sabotage == Sabotage::Lies) {
                    self.broker.delivered.remove(&token);
                }
            }
            Act::Pass(span) => self.bench.passes(span),
            Act::Cut { keep } => {
                self.bench.client.closed(None);
                self.broker.loses(keep);
            }
            Act::Bye => self.broker.output.extend([0xe0, 2, 0x8b, 0].iter().filter(|_| !self.broker.old)),
            Act::Publish { .. } | Act::HandBack => {}
        }
    }

    fn publish(&mut self, acknowledged: bool, size: usize) {
        let token = if self.sabotage == Sabotage::Swaps { self.next ^ 1 } else { self.next };
        let payload = [&token.to_be_bytes()[..], &vec![0; size % LARGEST]].concat();
        let qos = if acknowledged { Qos::AtLeastOnce } else { Qos::AtMostOnce };
        let message = Message { qos, ..Message::new("t", payload) };
        if self.bench.client.publish(self.bench.now, token, message).is_ok() {
            self.given.insert(token, acknowledged);
            self.next += 1;
        }
    }

    fn connected(&mut self) {
        if self.apart {
            self.broker.loses(true);
            let (now, how) = (self.bench.now, self.bench.how.clone());
            self.bench.client.connect(now, &how).unwrap();
            self.apart = false;
        }
    }

    fn up(&mut self, count: usize) {
        let bytes = self.bench.client.output();
        let bytes = bytes[..count.min(bytes.len())].to_vec();
        let told = if self.sabotage == Sabotage::Overruns { TAKES + 1 } else { TAKES };
        self.broker.hears(&bytes, told);
        self.bench.client.wrote(self.bench.now, bytes.len());
    }

    fn down(&mut self, count: usize) {
        let count = count.min(self.broker.output.len());
        let bytes: Vec<u8> = self.broker.output.drain(..count).collect();
        self.bench.hears(&bytes);
    }

    fn hand_back(&mut self) {
        let back = self.bench.client.hand_back();
        self.ended.extend(back.into_iter().map(|(token, _)| (token, Ended::Back)));
    }

    fn told(&mut self) {
        for event in self.bench.events() {
            match event {
                Event::Acknowledged { token, .. } => self.ended.push((token, Ended::Acknowledged)),
                Event::Refused { token, .. } => self.ended.push((token, Ended::Refused)),
                Event::Ended(End::Broken(why)) => self.broker.faults.push(why.to_string()),
                Event::Ended(_) => self.apart = true,
                _ => {}
            }
        }
        if self.apart && self.sabotage == Sabotage::Forgets {
            self.bench.client.hand_back();
        }
    }

    /// A good broker from here on, until nothing is held; then what the records say.
    pub fn judged(mut self) -> Result<usize, String> {
        for _ in 0..1_000 {
            if self.bench.client.holds_nothing() {
                break;
            }
            self.act(Act::Up(u16::MAX));
            self.act(Act::Answer { which: 0, refuse: false });
            self.act(Act::Down(u16::MAX));
        }
        if let Some(fault) = self.broker.faults.first() {
            return Err(fault.clone());
        }
        self.given.iter().try_for_each(|(token, acknowledged)| self.judge(*token, *acknowledged))?;
        let strange = self.ended.iter().find(|(token, _)| !self.given.contains_key(token));
        strange.map_or(Ok(self.given.len()), |strange| Err(format!("{strange:?} was never given")))
    }

    fn judge(&self, token: Token, acknowledged: bool) -> Result<(), String> {
        let ends: Vec<Ended> = self.ended.iter().filter(|(ended, _)| *ended == token).map(|(_, end)| *end).collect();
        let [end] = ends[..] else { return Err(format!("{token} ended {} times", ends.len())) };
        if acknowledged && end != Ended::Back && !self.broker.delivered.contains(&token) {
            return Err(format!("{token} was answered and never came"));
        }
        Ok(())
    }
}
