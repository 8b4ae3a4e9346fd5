//! `POST /v1/links/{name}/raw`: one request to a unit, by hand, past all profiles.
//!
//! It goes to its end whether somebody waits for it or not, and a record tells what came. What may write goes out only when
//! a record of it is on disk; where nobody knows what came of it, it is *unknown* and never called failed.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::api::ask::{Word, body};
use crate::api::caller::Caller;
use crate::api::fault::Fault;
use crate::api::shown::{RawShown, RawState};
use crate::api::{Door, Here, cut};
use crate::links::modbus::wire::told::{Way, said};
use crate::links::modbus::wire::{Answer, Exception, Request, Wrong, answer, hex, of_hex, request_of};
use crate::links::wires::Wire;
use crate::model::operation::GatewayKind;
use crate::model::{Ask, Audit, Came, Event, Name, Principal};

/// Bytes of a request that its record tells.
const TOLD: usize = 40;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "RawWanted"))]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// On a serial line 0 is all of them.
    pub unit: u8,
    /// Function and data, in hex: without unit and checksum.
    pub pdu: String,
}

/// All there is to know to carry it out.
struct Asked {
    door: Arc<Door>,
    by: Principal,
    link: Name,
    wire: Arc<Wire>,
    unit: u8,
    pdu: Vec<u8>,
    request: Request,
}

pub async fn raw(State(door): Here, caller: Caller, Word(word): Word, sent: Body) -> Result<Json<RawShown>, Fault> {
    let (link, wire) = door.wire(&caller, &word, GatewayKind::RawRead).await?;
    let Wanted { unit, pdu } = body(&door, &caller, sent).await?;
    let (pdu, request) = read(&pdu)?;
    if !request.only_reads() {
        door.must_on(&caller, &link, GatewayKind::RawWrite).await?;
    }
    let asked = Asked { door, by: caller.principal, link, wire, unit, pdu, request };
    match tokio::spawn(asked.carry_out()).await {
        Ok(shown) => shown.map(Json),
        Err(_) => Err(Fault::new(
            StatusCode::GATEWAY_TIMEOUT,
            "not-known",
            "the gateway failed over it: it is not known whether it was sent",
            "look at the device before you ask again",
        )),
    }
}

fn read(text: &str) -> Result<(Vec<u8>, Request), Fault> {
    let hint = "give function and data in hex, without unit and checksum: 03 00 64 00 02 reads registers 100 and 101";
    let pdu = of_hex(text).ok_or_else(|| Fault::bad(format!("{:?} is not in hex", cut(text)), hint))?;
    let request = request_of(&pdu).map_err(|bad| Fault::bad(bad.to_string(), hint))?;
    Ok((pdu, request))
}

impl Asked {
    async fn carry_out(self) -> Result<RawShown, Fault> {
        let wire = self.wire.clone();
        let turn = wire.turn().ok_or_else(|| {
            Fault::busy(format!("somebody else asks by hand on link {} now", self.link), "nothing was sent; ask again")
        })?;
        if self.writes() {
            self.on_disk().await?;
        }
        let came = turn.ask(self.unit, self.request.clone()).await;
        let came = came.map(|answer| match answer {
            Answer::Raw(data) => [&[self.request.function()], &data[..]].concat(),
            _ => Vec::new(),
        });
        let shown = self.shown(came);
        let told = match &shown {
            Ok(shown) => told(shown),
            Err(fault) => Came::Failed(fault.message.clone()),
        };
        self.door.audit(self.audit(told)).await;
        shown
    }

    fn writes(&self) -> bool {
        !self.request.only_reads()
    }

    fn audit(&self, came: Came) -> Audit {
        let kind = if self.writes() { GatewayKind::RawWrite } else { GatewayKind::RawRead };
        let Asked { link, unit, pdu, .. } = self;
        let bytes = match pdu.get(..TOLD) {
            Some(first) => format!("{} … ({} bytes)", hex(first), pdu.len()),
            None => hex(pdu),
        };
        Audit::new(&self.by, kind.to_string(), Some(format!("{link} unit {unit}: {bytes}")), came)
    }

