//! Through an HTTP proxy: it is asked once to connect us to the broker (CONNECT, RFC 9110), and passes on bytes from then on.
//!
//! The broker's name goes to the proxy as it is: where there is a proxy, names from outside are often known to it alone.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::address::Host;
use super::http::{Head, NoHead, head};
use super::section::ProxyAddress;
use super::trouble::{Trouble, WayError, shown};
use crate::model::Secret;

/// Who says so to the proxy.
pub struct Login<'a> {
    pub user: &'a str,
    pub password: &'a Secret,
}

pub async fn through(
    stream: &mut TcpStream,
    proxy: &ProxyAddress,
    to: &Host,
    login: Option<Login<'_>>,
    within: Duration,
) -> Result<(), WayError> {
    let asked = timeout(within, ask(stream, to, login.as_ref())).await;
    match asked {
        Err(_) => Err(WayError::Elsewhere(told(
            proxy,
            &format!("it said nothing within {within:?}"),
            "is it a proxy, and can it reach the broker?",
        ))),
        Ok(Err(why)) => Err(no_proxy(proxy, why)),
        Ok(Ok((head, behind))) => judged(proxy, to, &head, behind.is_empty(), login.is_some()),
    }
}

async fn ask(stream: &mut TcpStream, to: &Host, login: Option<&Login<'_>>) -> Result<(Head, Vec<u8>), NoHead> {
    let request = request(to, login);
    stream.write_all(request.as_bytes()).await.map_err(NoHead::Failed)?;
    head(stream).await
}

/// With room for all of it, so that no copy is left behind where it grows.
fn request(to: &Host, login: Option<&Login<'_>>) -> Zeroizing<String> {
    let mut request = Zeroizing::new(String::with_capacity(4 << 10));
    request.push_str(&format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n"));
    if let Some(Login { user, password }) = login {
        let (mut plain, length) = (Zeroizing::new(String::new()), user.len() + password.reveal().len() + 1);
        plain.reserve_exact(length);
        plain.push_str(user);
        plain.push(':');
        plain.push_str(password.reveal());
        request.reserve_exact(length * 2);
        request.push_str("Proxy-Authorization: Basic ");
        STANDARD.encode_string(plain.as_bytes(), &mut request);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request
}

fn told(proxy: &ProxyAddress, why: &str, hint: &str) -> Trouble {
    Trouble::new(format!("the proxy {proxy}"), why, hint)
}

fn no_proxy(proxy: &ProxyAddress, why: NoHead) -> WayError {
    const WHICH: &str = "is it an HTTP proxy, and the right port?";
    match why {
        NoHead::NotHttp | NoHead::TooLong => WayError::Person(told(proxy, "it does not speak HTTP", WHICH)),
        NoHead::Closed => WayError::Elsewhere(told(proxy, "it ended the connection without a word", WHICH)),
        NoHead::Failed(error) => WayError::Elsewhere(told(proxy, &shown(&error.to_string()), WHICH)),
    }
}

fn judged(proxy: &ProxyAddress, to: &Host, head: &Head, nothing_behind: bool, known: bool) -> Result<(), WayError> {
    let why = |why: &str, hint: &str| told(proxy, why, hint);
    let unreached = |says: &str| {
        WayError::Elsewhere(why(
            &format!("{says} (it answers {})", head.told()),
            "does the proxy's network let it out to there?",
        ))
    };
    Err(match head.status {
        200..=299 if nothing_behind => return Ok(()),
        // Neither TLS nor MQTT lets the server speak first.
        200..=299 => WayError::Person(why("it says more than it was asked", "is it an HTTP proxy?")),
        407 if known => WayError::Person(why(
            "it does not accept our user and password",
            "are proxy.user and proxy.password right?",
        )),
        407 => WayError::Person(why("it wants to know who comes", "set proxy.user and proxy.password")),
        403 | 405 => WayError::Person(why(
            &format!("it lets nobody through to {to} (it answers {})", head.told()),
            "whoever looks after it must allow CONNECT to this host and port",
        )),
        502 => unreached(&format!("it cannot reach {to}")),
        504 => unreached(&format!("it has no answer from {to}")),
        429 | 500..=599 => WayError::Later(why(&format!("it answers {}", head.told()), "it is tried again")),
        _ => WayError::Person(why(
            &format!("it answers {} where 200 is wanted", head.told()),
            "is it a proxy, or a portal where somebody must log in first?",
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::super::http::head_of;
    use super::*;

    #[test]
    fn whoever_asks_says_so_in_one_field() {
        let to = Host { name: "fd00::7".into(), port: 8883 };
        assert_eq!(*request(&to, None), "CONNECT [fd00::7]:8883 HTTP/1.1\r\nHost: [fd00::7]:8883\r\n\r\n");
        let password = Secret::new("open sesame".into());
        let login = Login { user: "Aladdin", password: &password };
        // The example of RFC 7617.
        assert!(
            request(&to, Some(&login)).contains("\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n")
        );
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let proxy = ProxyAddress::try_from("http://proxy".to_owned()).unwrap();
        let to = Host { name: "broker.example".into(), port: 8883 };
        let of = |status: u16, known: bool| {
            let head = head_of(format!("HTTP/1.1 {status} x\r\n\r\n").as_bytes()).unwrap().unwrap();
            judged(&proxy, &to, &head, true, known)
        };
        assert_eq!(of(200, false), Ok(()));
        for (status, known, person, says) in [
            (407, false, true, "it wants to know who comes; set proxy.user"),
            (407, true, true, "does not accept our user and password"),
            (403, true, true, "lets nobody through to broker.example:8883 (it answers 403)"),
            (502, true, false, "cannot reach broker.example:8883"),
            (503, true, false, "it answers 503; it is tried again"),
            (302, true, true, "a portal where somebody must log in"),
        ] {
            let why = of(status, known).unwrap_err();
            assert!(why.to_string().starts_with("the proxy http://proxy:3128: "), "{why}");
            assert!(why.to_string().contains(says), "{status}: {why}");
            assert_eq!(matches!(why, WayError::Person(_)), person, "{status}");
        }
    }
}
