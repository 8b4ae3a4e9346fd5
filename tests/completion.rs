//! Completion in a real bash: its own words, its own splitting at colons, our script, this binary, a daemon.

mod support;

use std::process::Command;

use support::{Gateway, Plant, TWO_DEVICES, dmgw, text, told};

/// What bash offers for a line, as it would replace its last word.
fn offered(gateway: &Gateway, line: &str) -> Vec<String> {
    let program = dmgw().get_program().to_str().unwrap().to_owned();
    let script = format!(
        "PATH=\"$(dirname '{program}'):$PATH\"\nsource <(dmgw completion bash)\n{}\n\
         _dmgw\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words_of(&line.replace("@", &format!("--config {} ", gateway.config().display())))
    );
    let ended = Command::new("bash").args(["--norc", "-c", &script]).output().expect("bash");
    assert!(ended.status.success() && ended.stderr.is_empty(), "{line}: {ended:?}");
    text(&ended.stdout).lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// As readline sets them: words are parted at colons and equals signs too, and each of these is a word.
fn words_of(line: &str) -> String {
    let (mut words, mut word) = (Vec::new(), String::new());
    for c in line.chars() {
        match c {
            ' ' => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            ':' | '=' => {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                words.push(c.to_string());
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() || line.ends_with(' ') {
        words.push(word);
    }
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    format!(
        "COMP_WORDS=({}); COMP_CWORD={}; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}",
        quoted.join(" "),
        words.len() - 1
    )
}

fn ready() -> (Plant, Gateway) {
    let plant = Plant::start(TWO_DEVICES);
    let gateway = Gateway::start_with(&plant, "");
    gateway.wait_for_device("relay-1");
    gateway.wait_for_device("meter-1");
    (plant, gateway)
}

#[test]
fn devices_are_completed_by_name_and_by_id_across_colons() {
    let (_plant, gateway) = ready();
    assert_eq!(told(&gateway, &["command", "ask", "relay-1", "rename", "hall-light"]).0, 0);
    assert_eq!(offered(&gateway, "dmgw @device show hal"), ["hall-light"]);
    let ids = offered(&gateway, "dmgw @device show urn:dev:dmgw:serial:acme:r");
    assert_eq!(ids, ["relay-1"], "bash puts what is before the last colon there by itself");
    assert!(offered(&gateway, "dmgw @device show ").contains(&"hall-light".to_owned()));
    assert_eq!(offered(&gateway, "dmgw @read hall-light,hal"), ["hall-light,hall-light"]);
}

#[test]
fn points_are_those_of_the_device_before_and_only_those_that_can_be_written_are_to_be_written() {
    let (_plant, gateway) = ready();
    assert_eq!(offered(&gateway, "dmgw @read meter-1 pow"), ["power.0.active"]);
    assert_eq!(offered(&gateway, "dmgw @read relay-1 pow"), [""; 0]);
    assert_eq!(offered(&gateway, "dmgw @write relay-1 relay.0.o"), ["relay.0.on"]);
    assert_eq!(offered(&gateway, "dmgw @write meter-1 pow"), [""; 0], "it is only read");
    assert_eq!(offered(&gateway, "dmgw @command ask relay-1 desire relay.0.o"), ["relay.0.on"]);
}

#[test]
fn verbs_links_streams_operations_and_keys_are_completed() {
    let (_plant, gateway) = ready();
    for (line, expected) in [
        ("dmgw stat", "status"),
        ("dmgw device sh", "show"),
        ("dmgw @link show pl", "plant"),
        ("dmgw @device list --link pl", "plant"),
        ("dmgw journal show vi", "vital"),
        ("dmgw command ask relay-1 factory", "factory-reset"),
        ("dmgw config explain link.ev", "link.every"),
        ("dmgw @config show link.plant.ev", "link.plant.every"),
    ] {
        let found = offered(&gateway, line);
        assert!(found.iter().any(|found| found == expected), "{line}: {found:?}");
    }
}

#[test]
fn groups_kinds_and_tokens_are_completed_as_the_daemon_has_them() {
    let plant = Plant::start(TWO_DEVICES);
    let gateway = Gateway::start_with(
        &plant,
        "[group.night-shift]\nfor = { link = \"plant\" }\n[profile.acme-meter]\nmatch = [{ identity = \"serial:none:*\" }]\n",
    );
    gateway.wait_for_device("relay-1");
    gateway.token("office", "viewer", None);
    assert_eq!(offered(&gateway, "dmgw @group show ni"), ["night-shift"]);
    assert_eq!(offered(&gateway, "dmgw @device list --group ni"), ["night-shift"]);
    assert_eq!(offered(&gateway, "dmgw @token revoke of"), ["office"]);
    let kinds = offered(&gateway, "dmgw @device register serial:a:1 --profile ");
    assert!(kinds.contains(&"acme-meter".to_owned()), "{kinds:?}");
    assert_eq!(offered(&gateway, "dmgw @command ask relay-1 pro"), ["probe", "profile"]);
    assert_eq!(offered(&gateway, "dmgw @token revoke nobody"), [""; 0]);
    // Whoever may not see who comes in is offered nobody.
    let eye = support::file(&gateway, "eye", &gateway.token("eye", "viewer", None));
    assert_eq!(offered(&gateway, &format!("dmgw @--token-file {eye} token revoke of")), [""; 0]);
    assert_eq!(offered(&gateway, &format!("dmgw @--token-file {eye} group show ni")), ["night-shift"]);
}

#[test]
fn without_a_daemon_there_are_no_names_and_no_complaint() {
    let (_plant, mut gateway) = ready();
    assert!(offered(&gateway, "dmgw @device show ").iter().any(|found| found.starts_with("urn")));
    gateway.terminate();
    for line in ["dmgw @device show urn", "dmgw @read meter-1 pow", "dmgw @link show pl", "dmgw @command show c"] {
        assert_eq!(offered(&gateway, line), [""; 0], "{line}");
    }
    assert_eq!(offered(&gateway, "dmgw stat"), ["status"]);
}

#[test]
fn what_a_device_calls_itself_never_becomes_a_part_of_the_line_that_does_something() {
    let line = words_of("dmgw x ");
    let answer = "dmgw() { printf '%s' 'a$(touch /tmp/x)'; }";
    let script = format!(
        "source <({} completion bash)\n{answer}\n{line}\n_dmgw\necho \"${{COMPREPLY[0]}}\"",
        dmgw().get_program().to_str().unwrap()
    );
    let ended = Command::new("bash").args(["--norc", "-c", &script]).output().expect("bash");
    assert_eq!(text(&ended.stdout).trim(), r"a\$\(touch\ /tmp/x\)", "{ended:?}");
}

#[test]
fn each_shell_is_given_a_script_of_its_own() {
    for (shell, has) in [("bash", "complete -o"), ("zsh", "#compdef dmgw"), ("fish", "complete --")] {
        let ended = dmgw().args(["completion", shell]).output().unwrap();
        let script = text(&ended.stdout);
        assert!(ended.status.success() && script.contains(has) && script.contains("_DMGW_COMPLETE"), "{script}");
    }
    assert_eq!(dmgw().args(["completion", "ksh"]).output().unwrap().status.code(), Some(2));
}
