//! Tokens: who may come in from afar, as what, and for how long.
//!
//! A token is shown once, alone on the standard output, so that a script can take it; nothing here ever keeps it.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::args::{CreateArgs, TokenVerb};
use super::client::{Client, escaped};
use super::device::selector;
use super::table::{print, table, time, width};
use super::{CliError, Exit, print_json};
use crate::model::{Name, Wall};

const AT_ONCE: Duration = Duration::ZERO;
const BEGINS: &str = "-----BEGIN CERTIFICATE-----";
const ENDS: &str = "-----END CERTIFICATE-----";

/// What `POST /v1/tokens` takes.
#[derive(Serialize)]
struct Wanted {
    name: Name,
    role: String,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Created {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(flatten)]
    more: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct Tokens {
    tokens: Vec<Token>,
}

#[derive(Serialize, Deserialize)]
struct Token {
    name: Name,
    role: String,
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    of: Option<String>,
    made: Wall,
    by: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Wall>,
    /// `secret` or `certificate`.
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used: Option<Wall>,
}

pub async fn token(client: &Client, verb: TokenVerb, json: bool) -> Result<Exit, CliError> {
    match verb {
        TokenVerb::Create(args) => create(client, args, json).await,
        TokenVerb::List => list(client, json).await,
        TokenVerb::Revoke { name } => revoke(client, &name, json).await,
    }
}

async fn create(client: &Client, args: CreateArgs, json: bool) -> Result<Exit, CliError> {
    let usage = |says: String| CliError::Usage { says, hint: "dmgw token create --help shows how".into() };
    let wanted = Wanted {
        name: Name::new(&args.name).map_err(|error| usage(format!("{:?}: {error}", args.name)))?,
        role: args.role,
        of: args.of.as_deref().map(selector).transpose()?,
        seconds: args.expires.map(|span| span.as_secs()),
        certificate: args.certificate.as_deref().map(fingerprint).transpose()?,
    };
    let created: Created = client.post("/v1/tokens", &wanted, AT_ONCE).await?;
    if json {
        return print_json(&created);
    }
    match &created.token {
        Some(token) => {
            print(token);
            eprintln!("This is shown once and never again: whoever has it is {} here.", wanted.name);
        }
        None => print(&format!("whoever has the key of this certificate is {} here", wanted.name)),
    }
    Ok(Exit::Done)
}

/// Of the first certificate in the file, as others show it too.
fn fingerprint(file: &Path) -> Result<String, CliError> {
    let wrong = |says: &str| CliError::Usage {
        says: format!("{}: {says}", file.display()),
        hint: "name the client's certificate in PEM, not its key".into(),
    };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error.to_string()))?;
    let inner = text.split_once(BEGINS).and_then(|(_, rest)| rest.split_once(ENDS)).map(|(inner, _)| inner);
    let inner: String = inner.ok_or_else(|| wrong("there is no certificate in it"))?.split_whitespace().collect();
    let bytes = STANDARD.decode(inner).map_err(|error| wrong(&format!("its certificate cannot be read: {error}")))?;
    let hex = digest(&SHA256, &bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Ok(format!("sha256:{hex}"))
}

async fn list(client: &Client, json: bool) -> Result<Exit, CliError> {
    let found: Tokens = client.get("/v1/tokens", AT_ONCE).await?;
    if json {
        return print_json(&found);
    }
    print(&told(&found, width()));
    Ok(Exit::Done)
}

fn told(found: &Tokens, width: usize) -> String {
    if found.tokens.is_empty() {
        return "nobody may come in from afar; dmgw token create NAME --role viewer lets somebody in".into();
    }
    let row = |of: &Token| {
        let at = |time: Option<Wall>, none: &str| time.map_or_else(|| none.to_owned(), super::table::time);
        vec![
            of.name.to_string(),
            of.role.clone(),
            of.kind.clone(),
            format!("{} by {}", time(of.made), of.by),
            at(of.expires, "never"),
            at(of.used, "never"),
            of.of.clone().unwrap_or_else(|| "all devices".into()),
        ]
    };
    let rows: Vec<Vec<String>> = found.tokens.iter().map(row).collect();
    table(&["NAME", "ROLE", "KIND", "MADE", "EXPIRES", "USED", "FOR"], &rows, width)
}

async fn revoke(client: &Client, name: &str, json: bool) -> Result<Exit, CliError> {
    client.delete(&format!("/v1/tokens/{}", escaped(name)), AT_ONCE).await?;
    if json {
        return print_json(&serde_json::json!({ "revoked": name }));
    }
    print(&format!("{name} comes in no more"));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_told_by_its_fingerprint_and_a_key_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.pem");
        let made = rcgen::generate_simple_self_signed(["client".to_owned()]).unwrap();
        std::fs::write(&file, format!("a comment\n{}", made.cert.pem())).unwrap();
        let expected: String = digest(&SHA256, made.cert.der()).as_ref().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(fingerprint(&file).unwrap(), format!("sha256:{expected}"));
        std::fs::write(&file, made.signing_key.serialize_pem()).unwrap();
        assert!(fingerprint(&file).unwrap_err().to_string().contains("no certificate"));
    }

    #[test]
    fn tokens_are_listed_with_their_scope_and_end() {
        let found: Tokens = serde_json::from_value(serde_json::json!({ "tokens": [
            { "name": "office", "role": "viewer", "made": 0, "by": "local-root", "expires": 60000, "kind": "secret" },
        ] }))
        .unwrap();
        let told = told(&found, 200);
        assert!(
            told.contains("office") && told.contains("1970-01-01 00:01:00Z") && told.contains("all devices"),
            "{told}"
        );
    }
}
