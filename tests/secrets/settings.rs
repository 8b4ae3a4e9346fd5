//! Secrets that the settings name, and secrets that somebody wrote into them by mistake.

use super::support::planted::{self, Search};
use super::support::{Gateway, Plant, file, told};
use super::{LOUD, Said, device, gateway, is_up, plant, sealed_by};

/// What shows settings, or says what is wrong with them. `config diff` is for files without mistakes.
fn look_at_settings(said: &mut Said, change: &str) {
    for words in [
        "config show",
        "config show --origin",
        "config show --running --origin",
        "config versions",
        "config diff",
        "config diff 0 1",
        "config reload",
        "check",
        "check --json",
        "status",
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        said.cli(&words);
    }
    said.cli(&["config", "change", change]);
    said.cli(&["config", "change", change, "--json"]);
}

fn attach(gateway: &Gateway, plant: &Plant, devices: &str) {
    let socket = plant.socket();
    gateway.configure(&format!(
        "{LOUD}[link.plant]\nevery = \"200ms\"\nadmission = \"refuse\"\nsim = {{ socket = {socket:?} }}\n{devices}"
    ));
}

/// Each way in which a key stands where it must not.
fn blunders(key: &str) -> [String; 9] {
    [
        format!("key = \"{key}\""),
        format!("key = '''{key}'''"),
        format!("key = [\"{key}\"]"),
        format!("key = {{ sealed = \"{key}\" }}"),
        format!("key = {{ sealed = \"dmgw1:{key}\" }}"),
        format!("key = {{ file = [\"{key}\"] }}"),
        format!("key = {{ text = \"{key}\" }}"),
        format!("key = {{ file = \"/a\", sealed = \"{key}\" }}"),
        format!("key = {{ credential = \"../{key}\" }}"),
    ]
}

#[test]
fn no_secret_of_the_settings_is_found_in_anything_that_a_gateway_wrote_or_said() {
    let [by_file, by_seal, by_door, in_clear] = [(); 4].map(|()| planted::text());
    let keys = [("one", &by_file), ("two", &by_seal), ("three", &by_door)];
    let plant = plant(&keys.map(|(name, key)| device(name, name, key)));
    let mut gateway = gateway();
    let folder = gateway.folder.path().to_owned();
    gateway.start();
    let sealed = |key: &str| sealed_by(&gateway, key, &[]).1.trim().to_owned();
    let (two, three) = (sealed(&by_seal), sealed(&by_door));
    let table = |name: &str, key: &str| format!("[device.{name}]\nidentities = [\"serial:acme:{name}\"]\n{key}\n");
    let change = file(&gateway, "change.toml", &table("three", &format!("key = {three}")));
    assert_eq!(told(&gateway, &["config", "change", &change]).0, 0);
    gateway.terminate();
    let desk = tempfile::tempdir().unwrap();
    let one = desk.path().join("one.key");
    std::fs::write(&one, &by_file).unwrap();
    std::fs::set_permissions(&one, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let known = [table("one", &format!("key = {{ file = {one:?} }}")), table("two", &format!("key = {two}"))].concat();
    attach(&gateway, &plant, &known);
    gateway.start();
    let mut said = Said { gateway: &gateway, desk, count: 0 };
    keys.iter().for_each(|(name, _)| is_up(&gateway, name));
    look_at_settings(&mut said, &change);
    said.look_everywhere();

    // A drop-in that somebody wrote it into, and a change through the door.
    let drop_in = folder.join("devices.d/bad.toml");
    std::fs::create_dir_all(drop_in.parent().unwrap()).unwrap();
    for wrong in blunders(&in_clear) {
        let wrong = table("four", &wrong);
        std::fs::write(&drop_in, &wrong).unwrap();
        let change = said.file("bad.toml", &wrong);
        let says = said.cli(&["config", "reload"]);
        assert!(says.contains("bad.toml"), "{says}");
        look_at_settings(&mut said, &change);
    }
    let Said { desk, count, .. } = said;
    gateway.kill();
    gateway.start();
    assert!(gateway.log().contains("settings are left out"), "{}", gateway.log());
    keys.iter().for_each(|(name, _)| is_up(&gateway, name));
    std::fs::remove_file(&drop_in).unwrap();
    let mut said = Said { gateway: &gateway, desk, count };
    look_at_settings(&mut said, &change);
    gateway.terminate();

    let mut search = Search::default();
    for (name, secret) in keys.into_iter().chain([("in clear", &in_clear)]) {
        search.add(name, secret.as_bytes());
    }
    assert_eq!(search.under(&folder), []);
    // The copy and the versions are there, and the search finds in them what may be.
    let mut search = Search::default();
    search.add("marker", b"serial:acme:one");
    let found = search.under(&folder);
    for file in ["settings.last", "daemon.log"] {
        assert!(found.iter().any(|(_, there)| there.ends_with(file)), "{file}: {found:?}");
    }
}
