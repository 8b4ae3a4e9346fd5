//! What a request is told when it fails: `{"error": {"kind", "message", "hint"}}`, with the status that fits. The kind is
//! for programs, the message says what happened, the hint what to do.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::asks::AskError;
use crate::model::Refusal;

/// Seconds after which it is worth coming back.
const RETRY_AFTER: &str = "1";

#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub status: StatusCode,
    pub kind: &'static str,
    pub message: String,
    pub hint: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Body {
    pub error: Told,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    pub kind: String,
    pub message: String,
    pub hint: String,
}

impl Fault {
    pub fn new(status: StatusCode, kind: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Fault {
        Fault { status, kind, message: message.into(), hint: hint.into() }
    }

    pub fn bad(message: impl Into<String>, hint: impl Into<String>) -> Fault {
        Fault::new(StatusCode::BAD_REQUEST, "bad-argument", message, hint)
    }

    pub fn not_found(message: impl Into<String>, hint: impl Into<String>) -> Fault {
        Fault::new(StatusCode::NOT_FOUND, "not-found", message, hint)
    }

    pub fn busy(message: impl Into<String>, hint: impl Into<String>) -> Fault {
        Fault::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message, hint)
    }

    pub fn body(&self) -> Body {
        Body { error: Told { kind: self.kind.into(), message: self.message.clone(), hint: self.hint.clone() } }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
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
            Refusal::NotFound(_) => (S::NOT_FOUND, "not-found", "dmgw devices and dmgw links show what there is"),
            Refusal::NotAllowed(_) => (S::FORBIDDEN, "not-allowed", "ask somebody who may"),
            Refusal::Unsupported(_) => {
                (S::UNPROCESSABLE_ENTITY, "unsupported", "dmgw devices ID (GET /v1/devices/{id}) shows what it can do")
            }
            Refusal::BadArgument(_) => (S::BAD_REQUEST, "bad-argument", "correct it and ask again"),
            Refusal::Expired(_) => (S::GONE, "expired", "ask with a later `expires`, and with a new id"),
            Refusal::Busy(_) => (S::SERVICE_UNAVAILABLE, "busy", "ask again later with the same id"),
            Refusal::TooLate(_) => {
                (S::CONFLICT, "too-late", "dmgw command ID (GET /v1/commands/{id}) shows how it went")
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
    fn whoever_may_come_back_is_told_when() {
        let response = Fault::from(AskError::Busy).into_response();
        assert_eq!(response.headers().get(header::RETRY_AFTER).unwrap(), RETRY_AFTER);
        assert!(Fault::from(AskError::NotKnown).into_response().headers().get(header::RETRY_AFTER).is_none());
    }
}
