//! A broker as a model, in false time: it keeps its own record of what it was given and of each rule that was broken.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::BytesMut;
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;

use super::*;

/// What the broker says that it takes at once; and what the machine may give at once.
const TAKES: u16 = 3;
const WINDOW: u16 = 4;
/// The same for what the broker has for us: an old one is not told, and sends more.
const INCOMING: u16 = 3;
const MORE: u16 = 9;
/// So that packets of some thousand bytes are cut, too.
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
    /// The broker has a message for us.
    Send,
    /// One of those that came is safe here; it may be of an earlier connection.
    Take(u8),
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
    /// What came is acknowledged before it is safe.
    Hasty,
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
    /// What this session has for us, by packet id; and what we acknowledged of it.
    outbox: BTreeMap<u16, u32>,
    last_sent: u32,
    up: bool,
    taken: Vec<u32>,
    faults: Vec<String>,
}

impl Broker {
    fn accepts(&mut self, told: u16) {
        self.present = self.session.is_some();
        self.up = true;
        self.session.get_or_insert_default();
        let present = u8::from(self.present);
        match self.old {
            true => self.output.extend([0x20, 2, present, 0]),
            false => self.output.extend([0x20, 6, present, 0, 3, 33, 0, told as u8]),
        }
        let again: Vec<(u16, u32)> = self.outbox.iter().map(|(id, number)| (*id, *number)).collect();
        again.into_iter().for_each(|(id, number)| self.gives(id, number, 8));
    }

    fn sends(&mut self) {
        let most = if self.old { MORE } else { INCOMING };
        if self.up && self.outbox.len() < most.into() {
            self.last_sent += 1;
            let id = (1..).find(|id| !self.outbox.contains_key(id)).unwrap();
            self.outbox.insert(id, self.last_sent);
            self.gives(id, self.last_sent, 0);
        }
    }

    fn gives(&mut self, id: u16, number: u32, again: u8) {
        let properties: &[u8] = if self.old { &[] } else { &[0] };
        let body = [&[0, 1, b'q'][..], &id.to_be_bytes(), properties, &number.to_be_bytes()].concat();
        self.output.extend([0x32 | again, body.len() as u8]);
        self.output.extend(body);
    }

    fn is_told(&mut self, id: u16) {
        match self.outbox.remove(&id) {
            Some(number) => self.taken.push(number),
            None => self.faults.push(format!("{id} was acknowledged and not sent")),
        }
    }

    fn loses(&mut self, keep: bool) {
        self.input.clear();
        self.output.clear();
        self.waiting.clear();
        (self.last, self.up) = (None, false);
        if !keep {
            self.session = None;
            self.outbox.clear();
        }
    }

    fn hears(&mut self, bytes: &[u8], takes: u16) {
        self.input.extend_from_slice(bytes);
        while let Some(packet) = self.packet() {
            match packet {
                Heard::Connect => self.accepts(takes),
                Heard::Publish { token, id, again } => self.takes(token, id, again, takes.min(TAKES)),
                Heard::Took(id) => self.is_told(id),
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
                Ok(v4::Packet::PubAck(ack)) => Some(Heard::Took(ack.pkid)),
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
                Ok(v5::Packet::PubAck(ack)) => Some(Heard::Took(ack.pkid)),
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
    Took(u16),
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
    /// What came and is not safe yet, the same of earlier connections, and what is safe.
    came: Vec<(Receipt, u32)>,
    stale: Vec<Receipt>,
    safe: BTreeSet<u32>,
}

impl Trial {
    pub fn new(old: bool, sabotage: Sabotage) -> Trial {
        let mut bench = Bench::with(Bounds { window: WINDOW, incoming: INCOMING, ..Bounds::default() });
        if old {
            bench.how.version = Version::Old;
        }
        let broker = Broker { old, ..Broker::default() };
        Trial {
            bench,
            broker,
            sabotage,
            apart: true,
            given: BTreeMap::new(),
            ended: Vec::new(),
            next: 0,
            came: Vec::new(),
            stale: Vec::new(),
            safe: BTreeSet::new(),
        }
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
            Act::Send => self.broker.sends(),
            Act::Take(which) => self.takes(which.into()),
            Act::Publish { .. } | Act::HandBack => {}
        }
    }

    fn takes(&mut self, which: usize) {
        let now = self.bench.now;
        self.stale.drain(..).for_each(|receipt| self.bench.client.took(now, receipt));
        if !self.came.is_empty() {
            let (receipt, number) = self.came.remove(which % self.came.len());
            self.safe.insert(number);
            self.bench.client.took(now, receipt);
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
        let early = self.broker.taken.drain(..).find(|number| !self.safe.contains(number));
        let fault = early.map(|number| format!("{number} was acknowledged before it was safe"));
        self.broker.faults.extend(fault);
        self.bench.client.wrote(self.bench.now, bytes.len());
    }

    fn down(&mut self, count: usize) {
        if !self.bench.client.wants_input() {
            return;
        }
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
                Event::Message { message, receipt: Some(receipt), .. } => {
                    let number = u32::from_be_bytes(message.payload[..].try_into().unwrap());
                    if self.sabotage == Sabotage::Hasty {
                        self.bench.client.took(self.bench.now, receipt);
                    }
                    self.came.push((receipt, number));
                }
                Event::Ended(End::Broken(why)) => self.broker.faults.push(why.to_string()),
                Event::Ended(_) => {
                    self.apart = true;
                    self.stale.extend(self.came.drain(..).map(|(receipt, _)| receipt));
                }
                _ => {}
            }
        }
        if self.came.len() > INCOMING.into() {
            self.broker.faults.push("more came than is held".to_owned());
        }
        if self.apart && self.sabotage == Sabotage::Forgets {
            self.bench.client.hand_back();
        }
    }

    /// A good broker from here on, until nothing is held; then what the records say.
    pub fn judged(mut self) -> Result<usize, String> {
        for _ in 0..1_000 {
            if self.bench.client.holds_nothing() && self.broker.outbox.is_empty() {
                break;
            }
            self.act(Act::Take(0));
            self.act(Act::Up(u16::MAX));
            self.act(Act::Answer { which: 0, refuse: false });
            self.act(Act::Down(u16::MAX));
        }
        if let Some(fault) = self.broker.faults.first() {
            return Err(fault.clone());
        }
        self.given.iter().try_for_each(|(token, acknowledged)| self.judge(*token, *acknowledged))?;
        if let Some(number) = self.broker.outbox.values().next() {
            return Err(format!("{number} of the broker was never acknowledged"));
        }
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
