//! Tokens: made, listed, taken back. The secret is made here, told once, and known to nobody afterwards.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use super::ask::{Asked, Word, body, query};
use super::caller::{Caller, TOKEN};
use super::fault::Fault;
use super::paged::{Names, paged};
use super::{Door, Here};
use crate::model::token::{Grant, Mark, Shows};
use crate::model::{Ask, Name, Reply, Role, Scope, Wall};
use crate::trust::mark_of;
use crate::view::TokenNow;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "TokenWanted"))]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    pub name: Name,
    pub role: Role,
    /// On the devices for which this selector holds; without it: on all, and on the gateway itself.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// How long it is good; without it: until it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// The SHA-256 of a certificate (its DER), that shall do instead of a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Mark>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TokenShown {
    pub name: Name,
    pub role: Role,
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    pub shows: Shows,
    pub made: Wall,
    pub by: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Wall>,
    /// Absent: not since the daemon runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Wall>,
    /// It is told once, when the token is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TokensShown {
    pub tokens: Vec<TokenShown>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Name>,
}

impl TokenShown {
    fn of(known: &TokenNow) -> TokenShown {
        let token = &known.token;
        let of = match &token.scope {
            Scope::All => None,
            Scope::For(text) => Some(text.clone()),
        };
        TokenShown {
            name: token.name.clone(),
            role: token.role,
            of,
            shows: token.shows,
            made: token.made.wall,
            by: token.by.clone(),
            expires: token.expires,
            used: known.used(),
            token: None,
        }
    }
}

pub async fn create(State(door): Here, caller: Caller, sent: Body) -> Result<(StatusCode, Json<TokenShown>), Fault> {
    let Wanted { name, role, of, seconds, certificate } = body(&door, &caller, sent).await?;
    let (shows, mark, token) = match certificate {
        Some(mark) => (Shows::Certificate, mark, None),
        None => {
            let secret = secret()?;
            (Shows::Secret, mark_of(secret.as_bytes()), Some(secret))
        }
    };
    let ask = Ask::Grant(Grant { name, role, of, shows, mark, seconds });
    done(&door, caller, ask).await?;
    let known = door.view.token(&mark).ok_or_else(gone)?;
    Ok((StatusCode::CREATED, Json(TokenShown { token, ..TokenShown::of(&known) })))
}

fn gone() -> Fault {
    Fault::new(StatusCode::CONFLICT, "too-late", "somebody took the token back at once", "make another one")
}

fn secret() -> Result<String, Fault> {
    let mut random = [0; 32];
    let made = SystemRandom::new().fill(&mut random);
    made.map_err(|_| Fault::busy("there are no random bytes", "nothing was done; ask again later"))?;
    Ok(format!("{TOKEN}{}", URL_SAFE_NO_PAD.encode(random)))
}

pub async fn list(State(door): Here, range: Asked<Names>) -> Result<Json<TokensShown>, Fault> {
    let range = query(range)?;
    let tokens = door.view.tokens();
    let mut all: Vec<&TokenNow> = tokens.values().map(AsRef::as_ref).collect();
    all.sort_by(|a, b| a.token.name.cmp(&b.token.name));
    let (page, after) = paged(&door, all, &range, |known| known.token.name.clone())?;
    Ok(Json(TokensShown { tokens: page.into_iter().map(TokenShown::of).collect(), after }))
}

pub async fn revoke(State(door): Here, caller: Caller, Word(name): Word) -> Result<StatusCode, Fault> {
    let missing = || Fault::not_found(format!("there is no token {}", super::cut(&name)), "dmgw token list shows all");
    let token = Name::new(&name).map_err(|_| missing())?;
    done(&door, caller, Ask::Revoke { token }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn done(door: &Door, caller: Caller, ask: Ask) -> Result<(), Fault> {
    match door.asks.ask(caller.principal, ask, door.limits.answer).await? {
        Reply::Refused(refusal) => Err(refusal.into()),
        _ => Ok(()),
    }
}
