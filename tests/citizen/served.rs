//! Start, reload, stop, socket and credentials, as systemd sees them.

use serde_json::Value;

use crate::boxed::Sandbox;
use crate::support::{TWO_DEVICES, eventually, text};

const CLOCK: &str = "[clock]\ntrust = \"always\"\n[gateway]\nid = \"boxed\"\n";

/// The daemon's user plays the plant too.
fn plant(sandbox: &Sandbox) -> String {
    sandbox.shell("install -d -o dmgw -g dmgw /run/plant");
    sandbox.write("/run/plant/plant.toml", TWO_DEVICES);
    sandbox.shell("systemd-run --quiet --unit=plant --uid=dmgw dmgw-plant /run/plant/plant.toml");
    "[link.plant]\nevery = \"200ms\"\n[link.plant.sim]\nsocket = \"/run/plant/plant.sock\"\n".into()
}

fn states(sandbox: &Sandbox) -> (String, String, String) {
    (sandbox.property("ActiveState"), sandbox.property("Result"), sandbox.property("NRestarts"))
}

fn is(state: &str, result: &str, restarts: &str) -> (String, String, String) {
    (state.into(), result.into(), restarts.into())
}

#[test]
fn it_starts_ready_tells_how_it_stands_and_stops_and_starts_again_cleanly() {
    let test = "it_starts_ready_tells_how_it_stands_and_stops_and_starts_again_cleanly";
    let Some(sandbox) = Sandbox::boot(test, CLOCK) else { return };
    let link = plant(&sandbox);
    sandbox.write("/etc/dmgw/dmgw.toml", &format!("{CLOCK}{link}"));
    sandbox.systemctl(&["start", "dmgw"]);
    // The start came back only now, so whoever asks is answered.
    assert!(sandbox.shell("dmgw status").contains("boxed"));
    eventually("systemd knows how it stands", || {
        (sandbox.property("StatusText") == "3 devices: 3 up; 1 of 1 links up").then_some(())
    });
    sandbox.systemctl(&["stop", "plant"]);
    eventually("and hears when that changes", || {
        sandbox.property("StatusText").ends_with("0 of 1 links up").then_some(())
    });
    let user = sandbox.shell("ps -o user= -p $(systemctl show dmgw --value -p MainPID) 2>/dev/null || stat -c %U /proc/$(systemctl show dmgw --value -p MainPID)");
    assert_eq!(user.trim(), "dmgw");
    sandbox.systemctl(&["stop", "dmgw"]);
    assert_eq!(states(&sandbox), is("inactive", "success", "0"));
    assert!(sandbox.shell("ls -A /run/dmgw").is_empty(), "its socket is gone");
    sandbox.systemctl(&["start", "dmgw"]);
    assert_eq!(states(&sandbox), is("active", "success", "0"));
    assert!(!sandbox.log().contains("not a clean one"), "{}", sandbox.log());
}

#[test]
fn a_reload_takes_good_settings_and_fails_with_bad_ones() {
    let Some(sandbox) = Sandbox::boot("a_reload_takes_good_settings_and_fails_with_bad_ones", CLOCK) else { return };
    sandbox.systemctl(&["start", "dmgw"]);
    sandbox.write("/etc/dmgw/dmgw.toml", &format!("{CLOCK}[commands]\ntimeout = \"7s\"\n"));
    sandbox.systemctl(&["reload", "dmgw"]);
    let holds = || sandbox.shell("dmgw config show --running commands.timeout");
    assert!(holds().contains("7s"), "{}", holds());
    sandbox.write("/etc/dmgw/dmgw.toml", &format!("{CLOCK}[commands]\ntimeout = \"none\"\n"));
    assert!(!sandbox.run(&["systemctl", "reload", "dmgw"]).status.success());
    assert!(sandbox.log().contains("dmgw.toml:6"), "where it stands: {}", sandbox.log());
    assert!(holds().contains("7s"), "{}", holds());
    assert_eq!(states(&sandbox), is("active", "success", "0"));
}

#[test]
fn who_asks_first_starts_it_and_who_asks_while_it_starts_anew_is_answered() {
    let test = "who_asks_first_starts_it_and_who_asks_while_it_starts_anew_is_answered";
    let Some(sandbox) = Sandbox::boot(test, CLOCK) else { return };
    sandbox.systemctl(&["start", "dmgw.socket"]);
    assert_eq!(sandbox.property("ActiveState"), "inactive");
    assert!(sandbox.shell("dmgw status").contains("boxed"));
    assert_eq!(sandbox.property("ActiveState"), "active");
    let socket = || sandbox.shell("stat -c '%i %U %a' /run/dmgw/dmgw.sock");
    let before = socket();
    assert!(before.trim().ends_with("dmgw 660"), "{before}");
    sandbox.systemctl(&["restart", "--no-block", "dmgw"]);
    assert!(sandbox.shell("dmgw status").contains("boxed"));
    sandbox.systemctl(&["stop", "dmgw"]);
    assert_eq!(socket(), before, "it is not ours to take away");
    sandbox.systemctl(&["stop", "dmgw.socket"]);
    assert!(!sandbox.run(&["dmgw", "status"]).status.success());
}

