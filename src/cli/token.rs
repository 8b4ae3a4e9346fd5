//! Tokens: who may come in from afar, as what, and for how long.
//!
//! A token is shown once, alone on the standard output, so that a script can take it; nothing here ever keeps it.

use std::path::Path;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::args::{CreateArgs, TokenVerb};
use super::client::{Client, escaped};
use super::device::selector;
use super::pages::{self, after};
use super::table::{print, table, time, width};
use super::told::word;
use super::{CliError, Exit, print_json};
use crate::api::tokens::{TokenShown, TokensShown, Wanted};
use crate::model::token::Mark;
use crate::model::{Name, Role, Wall};
use crate::trust::{chain, mark_of};

const AT_ONCE: Duration = Duration::ZERO;

/// As somebody types it.
pub fn roles() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::name)).try_map(|word| {
        let known = Role::ALL.into_iter().find(|role| role.name() == word);
        known.ok_or_else(|| format!("{word} is no role"))
    })
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
    let made: TokenShown = client.post("/v1/tokens", &wanted, AT_ONCE).await?;
    if json {
        return print_json(&made);
    }
    match &made.token {
        Some(token) => {
            print(token);
            eprintln!("This is shown once and never again: whoever has it is {} here.", wanted.name);
        }
        None => print(&format!("whoever has the key of this certificate is {} here", wanted.name)),
    }
    Ok(Exit::Done)
}

/// Of the first certificate in the file, as others show it too.
fn fingerprint(file: &Path) -> Result<Mark, CliError> {
    let marks = chain(file).map(|chain| chain.first().map(|first| mark_of(first)));
    let wrong = |says: &str| CliError::Usage {
        says: format!("{}: {says}", file.display()),
        hint: "name the client's certificate in PEM, not its key".into(),
    };
    marks.map_err(|why| wrong(&why))?.ok_or_else(|| wrong("there is no certificate in it"))
}

pub async fn all(client: &Client) -> Result<TokensShown, CliError> {
    let of = |page: TokensShown| (page.tokens, after(page.after));
    Ok(TokensShown { tokens: pages::all(client, "tokens", "/v1/tokens", of).await?, after: None })
}

async fn list(client: &Client, json: bool) -> Result<Exit, CliError> {
    let found = all(client).await?;
    if json {
        return print_json(&found);
    }
    print(&told(&found, width()));
    Ok(Exit::Done)
}

fn told(found: &TokensShown, width: usize) -> String {
    if found.tokens.is_empty() {
        return "nobody may come in from afar; dmgw token create NAME --role viewer lets somebody in".into();
    }
    let row = |of: &TokenShown| {
        let at = |time: Option<Wall>, none: &str| time.map_or_else(|| none.to_owned(), super::table::time);
        vec![
            of.name.to_string(),
            of.role.name().to_owned(),
            word(&of.shows),
            format!("{} by {}", time(of.made), of.by),
            at(of.expires, "never"),
            at(of.used, "not yet"),
            of.of.clone().unwrap_or_else(|| "all devices".into()),
        ]
    };
    let rows: Vec<Vec<String>> = found.tokens.iter().map(row).collect();
    table(&["NAME", "ROLE", "SHOWS", "MADE", "EXPIRES", "USED", "FOR"], &rows, width)
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
    use ring::digest::{SHA256, digest};

    use super::*;

    #[test]
    fn a_certificate_is_told_by_its_fingerprint_and_a_key_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.pem");
        let made = rcgen::generate_simple_self_signed(["client".to_owned()]).unwrap();
        std::fs::write(&file, format!("a comment\n{}", made.cert.pem())).unwrap();
        let expected: String = digest(&SHA256, made.cert.der()).as_ref().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(fingerprint(&file).unwrap().to_string(), expected);
        std::fs::write(&file, made.signing_key.serialize_pem()).unwrap();
        assert!(fingerprint(&file).unwrap_err().to_string().contains("no certificate"));
    }

    #[test]
    fn tokens_are_listed_with_their_scope_and_end() {
        let found: TokensShown = serde_json::from_value(serde_json::json!({ "tokens": [
            { "name": "office", "role": "viewer", "made": 0, "by": "local-root", "expires": 60000, "shows": "secret" },
        ] }))
        .unwrap();
        let told = told(&found, 200);
        assert!(
            told.contains("office") && told.contains("1970-01-01 00:01:00Z") && told.contains("all devices"),
            "{told}"
        );
    }
}
