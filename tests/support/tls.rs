//! A client from afar: TLS with rustls, keys and certificates made for the test at hand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::http::{Answer, parsed};
use super::{PATIENCE, text};

/// One that vouches for itself.
pub struct Pair {
    pub certificate: CertificateDer<'static>,
    pub pem: String,
    pub key_pem: String,
    key: Vec<u8>,
}

impl Pair {
    pub fn new(name: &str) -> Pair {
        let key = KeyPair::generate().unwrap();
        let made = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        Pair {
            certificate: made.der().clone(),
            pem: made.pem(),
            key_pem: key.serialize_pem(),
            key: key.serialize_der(),
        }
    }

    /// `NAME.pem` and `NAME.key` in the folder.
    pub fn write(&self, folder: &Path, name: &str) {
        std::fs::write(folder.join(format!("{name}.pem")), &self.pem).unwrap();
        let key = folder.join(format!("{name}.key"));
        std::fs::write(&key, &self.key_pem).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&key, private).unwrap();
    }

    /// As `dmgw token create --certificate` marks it.
    pub fn mark(&self) -> String {
        let digest = ring_digest(&self.certificate);
        format!("sha256:{}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }
}

fn ring_digest(bytes: &[u8]) -> Vec<u8> {
    ::ring::digest::digest(&::ring::digest::SHA256, bytes).as_ref().to_vec()
}

pub type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Believes in this gateway, and shows this certificate.
pub fn connect(to: SocketAddr, gateway: &Pair, own: Option<&Pair>) -> std::io::Result<Stream> {
    let mut roots = RootCertStore::empty();
    roots.add(gateway.certificate.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let key = PrivateKeyDer::try_from(own.key.clone()).unwrap();
            builder.with_client_auth_cert(vec![own.certificate.clone()], key).unwrap()
        }
    };
    let name = ServerName::try_from("gateway.test").unwrap();
    let stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut stream = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream);
    stream.flush()?;
    Ok(stream)
}

/// One request without a body.
pub fn exchange(stream: &mut Stream, method: &str, path: &str, token: Option<&str>) -> std::io::Result<Answer> {
    request(stream, method, path, token, &Value::Null)
}

/// One request; an error means that nobody answered.
pub fn request(
    stream: &mut Stream,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &Value,
) -> std::io::Result<Answer> {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: gateway.test\r\nconnection: close\r\n{token}")?;
    write!(stream, "content-length: {length}\r\n\r\n{body}")?;
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&part[..length]),
            // A connection that ends without a farewell: what came counts.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof && !bytes.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    let none = || std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "no whole answer");
    parsed(&text(&bytes)).ok_or_else(none)
}

/// From afar, with nothing, a token or a certificate.
pub fn get(
    to: SocketAddr,
    gateway: &Pair,
    path: &str,
    token: Option<&str>,
    own: Option<&Pair>,
) -> std::io::Result<Answer> {
    exchange(&mut connect(to, gateway, own)?, "GET", path, token)
}

/// Where the gateway listens, once it does.
pub fn listens(status: &Value) -> Option<SocketAddr> {
    status["listens"].as_str()?.parse().ok()
}
