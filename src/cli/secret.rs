//! `dmgw secret`: seals what the settings must not hold in clear, and shows the gateway's public key.
//!
//! Sealing needs the key and no daemon. The secret comes over the standard input, never as an argument: those can be seen
//! by every user of the machine.

use std::io::{IsTerminal, Read, Stdin, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use serde_json::json;
use zeroize::Zeroizing;

use super::args::Args;
use super::client::Client;
use super::table::print;
use super::{CliError, Exit, print_json};
use crate::api::shown::Status;
use crate::config::{Config, DEFAULT_PATH};
use crate::model::Secret;
use crate::seal::{CREDENTIALS_OF_UNIT, IN_SETTINGS, KeyError, LONGEST_SECRET, Seal, credentials};

pub const HELP: &str = "What is printed stands in the settings for the secret, and only this gateway can open it:
  key = { sealed = \"dmgw1:…\" }

Examples:
  sudo dmgw secret seal
  sudo dmgw secret seal < feeder-1.key
  sudo dmgw secret seal --key /mnt/other-gateway/seal.key";

/// Ctrl-C.
const INTERRUPT: u8 = 3;

pub async fn public(client: &Client, as_json: bool) -> Result<Exit, CliError> {
    let status: Status = client.get("/v1/status", Duration::ZERO).await?;
    let Some(public) = status.public_key else {
        return Err(CliError::Failed("the gateway could not open its own key; its log says why and what to do".into()));
    };
    if as_json {
        return print_json(&json!({ "public_key": public }));
    }
    print(&public);
    Ok(Exit::Done)
}

pub fn seal(args: &Args, key: Option<&Path>) -> Result<Exit, CliError> {
    // First, so that nobody types a secret in vain.
    let seal = key_of(args, key)?;
    let sealed = seal.seal(&asked_for()?, IN_SETTINGS).map_err(|error| CliError::Failed(error.to_string()))?;
    if args.json {
        return print_json(&json!({ "sealed": sealed.to_string() }));
    }
    print(&format!("{{ sealed = \"{sealed}\" }}"));
    Ok(Exit::Done)
}

fn key_of(args: &Args, key: Option<&Path>) -> Result<Seal, CliError> {
    let failed = |error: KeyError| CliError::Failed(error.to_string());
    if let Some(path) = key {
        return Seal::in_file(path).map_err(failed);
    }
    let config = Config::load(&args.config).map_err(|error| CliError::Usage {
        says: error.to_string(),
        hint: "they say where the key lies; use sudo if they are for other eyes, or name the key with --key".into(),
    })?;
    Seal::that_is_there(config.store.folder(), credentials().or(of_unit(&args.config)).as_deref()).map_err(failed)
}

/// Settings that lie elsewhere are those of another gateway.
fn of_unit(config: &Path) -> Option<PathBuf> {
    (config == Path::new(DEFAULT_PATH)).then(|| CREDENTIALS_OF_UNIT.into())
}

/// Without the end of its last line.
fn asked_for() -> Result<Secret, CliError> {
    let stdin = std::io::stdin();
    let bytes = if stdin.is_terminal() { typed(&stdin) } else { read(stdin.lock()) };
    let bytes = bytes.map_err(|error| CliError::Failed(format!("cannot read the secret: {error}")))?;
    secret(&bytes).map_err(|says| CliError::Usage { says, hint: "dmgw secret seal --help shows how".into() })
}

fn secret(bytes: &[u8]) -> Result<Secret, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the secret is no text in UTF-8; write it in base64 or hex")?;
    let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    match text.len() {
        0 => Err("the secret is empty".into()),
        long if long > LONGEST_SECRET => Err(format!("the secret is longer than {LONGEST_SECRET} bytes")),
        _ => Ok(Secret::new(text.to_owned())),
    }
}

/// With room for all, so that no copy is left behind where it grows.
fn read(from: impl Read) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST_SECRET + 64));
    from.take(LONGEST_SECRET as u64 + 3).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// One line, not shown.
fn typed(stdin: &Stdin) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let _silent = Silent::begin(stdin)?;
    eprint!("Secret (it is not shown): ");
    std::io::stderr().flush()?;
    // The kernel's longest line.
    let mut line = Zeroizing::new(vec![0; 4096]);
    let length = nix::unistd::read(stdin, &mut line)?;
    line.truncate(length);
    if line.last() == Some(&INTERRUPT) {
        return Err(std::io::Error::other("called off"));
    }
    Ok(line)
}

/// While it lives the terminal does not show what is typed. Ctrl-C ends the line instead of the process, which could not
/// let the terminal show things again.
struct Silent<'a> {
    stdin: &'a Stdin,
    before: Termios,
}

impl Silent<'_> {
    fn begin(stdin: &Stdin) -> nix::Result<Silent<'_>> {
        let before = tcgetattr(stdin)?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO | LocalFlags::ISIG);
        silent.local_flags.insert(LocalFlags::ECHONL | LocalFlags::ICANON);
        silent.control_chars[SpecialCharacterIndices::VEOL as usize] = INTERRUPT;
        tcsetattr(stdin, SetArg::TCSAFLUSH, &silent)?;
        Ok(Silent { stdin, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.stdin, SetArg::TCSAFLUSH, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credential_of_the_unit_seals_for_its_settings_and_for_no_others() {
        assert_eq!(of_unit(Path::new("/etc/dmgw/dmgw.toml")), Some("/run/credentials/dmgw.service".into()));
        assert_eq!(of_unit(Path::new("/srv/other/dmgw.toml")), None);
    }

    #[test]
    fn the_help_writes_a_key_that_there_is() {
        let line = HELP.lines().find(|line| line.contains("sealed =")).unwrap();
        let sealed = Seal::new(&[1; 32]).seal(&Secret::new("x".into()), IN_SETTINGS).unwrap().to_string();
        let device =
            format!("[device.a]\nidentities = [\"serial:a:1\"]\n{}\n", line.trim().replace("dmgw1:…", &sealed));
        Config::parse(Path::new("dmgw.toml"), &device).unwrap();
    }

    #[test]
    fn a_secret_is_what_stands_there_without_the_end_of_its_line() {
        for (bytes, text) in [("a b \n", "a b "), ("a\r\n", "a"), ("a\nb\n\n", "a\nb\n"), ("a", "a")] {
            assert_eq!(secret(bytes.as_bytes()).unwrap().reveal(), text);
        }
        for bytes in [&b""[..], b"\n", b"\r\n", b"\xff", &[b'x'; LONGEST_SECRET + 1]] {
            assert!(secret(bytes).is_err());
        }
    }
}
