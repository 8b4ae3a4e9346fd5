//! Who asks: made out from where a connection comes and what a request shows, before any handler sees it.
//!
//! Whoever is at the socket is known by the kernel's word for it. Whoever comes from afar shows a certificate with the
//! connection, or a token with each request; of both only the mark is known here. Both ways one thing comes out, a
//! [`Caller`], and handlers ask nothing else.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::fault::Fault;
use super::pace::NOT_KNOWN;
use super::{Door, once};
use crate::access::Reach;
use crate::metrics;
use crate::model::operation::GatewayKind;
use crate::model::token::{Mark, Shows, Token};
use crate::model::{Address, Audit, Came, Principal};
use crate::trust::mark_of;
use crate::view::TokenNow;

/// So a token begins, that people and scanners of leaks know it when they see it.
pub const TOKEN: &str = "dmgw_";
/// No token is longer.
const LONGEST_TOKEN: usize = 128;

/// Where a connection comes from.
#[derive(Clone)]
pub enum Origin {
    /// Known by who it is.
    Here(Caller),
    /// The same, of somebody who asked over an upstream.
    Upstream(Caller),
    Far {
        from: Address,
        certificate: Option<Mark>,
    },
}

#[derive(Clone)]
pub struct Caller {
    pub principal: Principal,
    pub reach: Reach,
    /// Which may be taken back while a stream runs, or while the rest of a request is on its way.
    pub token: Option<Arc<Token>>,
}

impl Origin {
    /// For those who count.
    pub fn door(&self) -> metrics::Door {
        match self {
            Origin::Here(_) => metrics::Door::Socket,
            Origin::Far { .. } => metrics::Door::Net,
            Origin::Upstream(_) => metrics::Door::Upstream,
        }
    }
}

impl Caller {
    pub fn local(principal: Principal) -> Caller {
        Caller { reach: Reach::of(&principal), principal, token: None }
    }

    pub fn must(&self, kind: GatewayKind, what: &str) -> Result<(), Fault> {
        match self.reach.may_gateway(kind) {
            true => Ok(()),
            false => Err(Fault::not_allowed(format!("{} may not {what}", self.principal.name))),
        }
    }

    fn of(token: &TokenNow, from: Address) -> Caller {
        let principal = Principal { from: Some(from), ..token.principal.clone() };
        Caller { principal, reach: token.reach.clone(), token: Some(token.token.clone()) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, Fault> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(unknown)
    }
}

/// Around all routes: nobody unknown comes further than here.
pub async fn enter(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    match door.caller(&request) {
        Ok(caller) => match door.pace.take(&caller.principal, (door.mono)()) {
            Ok(()) => {
                request.extensions_mut().insert(caller);
                next.run(request).await
            }
            Err(fault) => fault.into_response(),
        },
        Err(from) => {
            let came = request.extensions().get::<Origin>().map_or(metrics::Door::Socket, Origin::door);
            door.metrics.door(came).refused.add(1);
            door.strangers.refused(&door, (None, from), NOT_KNOWN).await;
            let mut answer = unknown().into_response();
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"dmgw\""));
            answer
        }
    }
}

/// Around one route: what it takes.
pub async fn allow(
    State((door, needs)): State<(Arc<Door>, GatewayKind)>,
    caller: Caller,
    mut request: Request,
    next: Next,
) -> Response {
    if caller.reach.may_gateway(needs) {
        return match request.extensions_mut().remove() {
            Some(once) => once::carried_out(door, caller, needs, once, request, next).await.into_response(),
            None => next.run(request).await,
        };
    }
    let what = format!("{} {}", request.method(), request.uri().path());
    let says = format!("{} may not do this: {what}", caller.principal.name);
    door.audit(Audit::new(&caller.principal, needs.to_string(), Some(what), Came::Refused(says.clone()))).await;
    Fault::not_allowed(says).into_response()
}

fn unknown() -> Fault {
    let hint = "show a token (authorization: Bearer dmgw_…), or a certificate that is known here; on the gateway itself, \
                root makes one with: dmgw token create NAME";
    Fault::new(StatusCode::UNAUTHORIZED, "not-known-who", "it is not known who asks", hint)
}

/// None: nothing of the kind is shown.
fn shown(head: &HeaderMap) -> Option<&[u8]> {
    let value = head.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, rest) = value.split_at_checked(7)?;
    let token = rest.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && token.len() <= LONGEST_TOKEN).then_some(token)
}

impl Door {
    /// An error: who it was that cannot be let in, as far as that is known.
    fn caller(&self, request: &Request) -> Result<Caller, Option<Address>> {
        let origin = request.extensions().get::<Origin>();
        let token = shown(request.headers()).map(|token| (Shows::Secret, mark_of(token)));
        let (from, shown) = match origin {
            None => return Err(None),
            Some(Origin::Upstream(caller)) => return Ok(caller.clone()),
            // Who shows a token here wants to be no more than that.
            Some(Origin::Here(caller)) if !request.headers().contains_key(header::AUTHORIZATION) => {
                return Ok(caller.clone());
            }
            Some(Origin::Here(caller)) => (caller.principal.from.clone(), token),
            Some(Origin::Far { from, certificate }) => {
                let certificate = certificate.map(|mark| (Shows::Certificate, mark));
                (Some(from.clone()), token.or(certificate))
            }
        };
        let now = self.now();
        let known = shown.and_then(|(shows, mark)| self.view.token(&mark).filter(|known| known.token.shows == shows));
        let known = known.filter(|known| known.token.is_good(&now));
        match (known, from) {
            (Some(known), Some(from)) => {
                known.was_used(now.wall);
                Ok(Caller::of(&known, from))
            }
            (_, from) => Err(from),
        }
    }

    /// This very token is there still, and not over: another one may be shown in the same way by now.
    pub fn is_good(&self, token: &Arc<Token>) -> bool {
        self.view.token(&token.mark).is_some_and(|known| known.token == *token && token.is_good(&self.now()))
    }

    /// Once more, where time has gone by since the request began.
    pub fn still_knows(&self, caller: &Caller) -> Result<(), Fault> {
        match caller.token.as_ref().is_none_or(|token| self.is_good(token)) {
            true => Ok(()),
            false => Err(unknown()),
        }
    }

    /// Told to the journal; where the loop has no time for it, to the log.
    pub async fn audit(&self, audit: Audit) {
        let event = crate::model::Event::Audit(audit);
        if let Err(error) = self.asks.put(event, self.limits.answer).await {
            tracing::warn!(%error, "what somebody asked could not be told to the journal");
        }
    }
}