#[test]
fn credentials_of_the_unit_open_what_is_sealed_and_give_keys_of_devices() {
    let test = "credentials_of_the_unit_open_what_is_sealed_and_give_keys_of_devices";
    let device = "[device.pump]\nidentities = [\"serial:acme:1\"]\nkey = { credential = \"pump.key\" }\n";
    let Some(sandbox) = Sandbox::boot(test, &format!("{CLOCK}{device}")) else { return };
    // The negative: nobody gave it.
    sandbox.systemctl(&["start", "dmgw"]);
    assert!(sandbox.log().contains("device.pump"), "{}", sandbox.log());
    let own_key = "ls /var/lib/dmgw/seal.key";
    sandbox.shell(own_key);
    sandbox.systemctl(&["stop", "dmgw"]);
    sandbox.shell(
        "rm -r /var/lib/dmgw/* && mkdir -m 700 /etc/credstore && head -c 32 /dev/urandom > /etc/credstore/dmgw.key",
    );
    sandbox.shell("printf 'a key of sixteen' > /etc/credstore/pump.key && chmod 600 /etc/credstore/*");
    sandbox.change_unit(
        "LoadCredential=dmgw.key:/etc/credstore/dmgw.key\nLoadCredential=pump.key:/etc/credstore/pump.key",
    );
    let after = sandbox.after_now();
    sandbox.systemctl(&["start", "dmgw"]);
    let since = format!("journalctl --sync; journalctl -q -u dmgw {after}");
    assert!(!sandbox.shell(&since).contains("is not as the settings say"), "{}", sandbox.shell(&since));
    let device: Value = serde_json::from_str(&sandbox.shell("dmgw device show pump --json")).unwrap();
    assert_eq!(device["detail"]["keyed"], true, "{device}");
    assert!(!sandbox.run(&["sh", "-c", own_key]).status.success(), "no key of its own is made beside the store");
    assert!(
        !text(&sandbox.run(&["grep", "-c", "a key of sixteen", "/var/lib/dmgw/state.redb"]).stdout).starts_with('1')
    );
}

#[test]
fn the_journal_has_each_line_with_its_priority_and_its_fields() {
    let Some(sandbox) = Sandbox::boot("the_journal_has_each_line_with_its_priority_and_its_fields", CLOCK) else {
        return;
    };
    let link = plant(&sandbox);
    sandbox.write("/etc/dmgw/dmgw.toml", &format!("{CLOCK}{link}"));
    sandbox.systemctl(&["start", "dmgw"]);
    eventually("the relay is up", || sandbox.shell("dmgw device list --state up").contains("relay-1").then_some(()));
    sandbox.shell("dmgw command ask relay-1 write relay.0.on true --id by-hand");
    sandbox.systemctl(&["stop", "plant"]);
    let lines = |of: &str| -> Vec<Value> {
        let lines = sandbox.shell(&format!("journalctl -q -o json -u dmgw -t dmgw {of}"));
        lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    };
    let down =
        eventually("the link is down", || lines("DMGW_LINK=plant").into_iter().find(|line| line["PRIORITY"] == "4"));
    assert!(down["MESSAGE"].as_str().unwrap().starts_with("link is down"), "{down}");
    assert!(down["CODE_FILE"].as_str().unwrap().ends_with(".rs") && down["_TRANSPORT"] == "journal", "{down}");
    let command = &lines("DMGW_COMMAND=by-hand")[0];
    assert!(
        command["PRIORITY"] == "6" && command["MESSAGE"].as_str().unwrap().contains("command=by-hand"),
        "{command}"
    );
    let relay = command["DMGW_DEVICE"].as_str().unwrap();
    assert!(lines(&format!("DMGW_DEVICE={relay}")).len() >= 2, "joined, came up, was written");
    assert!(lines("DMGW_DEVICE=urn:x:nobody").is_empty());
    // The negative: as text it has neither.
    sandbox.write("/etc/dmgw/dmgw.toml", &format!("{CLOCK}[log]\nformat = \"text\"\n"));
    let after = sandbox.after_now();
    sandbox.systemctl(&["restart", "dmgw"]);
    let plain =
        eventually("it is ready", || lines(&after).into_iter().find(|line| line.to_string().contains("INFO ready")));
    assert!(plain["_TRANSPORT"] == "stdout" && plain["CODE_FILE"].is_null(), "{plain}");
}
