//! The client: one request at a time, over the daemon's Unix socket or from afar, with a deadline, its answer bounded.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Builder;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

use super::CliError;
use super::far::Far;
use crate::api::fault::Told;
use crate::model::Secret;

/// What the daemon takes at most to answer when it is not asked to wait, and some more.
const PATIENCE: Duration = Duration::from_secs(15);
/// No answer of the daemon is larger.
const LARGEST_ANSWER: usize = 64 << 20;

/// Where the daemon is.
pub enum To {
    Socket(PathBuf),
    Far(Box<Far>),
}

pub struct Client {
    to: To,
    /// What is shown with each request.
    token: Option<Secret>,
}

/// What bytes come and go through.
trait Way: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Way for T {}

impl Client {
    pub fn new(to: To, token: Option<Secret>) -> Client {
        Client { to, token }
    }

    pub async fn get<T: DeserializeOwned>(&self, uri: &str, wait: Duration) -> Result<T, CliError> {
        self.ask(Method::GET, uri, Bytes::new(), wait).await
    }

    pub async fn put<T: DeserializeOwned>(
        &self,
        uri: &str,
        body: &impl Serialize,
        wait: Duration,
    ) -> Result<T, CliError> {
        self.ask(Method::PUT, uri, json(body)?, wait).await
    }

    pub async fn post<T: DeserializeOwned>(
        &self,
        uri: &str,
        body: &impl Serialize,
        wait: Duration,
    ) -> Result<T, CliError> {
        self.ask(Method::POST, uri, json(body)?, wait).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        uri: &str,
        body: Bytes,
        wait: Duration,
    ) -> Result<T, CliError> {
        let bytes = self.bytes(method, uri, body, wait).await?;
        serde_json::from_slice(&bytes).map_err(|error| strange(&error.to_string()))
    }

    /// As it came, whatever it is.
    pub async fn get_text(&self, uri: &str, wait: Duration) -> Result<String, CliError> {
        let bytes = self.bytes(Method::GET, uri, Bytes::new(), wait).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub async fn delete(&self, uri: &str, wait: Duration) -> Result<(), CliError> {
        self.bytes(Method::DELETE, uri, Bytes::new(), wait).await.map(drop)
    }

    /// A stream of events, behind that position.
    pub async fn open(&self, uri: &str, behind: Option<&str>) -> Result<Incoming, CliError> {
        let mut request = self.request(Method::GET, uri).header("accept", "text/event-stream");
        if let Some(position) = behind {
            request = request.header("last-event-id", position);
        }
        let answer = tokio::time::timeout(PATIENCE, self.send(request, Bytes::new()));
        let late = |_| CliError::Failed("the daemon did not answer in time".into());
        let answer = answer.await.map_err(late)??;
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        let bytes = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await;
        let bytes = bytes.map_err(|error| CliError::Failed(error.to_string()))?.to_bytes();
        Err(self.refused(&bytes))
    }

    async fn bytes(&self, method: Method, uri: &str, body: Bytes, wait: Duration) -> Result<Bytes, CliError> {
        let posts = method != Method::GET;
        let within = PATIENCE.saturating_add(wait);
        let answer = match tokio::time::timeout(within, self.exchange(method, uri, body)).await {
            Ok(answer) => answer?,
            Err(_) if posts => return Err(not_known("the daemon did not answer in time")),
            Err(_) => return Err(CliError::Failed("the daemon did not answer in time".into())),
        };
        let (good, bytes) = answer;
        if good {
            return Ok(bytes);
        }
        Err(self.refused(&bytes))
    }

    /// Who is not let in is told what to type rather than what to send.
    fn refused(&self, answer: &[u8]) -> CliError {
        let mut told: Told = match serde_json::from_slice(answer) {
            Ok(told) => told,
            Err(error) => return strange(&error.to_string()),
        };
        if told.kind == "not-known-who" {
            told.hint = match &self.token {
                Some(_) => "this token is not good here, or no more; root makes one there with: dmgw token create NAME",
                None => {
                    "show a token with --token-file FILE or in DMGW_TOKEN, or a certificate that is known there; root \
                     makes one there with: dmgw token create NAME"
                }
            }
            .into();
        }
        CliError::Told(told)
    }

    async fn exchange(&self, method: Method, uri: &str, body: Bytes) -> Result<(bool, Bytes), CliError> {
        let changes = method != Method::GET;
        let answer = self.send(self.request(method, uri), body).await?;
        let good = answer.status().is_success();
        let bytes = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await;
        Ok((good, bytes.map_err(|error| broken(changes, &error))?.to_bytes()))
    }

    async fn send(&self, request: Builder, body: Bytes) -> Result<Response<Incoming>, CliError> {
        let changes = request.method_ref().is_some_and(|method| method != Method::GET);
        let (mut send, connection) = hyper::client::conn::http1::handshake(TokioIo::new(self.connect().await?))
            .await
            .map_err(|error| broken(changes, &error))?;
        tokio::spawn(connection);
        let request = request.body(Full::new(body)).map_err(|error| CliError::Failed(error.to_string()))?;
        send.send_request(request).await.map_err(|error| broken(changes, &error))
    }

    async fn connect(&self) -> Result<Box<dyn Way>, CliError> {
        Ok(match &self.to {
            To::Socket(path) => Box::new(UnixStream::connect(path).await.map_err(|error| not_reachable(path, &error))?),
            To::Far(far) => Box::new(far.connect().await?),
        })
    }

    fn request(&self, method: Method, uri: &str) -> Builder {
        let host = match &self.to {
            To::Socket(_) => "dmgw".to_owned(),
            To::Far(far) => far.authority(),
        };
        let request = Request::builder().method(method).uri(uri).header("host", host);
        let request = request.header("content-type", "application/json");
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.reveal())),
            None => request,
        }
    }
}