    /// That it goes out.
    async fn on_disk(&self) -> Result<(), Fault> {
        let (door, within) = (&self.door, self.door.limits.answer);
        let unwritten = |error| {
            let says = format!("nothing was sent, for no record of it could be put on disk: {error}");
            Fault::busy(says, "ask again when dmgw status shows that the store is well")
        };
        door.asks.put(Event::Audit(self.audit(Came::Begun)), within).await.map_err(unwritten)?;
        // What is behind it in the queue is answered after the same commit.
        let settle = Ask::Settle { readings: false };
        door.asks.ask(Principal::local_root(), settle, within).await.map(drop).map_err(unwritten)
    }

    /// An error: nothing was sent.
    fn shown(&self, came: Result<Vec<u8>, Wrong>) -> Result<RawShown, Fault> {
        let function = self.request.function();
        let (state, pdu, says) = match came {
            // To all, and none answers.
            Ok(pdu) if pdu.is_empty() => {
                (RawState::Told, None, "it went out to all units; none of them answers".to_owned())
            }
            Ok(pdu) => (RawState::Answered, Some(pdu.clone()), said(Way::In, &pdu)),
            Err(Wrong::Exception(no)) => {
                let pdu = vec![function | 0x80, no.code()];
                let says = said(Way::In, &pdu);
                (refused(no, self.writes()), Some(pdu), says)
            }
            Err(Wrong::NotSent(why)) => {
                let says = format!("nothing was sent: {why}");
                return Err(Fault::new(StatusCode::SERVICE_UNAVAILABLE, "not-sent", says, "ask again later"));
            }
            Err(wrong) if self.writes() => (RawState::Unknown, None, unknown(&wrong)),
            Err(wrong) => (RawState::Failed, None, wrong.to_string()),
        };
        let decoded = pdu.as_deref().filter(|_| state == RawState::Answered);
        let (registers, bits, objects) = decoded.map(|pdu| self.decoded(pdu)).unwrap_or_default();
        let (sent, asked) = (hex(&self.pdu), said(Way::Out, &self.pdu));
        let came = pdu.as_deref().map(hex);
        Ok(RawShown { unit: self.unit, state, sent, asked, came, says, registers, bits, objects })
    }

    fn decoded(&self, pdu: &[u8]) -> (BTreeMap<u16, u16>, BTreeMap<u16, bool>, BTreeMap<u8, String>) {
        let (mut registers, mut bits, mut objects) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let request = self.request.plain();
        let at = if let Request::Read { at, .. } = request { *at } else { 0 };
        match answer::read(request, pdu) {
            Ok(Answer::Words(values)) => registers.extend((at..=u16::MAX).zip(values)),
            Ok(Answer::Bits(values)) => bits.extend((at..=u16::MAX).zip(values)),
            Ok(Answer::Identity(identity)) => {
                let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
                objects.extend(identity.objects.into_iter().map(|(no, bytes)| (no, text(bytes))));
            }
            _ => {}
        }
        (registers, bits, objects)
    }
}

fn refused(no: Exception, writes: bool) -> RawState {
    match no {
        // It was passed on, or taken: what came of it nobody has said.
        Exception::NoAnswer | Exception::Acknowledge if writes => RawState::Unknown,
        _ => RawState::Refused,
    }
}

fn unknown(wrong: &Wrong) -> String {
    format!("{wrong}; it was sent, and nobody can say whether it was carried out")
}

fn told(shown: &RawShown) -> Came {
    let says = shown.says.clone();
    match shown.state {
        RawState::Answered => Came::Answered(says),
        RawState::Refused | RawState::Failed => Came::Failed(says),
        RawState::Unknown | RawState::Told => Came::Unknown(says),
    }
}
