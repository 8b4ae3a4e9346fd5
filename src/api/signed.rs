//! Who asks over an upstream: whoever signed it, else the upstream itself, as far as that may.
//!
//! A signature is believed for this gateway only, and only until the request expires; what is asked again under its id is
//! the business of whoever remembers ids ([`once`](super::once), or the engine for commands). Whoever is not believed is
//! told of in the journal: the first at once, then counted, for all of it may come again and again.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::Deserialize;

use super::caller::Caller;
use super::fault::Fault;
use super::pace::Why;
use super::{Door, cut, strict};
use crate::metrics;
use crate::model::token::Mark;
use crate::model::{Address, Audit, Came, ClockQuality, Name, Principal};
use crate::seal::{BadSignature, Envelope};
use crate::trust::mark_of;
use crate::upstream::asking::{Asked, Request, Unsigned};

/// Bytes of an id, or of what makes a request another one.
const LONGEST_NONCE: usize = 128;
const TOO_LATE: &str = "the request expired before it came in";
const UNKNOWN_KEY: Why = ("unknown-key", "it is signed with a key that nobody knows here");
const NO_SIGNATURE: Why = ("no-signature", "its signature is none");
const WRONG_SIGNATURE: Why = ("wrong-signature", "its signature is wrong");

/// As it was read, before anybody is believed.
pub enum Sent {
    Plain(Request),
    /// With what it says, where that can be read.
    Signed(Envelope, Result<Request, Fault>),
}

/// Who asks what.
pub struct Known {
    pub caller: Caller,
    pub request: Request,
    /// Of all that was said.
    pub mark: Mark,
}

/// Why somebody who signed is not believed.
struct Unbelieved {
    by: Option<Name>,
    why: Why,
    status: StatusCode,
    hint: &'static str,
}

impl Sent {
    pub fn read(message: &[u8], most: usize) -> Result<Sent, Fault> {
        /// Only to see which of the two it is.
        #[derive(Deserialize)]
        struct Either {
            says: Option<serde::de::IgnoredAny>,
        }
        if message.len() > most {
            let says = format!("the request is larger than {most} bytes");
            let hint = "ask for less at once (limits.body)";
            return Err(Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "bad-argument", says, hint));
        }
        match serde_json::from_slice(message).map_err(|error| unread(&error))? {
            Either { says: None } => strict::read(message).map(Sent::Plain).map_err(|error| unread(&error)),
            Either { says: Some(_) } => {
                let envelope: Envelope = strict::read(message).map_err(|error| unread(&error))?;
                let request = strict::read(envelope.says.as_bytes()).map_err(|error| unread(&error));
                Ok(Sent::Signed(envelope, request))
            }
        }
    }

    /// What answers say of it, believed or not: its id, and where the answer goes.
    pub fn names(&self) -> (Option<String>, Option<String>) {
        match self {
            Sent::Plain(request) | Sent::Signed(_, Ok(request)) => request.names(),
            Sent::Signed(_, Err(_)) => (None, None),
        }
    }
}

fn unread(error: &serde_json::Error) -> Fault {
    let hint = "the message is JSON, such as {\"id\":\"a-1\",\"method\":\"GET\",\"path\":\"/v1/status\"}, or that as a text \
                in {\"says\":…,\"key\":…,\"signature\":…}";
    Fault::bad(format!("the request cannot be read: {}", cut(&error.to_string())), hint)
}

impl Door {
    /// An error is told to the journal before it is given back.
    pub async fn who_asks(self: &Arc<Door>, asked: &Asked, sent: Sent) -> Result<Known, Fault> {
        let from = Address::new(asked.upstream.as_str()).ok();
        match sent {
            Sent::Plain(request) => self.unsigned(asked, from, request).await,
            Sent::Signed(envelope, request) => match self.believed(&envelope, request, from.clone()) {
                Ok(Ok(known)) => Ok(known),
                Ok(Err(fault)) => Err(fault),
                Err(Unbelieved { by, why, status, hint }) => {
                    self.metrics.door(metrics::Door::Upstream).refused.add(1);
                    self.unbelieved.refused(self, (by, from), why).await;
                    Err(Fault::new(status, "not-believed", why.1, hint))
                }
            },
        }
    }