fn json(body: &impl Serialize) -> Result<Bytes, CliError> {
    serde_json::to_vec(body).map(Bytes::from).map_err(|error| CliError::Failed(error.to_string()))
}

/// What was to change something may have done so.
fn broken(changes: bool, error: &dyn std::fmt::Display) -> CliError {
    let says = format!("the connection ended before the answer came: {error}");
    if changes { not_known(&says) } else { CliError::Failed(says) }
}

fn not_known(says: &str) -> CliError {
    CliError::Told(Told {
        kind: "not-known".into(),
        status: 0,
        message: format!("{says}; it is not known whether this was accepted"),
        hint:
            "with an --id of your own, ask again with the same: it is carried out once at most; without one, look first"
                .into(),
        guard: None,
    })
}

fn strange(error: &str) -> CliError {
    CliError::Failed(format!("the daemon's answer is not understood ({error}); is it of another version?"))
}

fn not_reachable(path: &Path, error: &std::io::Error) -> CliError {
    let (why, hint) = match error.kind() {
        std::io::ErrorKind::NotFound => {
            ("there is no socket", "is it running? start it with: systemctl start dmgw, or: dmgw run --config FILE")
        }
        std::io::ErrorKind::ConnectionRefused => {
            ("nobody listens on it", "the daemon has died or was killed; start it with: systemctl start dmgw")
        }
        std::io::ErrorKind::PermissionDenied => {
            ("permission denied", "only root and the daemon's own user may: use sudo")
        }
        _ => return none_at(path, error.to_string(), "is it running?"),
    };
    none_at(path, why.to_owned(), hint)
}

fn none_at(path: &Path, why: String, hint: &str) -> CliError {
    CliError::NotReachable { at: path.display().to_string(), why, hint: hint.into() }
}

/// A word as a part of a path or a query.
pub fn escaped(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~:/".contains(&byte);
    let byte = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    word.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_any_letters_fits_into_a_path() {
        assert_eq!(escaped("urn:dev:a/1"), "urn:dev:a/1");
        assert_eq!(escaped("50% of é?"), "50%25%20of%20%C3%A9%3F");
    }
}
