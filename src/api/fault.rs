//! What a request is told when it fails: a problem document (RFC 9457) with the status that fits. Its type is for
//! programs, the detail says what happened, the remedy what to do.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::asks::AskError;
use crate::model::{Name, Refusal};
use crate::units::show_span;

/// Seconds after which it is worth coming back.
const RETRY_AFTER: &str = "1";

#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub status: StatusCode,
    pub kind: &'static str,
    pub message: String,
    pub hint: String,
    /// What the second step needs, where there is one.
    pub guard: Option<Guard>,
}

/// With this token the very same may be asked again, within so many seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Guard {
    pub token: Name,
    pub within: f64,
}

/// As a client hears it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Problem", into = "Problem")]
pub struct Told {
    pub kind: String,
    /// Of the answer; 0 where there was none.
    pub status: u16,
    pub message: String,
    pub hint: String,
    pub guard: Option<Guard>,
}

/// What stands before the kind in a problem's type.
const URN: &str = "urn:dmgw:problem:";
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong, and what to do (RFC 9457).
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Problem {
    /// `urn:dmgw:problem:` and the kind: not-found, not-allowed, bad-argument, …
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    /// What happened.
    detail: String,
    /// What to do.
    remedy: String,
    /// Of what is dangerous: `token` and `within`.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    guard: Option<Guard>,
}

impl From<Problem> for Told {
    fn from(of: Problem) -> Told {
        let kind = of.kind.strip_prefix(URN).unwrap_or(&of.kind).to_owned();
        Told { kind, status: of.status, message: of.detail, hint: of.remedy, guard: of.guard }
    }
}

impl From<Told> for Problem {
    fn from(of: Told) -> Problem {
        let (kind, title) = (format!("{URN}{}", of.kind), of.kind.replace('-', " "));
        Problem { kind, title, status: of.status, detail: of.message, remedy: of.hint, guard: of.guard }
    }
}

impl Fault {
    pub fn new(status: StatusCode, kind: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Fault {
        Fault { status, kind, message: message.into(), hint: hint.into(), guard: None }
    }

    pub fn bad(message: impl Into<String>, hint: impl Into<String>) -> Fault {
        Fault::new(StatusCode::BAD_REQUEST, "bad-argument", message, hint)
    }

    pub fn not_found(message: impl Into<String>, hint: impl Into<String>) -> Fault {
        Fault::new(StatusCode::NOT_FOUND, "not-found", message, hint)
    }

    pub fn not_allowed(message: impl Into<String>) -> Fault {
        Fault::new(StatusCode::FORBIDDEN, "not-allowed", message, "ask somebody who may, or for a token that does")
    }

    pub fn busy(message: impl Into<String>, hint: impl Into<String>) -> Fault {
        Fault::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message, hint)
    }

    /// Nothing was done yet: what is asked cannot be undone, and must be asked again with the token.
    pub fn guarded(message: String, token: Name, within: Duration) -> Fault {
        let hint = format!(
            "nothing was done yet; to do it, ask the very same again within {}, with \"token\": \"{token}\"",
            show_span(within)
        );
        let guard = Some(Guard { token, within: within.as_secs_f64() });
        Fault { guard, ..Fault::new(StatusCode::PRECONDITION_REQUIRED, "guarded", message, hint) }
    }

    pub fn told(&self) -> Told {
        let Fault { status, message, hint, guard, .. } = self.clone();
        Told { kind: self.kind.into(), status: status.as_u16(), message, hint, guard }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.told())).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if self.status == StatusCode::SERVICE_UNAVAILABLE || self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        use StatusCode as S;
        let message = refusal.to_string();
        let (status, kind, hint) = match refusal {
            Refusal::NotFound(_) => {
                (S::NOT_FOUND, "not-found", "dmgw device list and dmgw link list show what there is")
            }
            Refusal::NotAllowed(_) => (S::FORBIDDEN, "not-allowed", "ask somebody who may"),
            Refusal::Unsupported(_) => (
                S::UNPROCESSABLE_ENTITY,
                "unsupported",
                "dmgw device show ID (GET /v1/devices/{id}) shows what it can do",
            ),
            Refusal::BadArgument(_) => (S::BAD_REQUEST, "bad-argument", "correct it and ask again"),
            Refusal::Expired(_) => (S::GONE, "expired", "ask with a later `expires`, and with a new id"),
            Refusal::Busy(_) => (S::SERVICE_UNAVAILABLE, "busy", "ask again later with the same id"),
            Refusal::TooLate(_) => {
                (S::CONFLICT, "too-late", "dmgw command show ID (GET /v1/commands/{id}) shows how it went")
            }
        };
        Fault::new(status, kind, message, hint)
    }
}

impl From<AskError> for Fault {
    fn from(error: AskError) -> Fault {
        let message = error.to_string();
        match error {
            AskError::Busy => Fault::busy(message, "ask again later; limits.asks bounds how many may wait"),
            AskError::NotTaken => Fault::busy(message, "nothing was done; ask again later"),
            AskError::Stopping => Fault::busy(message, "nothing was done; ask again when it is back"),
            AskError::NotKnown => {
                let hint = "ask again with the same id: it is carried out once at most; without an id of yours, look \
                            at the device before you ask again";
                Fault::new(StatusCode::GATEWAY_TIMEOUT, "not-known", message, hint)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_a_status_of_its_own() {
        let text = || "no".to_owned();
        let all = [
            (Refusal::NotFound(text()), 404),
            (Refusal::NotAllowed(text()), 403),
            (Refusal::Unsupported(text()), 422),
            (Refusal::BadArgument(text()), 400),
            (Refusal::Expired(text()), 410),
            (Refusal::Busy(text()), 503),
            (Refusal::TooLate(text()), 409),
        ];
        for (refusal, status) in all {
            let fault = Fault::from(refusal);
            assert_eq!((fault.status.as_u16(), fault.message.as_str()), (status, "no"));
            assert!(!fault.hint.is_empty());
        }
    }

    #[test]
    fn a_guard_tells_its_token_beside_the_message() {
        let token = Name::new("t-1").unwrap();
        let fault = Fault::guarded("all of it would go".into(), token, Duration::from_secs(60));
        assert_eq!(fault.status, StatusCode::PRECONDITION_REQUIRED);
        let shown = serde_json::to_value(fault.told()).unwrap();
        assert_eq!((&shown["type"], &shown["token"]), (&"urn:dmgw:problem:guarded".into(), &"t-1".into()));
        assert_eq!((&shown["status"], &shown["within"]), (&428.into(), &60.0.into()));
        assert!(shown["remedy"].as_str().unwrap().contains("within 1m, with \"token\": \"t-1\""), "{shown}");
        assert_eq!(serde_json::from_value::<Told>(shown).unwrap(), fault.told());
        let plain = serde_json::to_value(Fault::bad("no", "yes").told()).unwrap();
        assert!(plain.get("token").is_none());
        assert_eq!(serde_json::from_value::<Told>(plain).unwrap().guard, None);
    }

    #[test]
    fn whoever_may_come_back_is_told_when() {
        let response = Fault::from(AskError::Busy).into_response();
        assert_eq!(response.headers().get(header::RETRY_AFTER).unwrap(), RETRY_AFTER);
        assert!(Fault::from(AskError::NotKnown).into_response().headers().get(header::RETRY_AFTER).is_none());
    }
}
