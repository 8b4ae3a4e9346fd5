//! `dmgw secret seal`, by a script and by a person at a terminal.

use std::process::{Command, Stdio};

use dmgw::seal::Seal;
use serde_json::Value;

use super::support::{Gateway, eventually, text};

/// What `dmgw secret seal` says to this on its standard input.
pub fn sealed_by(gateway: &Gateway, secret: &str, words: &[&str]) -> (i32, String) {
    use std::io::Write;
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmgw"));
    command.args(["secret", "seal"]).args(words).arg("--config").arg(gateway.config());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who refuses before it reads has closed its end.
    let _ = child.stdin.take().unwrap().write_all(secret.as_bytes());
    let ended = child.wait_with_output().unwrap();
    (ended.status.code().unwrap(), text(&ended.stdout) + &text(&ended.stderr))
}

#[test]
fn a_secret_is_sealed_for_the_settings_and_opens_with_the_key_beside_the_store() {
    let mut gateway = Gateway::new("");
    let (code, says) = sealed_by(&gateway, "hunter22", &[]);
    assert!(code == 1 && says.contains("the daemon makes it at its first start"), "{says}");
    gateway.start();
    let key = gateway.folder.path().join("seal.key");
    let opened = |sealed: &str| {
        let sealed = sealed.parse().unwrap();
        Seal::in_file(&key).unwrap().open(&sealed, "config").unwrap().reveal().to_owned()
    };
    let (code, says) = sealed_by(&gateway, "hunter22\n", &[]);
    let settings: toml::Table = toml::from_str(&format!("password = {says}")).unwrap();
    assert_eq!((code, opened(settings["password"]["sealed"].as_str().unwrap()).as_str()), (0, "hunter22"));
    let says = sealed_by(&gateway, "hunter22", &["--json"]).1;
    let shown: Value = serde_json::from_str(&says).unwrap();
    assert_eq!(opened(shown["sealed"].as_str().unwrap()), "hunter22");
    let (code, says) = sealed_by(&gateway, "", &[]);
    assert!(code == 2 && says.contains("empty"), "{says}");
    let (code, says) = sealed_by(&gateway, "hunter22", &["--key", "nowhere.key"]);
    assert!(code == 1 && says.contains("there is no key nowhere.key") && !says.contains("hunter22"), "{says}");
}

#[test]
fn a_terminal_does_not_show_the_secret_that_is_typed_and_ctrl_c_calls_it_off() {
    let mut gateway = Gateway::new("");
    gateway.start();
    for (typed, code, says) in [("hunter22\n", 0, "dmgw1:"), ("hunt\x03", 1, "called off")] {
        let (shown, said, ended, echoes) = at_a_terminal(&gateway, typed);
        assert!(shown.contains("Secret") && !shown.contains("hunt"), "{shown:?}");
        assert!(ended == code && format!("{shown}{said}").contains(says), "{shown:?} {said:?}");
        assert!(echoes, "the terminal shows again what is typed");
    }
}

/// What the terminal showed, what went to the standard output, how it ended, and whether the terminal echoes after.
fn at_a_terminal(gateway: &Gateway, typed: &str) -> (String, String, i32, bool) {
    let pty = nix::pty::openpty(None, None).unwrap();
    let slave = || Stdio::from(pty.slave.try_clone().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmgw"));
    command.args(["secret", "seal"]).arg("--config").arg(gateway.config());
    let child = command.stdin(slave()).stdout(Stdio::piped()).stderr(slave()).spawn().unwrap();
    let mut shown = String::new();
    let mut look = || {
        let mut part = [0; 256];
        let length = nix::unistd::read(&pty.master, &mut part).unwrap();
        shown += &String::from_utf8_lossy(&part[..length]);
        shown.contains("not shown").then_some(())
    };
    eventually("it asks", &mut look);
    nix::unistd::write(&pty.master, typed.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    // Something that ends the reading.
    nix::unistd::write(&pty.slave, b"not shown.").unwrap();
    look();
    let echoes = nix::sys::termios::tcgetattr(&pty.slave).unwrap().local_flags;
    let echoes = echoes.contains(nix::sys::termios::LocalFlags::ECHO);
    (shown, text(&ended.stdout), ended.status.code().unwrap(), echoes)
}
