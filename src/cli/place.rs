//! Which gateway is meant, near or far, and what is shown there: from the words of the line, or else from the environment.
//!
//! A token never stands on the line, where others of this machine could read it. The one of the environment is for the
//! gateway that is far away: at the socket the kernel says who somebody is, unless a file says otherwise.

use std::env::var_os;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::CliError;
use super::args::Place;
use super::client::{Client, To};
use super::far::Far;
use crate::config::{DEFAULT_PATH, DEFAULT_SOCKET, starting};
use crate::model::Secret;

const URL: &str = "DMGW_URL";
const CA: &str = "DMGW_CA";
const FINGERPRINT: &str = "DMGW_FINGERPRINT";
const TOKEN: &str = "DMGW_TOKEN";
/// No file with a token is longer.
const LONGEST: u64 = 4 << 10;

pub fn usage(says: impl Into<String>, hint: impl Into<String>) -> CliError {
    CliError::Usage { says: says.into(), hint: hint.into() }
}

/// What is said in the environment; nothing is as good as absent.
fn environment(name: &str) -> Option<String> {
    var_os(name).and_then(|text| text.into_string().ok()).filter(|text| !text.is_empty())
}

impl Place {
    /// With what the environment says where the line says nothing.
    pub(in crate::cli) fn whole(mut self) -> Result<Place, CliError> {
        if self.socket.is_some() && self.url.is_some() {
            return Err(usage("--socket is this machine and --url another one", "say one of them"));
        }
        if self.client_certificate.is_some() != self.client_key.is_some() {
            return Err(usage("a certificate needs its key", "say both: --client-certificate FILE --client-key FILE"));
        }
        if self.socket.is_none() {
            self.url = self.url.or_else(|| environment(URL));
        }
        if self.url.is_none() {
            return self.near();
        }
        if self.ca.is_none() && self.fingerprint.is_none() {
            self.ca = environment(CA).map(PathBuf::from);
            let mark = environment(FINGERPRINT).map(|text| text.parse()).transpose();
            self.fingerprint =
                mark.map_err(|why| usage(format!("{FINGERPRINT}: {why}"), "dmgw status there tells it"))?;
        }
        match (&self.ca, self.fingerprint) {
            (Some(_), Some(_)) => Err(usage("--ca and --fingerprint are two ways to know it", "say one of them")),
            _ => Ok(self),
        }
    }

    fn near(self) -> Result<Place, CliError> {
        let far = [
            (self.ca.is_some(), "--ca"),
            (self.fingerprint.is_some(), "--fingerprint"),
            (self.client_certificate.is_some(), "--client-certificate"),
        ];
        match far.iter().find(|(said, _)| *said) {
            Some((_, word)) => {
                Err(usage(format!("{word} is for a gateway far away"), "say which: --url https://HOST:PORT"))
            }
            None => Ok(self),
        }
    }

    /// For what only works where the settings, the keys and the store are.
    pub(in crate::cli) fn must_be_near(&self, what: &str, hint: &str) -> Result<(), CliError> {
        match &self.url {
            None => Ok(()),
            Some(url) => Err(usage(format!("{what} works on the gateway itself, not at {url}"), hint)),
        }
    }

    pub(in crate::cli) fn client(&self, settings: &Path) -> Result<Client, CliError> {
        let to = match &self.url {
            Some(url) => To::Far(Box::new(Far::new(url, self)?)),
            None => To::Socket(socket(self.socket.as_deref(), settings)?),
        };
        let token = match &self.token_file {
            Some(file) => Some(read(file)?),
            None => self.url.is_some().then(|| environment(TOKEN)).flatten().map(Secret::new),
        };
        token.as_ref().map_or(Ok(()), |token| check(token, self.token_file.as_deref()))?;
        Ok(Client::new(to, token))
    }
}

fn read(file: &Path) -> Result<Secret, CliError> {
    let failed = |error: std::io::Error| {
        usage(format!("cannot read {}: {error}", file.display()), "dmgw token create NAME --role … > FILE makes one")
    };
    let opened = File::open(file).map_err(failed)?;
    let mode = opened.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        eprintln!("dmgw: others can read {0}; to keep the token yours: chmod 600 {0}", file.display());
    }
    let mut text = String::new();
    opened.take(LONGEST).read_to_string(&mut text).map_err(failed)?;
    Ok(Secret::new(text.trim().to_owned()))
}

/// What goes into the head of a request must not bring more than a word. It is not repeated here.
fn check(token: &Secret, file: Option<&Path>) -> Result<(), CliError> {
    let word = token.reveal();
    if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let whose = file.map_or_else(|| TOKEN.to_owned(), |file| file.display().to_string());
    Err(usage(format!("{whose} holds no token"), "it is one word: what dmgw token create told, alone"))
}

/// Where the daemon listens: as said, as its settings say, or where it usually does.
fn socket(said: Option<&Path>, settings: &Path) -> Result<PathBuf, CliError> {
    if let Some(socket) = said {
        return Ok(socket.to_owned());
    }
    // As the daemon does: a mistake somewhere is no reason not to find it.
    match starting::find(settings) {
        Ok(found) => Ok(found.config.socket.path.value),
        // Nobody named these settings, and they may be for other eyes only.
        Err(_) if settings == Path::new(DEFAULT_PATH) => Ok(DEFAULT_SOCKET.into()),
        Err(error) => Err(CliError::Failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::token::Mark;

    fn place(more: Place) -> Result<Place, String> {
        more.whole().map_err(|error| error.to_string())
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let (url, file) = (Some("https://a:1".to_owned()), Some(PathBuf::from("f")));
        let mark = Some(Mark([1; 32]));
        for (wrong, says) in [
            (Place { url: url.clone(), socket: file.clone(), ..Place::default() }, "--socket is this machine"),
            (Place { url: url.clone(), client_key: file.clone(), ..Place::default() }, "needs its key"),
            (Place { ca: file.clone(), ..Place::default() }, "--ca is for a gateway far away"),
            (Place { fingerprint: mark, ..Place::default() }, "--fingerprint is for"),
            (Place { url: url.clone(), ca: file.clone(), fingerprint: mark, ..Place::default() }, "two ways"),
        ] {
            assert!(place(wrong).unwrap_err().contains(says), "{says}");
        }
        assert!(place(Place { url, ca: file, ..Place::default() }).is_ok());
    }

    #[test]
    fn a_token_is_one_word_and_never_repeated() {
        for text in ["", "two words", "a\r\nhost: b", "é"] {
            let told = check(&Secret::new(text.into()), None).unwrap_err().to_string();
            assert!(told == "DMGW_TOKEN holds no token", "{told}");
        }
        assert!(check(&Secret::new("dmgw_a-b_c".into()), None).is_ok());
    }
}