    async fn unsigned(&self, asked: &Asked, from: Option<Address>, request: Request) -> Result<Known, Fault> {
        let caller = Caller::local(Principal { local: false, from, ..asked.by.clone() });
        let may = match asked.unsigned {
            Unsigned::Allow => true,
            Unsigned::Look => request.method == "GET",
            Unsigned::Refuse => false,
        };
        if !may {
            let says = match asked.unsigned {
                Unsigned::Look => "over this upstream, what changes something must be signed",
                _ => "over this upstream, each request must be signed",
            };
            let on = format!("{} {}", cut(&request.method), cut(&request.path));
            self.audit(Audit::new(&caller.principal, "unsigned", Some(on), Came::Refused(says.into()))).await;
            let hint = "sign it with a key that the settings name ([key.NAME]); dmgw key create makes one";
            return Err(Fault::new(StatusCode::FORBIDDEN, "not-allowed", says, hint));
        }
        for_us(&self.gateway, &request).map_err(|why| Fault::bad(why.1, "ask the gateway that is meant"))?;
        let now = self.now();
        let over = request.expires.is_some_and(|expires| expires <= now.wall) && now.quality != ClockQuality::Unset;
        if request.method == "GET" && over {
            return Err(Fault::new(StatusCode::GONE, "expired", TOO_LATE, "ask with a later `expires`"));
        }
        let mark = mark_of_request(&request)?;
        Ok(Known { caller, request, mark })
    }

    /// What is wrong with the request is for whoever asks; that it is not believed, for the journal too.
    fn believed(
        &self,
        envelope: &Envelope,
        request: Result<Request, Fault>,
        from: Option<Address>,
    ) -> Result<Result<Known, Fault>, Unbelieved> {
        let nobody = |why, hint| Unbelieved { by: None, why, status: StatusCode::UNAUTHORIZED, hint };
        let key = self.keys.get(&envelope.key);
        let key = key.ok_or_else(|| nobody(UNKNOWN_KEY, "name the key in the settings: [key.NAME]"))?;
        envelope.verify(&key.public).map_err(|bad| match bad {
            BadSignature::NotOne => nobody(NO_SIGNATURE, "a signature is 64 bytes in base64url"),
            BadSignature::Wrong => {
                nobody(WRONG_SIGNATURE, "sign the very bytes of `says`, with the key that `key` names")
            }
        })?;
        let known = |why, status, hint| Unbelieved { by: Some(envelope.key.clone()), why, status, hint };
        let request = match request {
            Ok(request) => request,
            Err(fault) => return Ok(Err(fault)),
        };
        for_us(&self.gateway, &request)
            .map_err(|why| known(why, StatusCode::FORBIDDEN, "sign it anew, for the gateway that is meant"))?;
        if let Err(fault) = is_whole(&request) {
            return Ok(Err(fault));
        }
        self.in_time(&request).map_err(|(why, status)| known(why, status, "sign it anew, with another time"))?;
        let mark = mark_of(envelope.says.as_bytes());
        Ok(Ok(Known { caller: key.caller(from), request, mark }))
    }

    /// That what changes something has expired, whoever remembers ids says: its first answer may still be told.
    fn in_time(&self, request: &Request) -> Result<(), (Why, StatusCode)> {
        let now = self.now();
        let expires = request.expires.unwrap_or_default();
        if now.quality == ClockQuality::Unset {
            let why = "the clock of the gateway is not set, so no expiry can be judged";
            return Err((("clock-unset", why), StatusCode::SERVICE_UNAVAILABLE));
        }
        if request.method == "GET" && expires <= now.wall {
            return Err((("stale", TOO_LATE), StatusCode::GONE));
        }
        if expires > now.wall + self.limits.expiry {
            let why = "the request expires too far ahead (commands.longest_expiry)";
            return Err((("too-far-ahead", why), StatusCode::BAD_REQUEST));
        }
        Ok(())
    }
}

fn for_us(gateway: &str, request: &Request) -> Result<(), Why> {
    match request.gateway.as_ref().is_none_or(|meant| meant == gateway) {
        true => Ok(()),
        false => Err(("other-gateway", "the request is for another gateway")),
    }
}

/// What is signed says for whom, which one and until when.
fn is_whole(request: &Request) -> Result<(), Fault> {
    let Request { gateway, id, nonce, expires, .. } = request;
    let missing = [
        ("gateway", gateway.is_none()),
        ("id", id.is_none()),
        ("nonce", nonce.is_none()),
        ("expires", expires.is_none()),
    ];
    if let Some((key, _)) = missing.into_iter().find(|(_, missing)| *missing) {
        let hint = "a signed request says gateway, id, nonce and expires beside method, path and body";
        return Err(Fault::bad(format!("what is signed does not say its {key}"), hint));
    }
    match nonce.as_ref().is_none_or(|nonce| nonce.len() <= LONGEST_NONCE) {
        true => Ok(()),
        false => Err(Fault::bad(format!("a nonce has {LONGEST_NONCE} bytes at most"), "take a shorter one")),
    }
}

/// Where the answer goes makes it no other request.
fn mark_of_request(request: &Request) -> Result<Mark, Fault> {
    let said = serde_json::to_vec(&(&request.method, &request.path, &request.body, &request.if_match));
    said.map(|said| mark_of(&said)).map_err(|error| unread(&error))
}
