//! The settings from outside, feature by feature: what the command line tells of a folder with these files.

mod support;

use std::process::Command;

use dmgw::config::FOLDERS;
use serde_json::{Value, json};
use support::{Gateway, file, told};
use tempfile::TempDir;

/// A main file, and what lies beside it.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        files.iter().for_each(|(path, text)| folder.write(path, text));
        folder
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// In the folder itself, so that paths are told as they are below it.
    fn dmgw(&self, env: &[(&str, &str)], words: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dmgw"));
        command.current_dir(self.0.path()).env("DMGW_PROFILES", "nowhere").envs(env.iter().copied());
        let ended = command.args(words).args(["--config", "dmgw.toml"]).output().unwrap();
        (ended.status.code().unwrap(), support::text(&ended.stdout) + &support::text(&ended.stderr))
    }

    fn show_with(&self, env: &[(&str, &str)]) -> Value {
        let (code, says) = self.dmgw(env, &["config", "show", "--origin", "--json"]);
        assert_eq!(code, 0, "{says}");
        serde_json::from_str(&says).unwrap()
    }

    fn show(&self) -> Value {
        self.show_with(&[])
    }

    /// The mistakes: place, words, what was meant, and the other place.
    fn check_with(&self, env: &[(&str, &str)]) -> Vec<[String; 4]> {
        let (code, says) = self.dmgw(env, &["check", "--json"]);
        let told: Value = serde_json::from_str(&says).unwrap_or_else(|_| panic!("{says}"));
        let faults = told["faults"].as_array().unwrap();
        assert_eq!((code, told["right"].as_bool()), (i32::from(!faults.is_empty()), Some(faults.is_empty())), "{says}");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let place = |fault: &Value| match fault["at"].as_str() {
            Some(at) => format!("{at}:{}:{}", fault["line"], fault["column"]),
            None => String::new(),
        };
        faults.iter().map(|one| [place(one), text(&one["says"]), text(&one["meant"]), place(&one["also"])]).collect()
    }

    fn check(&self) -> Vec<[String; 4]> {
        self.check_with(&[])
    }
}

fn set(value: &str, origin: &str) -> Value {
    json!({ "value": value, "origin": origin })
}

#[test]
fn a_drop_in_may_lie_in_each_folder_and_hidden_and_other_files_are_nobodys() {
    let folder = Folder::new(&[("dmgw.toml", "[limits]\nasks = 3\n")]);
    for (no, below) in FOLDERS.iter().enumerate() {
        folder.write(&format!("{below}/10.toml"), &format!("[link.l{no}]\nsim = {{}}\n"));
        folder.write(&format!("{below}/.10.toml"), "nonsense");
        folder.write(&format!("{below}/10.toml.bak"), "nonsense");
        folder.write(&format!("{below}/10.example.toml"), "nonsense");
        folder.write(&format!("{below}/more/10.toml"), "nonsense");
    }
    folder.write("others.d/10.toml", "nonsense");
    assert_eq!(folder.check(), Vec::<[String; 4]>::new());
    let shown = folder.show();
    assert_eq!(shown["limits.asks"], set("3", "dmgw.toml:2"));
    for (no, below) in FOLDERS.iter().enumerate() {
        assert_eq!(shown[format!("link.l{no}.sim")], set("{}", &format!("{below}/10.toml:2")));
        let (_, says) = folder.dmgw(&[], &["config", "show", &format!("link.l{no}"), "--all", "--json"]);
        assert!(says.contains(&format!("link.l{no}.every")), "{below}: {says}");
    }
}

#[test]
fn drop_ins_are_read_by_folder_and_name_and_a_name_given_twice_is_told_with_both_places() {
    let link = "# A link.\n[link.a]\nevery = \"1s\"\nsim = {}\n";
    let folder = Folder::new(&[("dmgw.toml", "# Nothing.\n"), ("links.d/20.toml", link), ("links.d/3.toml", link)]);
    let twice = |at: &str, first: &str| {
        [at.to_owned(), "link a is there twice, in two files".into(), String::new(), first.to_owned()]
    };
    assert_eq!(folder.check(), [twice("links.d/3.toml:2:7", "links.d/20.toml:2:7")]);
    folder.write("devices.d/1.toml", link);
    assert_eq!(folder.check().len(), 2);
    folder.write("links.d/3.toml", "[link.b]\nsim = {}\n");
    assert_eq!(folder.check(), [twice("devices.d/1.toml:2:7", "links.d/20.toml:2:7")]);
    folder.write("dmgw.toml", "link.a.sim = {}\n");
    let told: Vec<String> = folder.check().into_iter().map(|[_, _, _, first]| first).collect();
    assert_eq!(told, ["dmgw.toml:1:6", "dmgw.toml:1:6"]);
    let (_, says) = folder.dmgw(&[], &["check"]);
    assert!(says.contains("dmgw.toml:1:6: it is here first\n    1 | link.a.sim = {}\n"), "{says}");
}

#[test]
fn what_there_is_only_one_of_stands_in_the_main_file() {
    let folder = Folder::new(&[("dmgw.toml", "# Nothing.\n"), ("links.d/1.toml", "[limits]\nasks = 3\n[lnik.a]\n")]);
    let told = folder.check();
    assert_eq!(told[0][0], "links.d/1.toml:1:2");
    assert!(
        told[0][1].starts_with("limits stands in the main file only; a drop-in holds variable, template, link, group"),
        "{told:?}"
    );
    assert_eq!((told[1][0].as_str(), told[1][2].as_str()), ("links.d/1.toml:3:2", "link"));
}

#[test]
fn what_is_no_table_in_a_drop_in_is_told_whether_another_file_has_such_tables_or_not() {
    let folder = Folder::new(&[("dmgw.toml", "# Nothing.\n"), ("links.d/1.toml", "link = 5\n")]);
    let wanted = |at: &str, what: &str| {
        [at.to_owned(), format!("{what} stands where a table is wanted"), String::new(), String::new()]
    };
    assert_eq!(folder.check(), [wanted("links.d/1.toml:1:8", "a whole number")]);
    for main in ["[link.a]\nsim = {}\n", "link = 5\n"] {
        folder.write("dmgw.toml", main);
        let mut expected = vec![wanted("links.d/1.toml:1:8", "a whole number")];
        if main.starts_with("link") {
            expected.insert(0, wanted("dmgw.toml:1:8", "a whole number"));
        }
        assert_eq!(folder.check(), expected);
    }
    folder.write("links.d/1.toml", "[[link]]\nsim = {}\n");
    assert_eq!(folder.check()[1], wanted("links.d/1.toml:1:1", "a list"));
}

#[test]
fn one_drop_in_is_checked_with_all_that_it_is_dropped_into() {
    let folder = Folder::new(&[("dmgw.toml", "[template.slow]\nevery = \"1h\"\n"), ("links.d/b.toml", "[link.b]\n")]);
    folder.write("links.d/a.toml", "[link.a]\ntemplate = \"slow\"\nsim = {}\n");
    let (code, says) = folder.dmgw(&[], &["check", "links.d/a.toml"]);
    assert!(code == 1 && says.contains("links.d/b.toml:1:1: link b has no driver"), "{says}");
    folder.write("links.d/b.toml", "[link.b]\nsim = {}\n");
    let (code, says) = folder.dmgw(&[], &["check", "links.d/a.toml", "./links.d/b.toml"]);
    assert!(code == 0 && says.contains("right: dmgw.toml and 2 drop-ins; 2 links"), "{says}");
    for (name, why) in [("links.d/c.toml", "no such file"), ("links.d/.a.toml", "begins with no dot")] {
        folder.write("links.d/.a.toml", "nonsense");
        let (code, says) = folder.dmgw(&[], &["check", name]);
        assert!(code == 1 && says.contains(&format!("{name} is not read")) && says.contains(why), "{says}");
    }
}

/// In a folder below it, with these words alone.
fn from_below(folder: &Folder, below: &str, words: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmgw"));
    command.current_dir(folder.0.path().join(below)).env("DMGW_PROFILES", "nowhere");
    let ended = command.args(words).output().unwrap();
    (ended.status.code().unwrap(), support::text(&ended.stdout) + &support::text(&ended.stderr))
}

#[test]
fn a_drop_in_is_checked_with_the_settings_beside_it_whatever_they_are_called_and_from_wherever() {
    let files =
        [("gw.toml", "[template.slow]\nevery = \"1h\"\n"), ("links.d/a.toml", "[link.a]\ntemplate = \"slow\"\n")];
    let folder = Folder::new(&files);
    let wrong = "a.toml:1:1: link a has no driver";
    for (below, words) in [
        ("", &["--config", "gw.toml", "check", "links.d/a.toml"][..]),
        ("links.d", &["--config", "../gw.toml", "check", "a.toml"]),
    ] {
        let (code, says) = from_below(&folder, below, words);
        assert!(code == 1 && says.contains(wrong), "{words:?}: {says}");
    }
    folder.write("dmgw.toml", files[0].1);
    let (code, says) = from_below(&folder, "links.d", &["check", "a.toml"]);
    assert!(code == 1 && says.contains(wrong) && says.contains("1 mistake in "), "{says}");
}

#[test]
fn what_is_printed_as_json_is_one_document() {
    let folder = Folder::new(&[("dmgw.toml", "# Nothing.\n"), ("other.toml", "[limits]\nasks = 0\n")]);
    let json = |words: &[&str]| {
        let (_, says) = from_below(&folder, "", words);
        serde_json::from_str::<Value>(&says).unwrap_or_else(|_| panic!("{words:?}: {says}"))
    };
    let told = json(&["check", "dmgw.toml", "other.toml", "--json"]);
    assert_eq!((&told[0]["settings"], &told[0]["right"]), (&json!("dmgw.toml"), &json!(true)), "{told}");
    assert_eq!((&told[1]["settings"], &told[1]["right"]), (&json!("other.toml"), &json!(false)), "{told}");
    let all = json(&["config", "explain", "--json"]);
    assert!(all.as_array().unwrap().iter().any(|key| key["key"] == "limits.asks"), "{all}");
    let ended = Command::new(env!("CARGO_BIN_EXE_dmgw")).args(["check", "nosuch", "--json"]).output().unwrap();
    let told: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert!(told["detail"].as_str().unwrap().contains("cannot read the settings file nosuch"), "{told}");
}

#[test]
fn a_key_that_is_none_is_not_shown_as_unset() {
    let folder = Folder::new(&[("dmgw.toml", "[link.lnik]\nsim = { lanes = 3 }\n")]);
    let (code, says) = folder.dmgw(&[], &["config", "show", "lnik"]);
    assert!(code == 1 && says.contains("Did you mean \"link\"?"), "{says}");
    let (code, says) = folder.dmgw(&[], &["config", "show", "limits"]);
    assert!(code == 0 && says.contains("nothing is set here"), "{says}");
    assert_eq!(folder.dmgw(&[], &["config", "show", "link.lnik"]), (0, "link.lnik.sim.lanes = 3\n".into()));
}

#[test]
fn a_drop_in_that_cannot_be_read_is_told_and_hides_nothing() {
    let folder = Folder::new(&[("dmgw.toml", "[limits]\nasks = 0\n"), ("links.d/1.toml", "")]);
    std::fs::write(folder.0.path().join("links.d/2.toml"), b"# \xff\n").unwrap();
    std::fs::create_dir(folder.0.path().join("links.d/3.toml")).unwrap();
    let told: Vec<String> = folder.check().into_iter().map(|[at, says, _, _]| format!("{at}: {says}")).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[0].starts_with("dmgw.toml:2:8: asks is 0") && told[1].contains("1.toml:1:1: the file is empty"));
    assert!(told[2].contains("not UTF-8") && told[3].contains("3.toml:1:1: this file cannot be read"), "{told:?}");
}

#[test]
fn variables_are_put_into_texts_wherever_they_stand() {
    let main = "[gateway]\nid = \"plant-7\"\n[variable]\nsite = \"basel\"\nroom = \"r 1\"\n";
    let link = "[link.\"a-1\"]\nsim = { socket = \"/run/${site}/${gateway.id}/${name}/$${site}\" }\n";
    let group = "[group.g]\nfor = { label = { room = [\"${room}\", \"x\"] } }\n";
    let folder = Folder::new(&[("dmgw.toml", main), ("links.d/1.toml", link), ("policies.d/1.toml", group)]);
    let shown = folder.show();
    assert_eq!(shown["link.a-1.sim.socket"], set("\"/run/basel/plant-7/a-1/${site}\"", "links.d/1.toml:2"));
    assert_eq!(shown["group.g.for"]["value"], "{ label = { room = [\"r 1\", \"x\"] } }");
    folder.write("links.d/1.toml", &link.replace("${site}/", "${siet}/"));
    let told = folder.check();
    assert_eq!((told.len(), told[0][0].as_str(), told[0][2].as_str()), (1, "links.d/1.toml:2:24", "site"), "{told:?}");
}

#[test]
fn templates_give_what_a_table_does_not_say_itself_also_below_it() {
    let main = "[template.slow]\nevery = \"5m\"\nsilent_after = \"1h\"\n[template.slow.sim]\nsocket = \"/run/${name}.sock\"\nlanes = 2\n";
    let links = "[link.a]\ntemplate = \"slow\"\nevery = \"1m\"\nsim = { lanes = 3 }\n[link.b]\ntemplate = \"slow\"\n";
    let folder = Folder::new(&[("dmgw.toml", main), ("links.d/1.toml", links)]);
    let shown = folder.show();
    for (key, value, origin) in [
        ("link.a.every", "\"1m\"", "links.d/1.toml:3"),
        ("link.a.silent_after", "\"1h\"", "dmgw.toml:3"),
        ("link.a.sim.lanes", "3", "links.d/1.toml:4"),
        ("link.a.sim.socket", "\"/run/a.sock\"", "dmgw.toml:5"),
        ("link.b.every", "\"5m\"", "dmgw.toml:2"),
        ("link.b.sim.socket", "\"/run/b.sock\"", "dmgw.toml:5"),
    ] {
        assert_eq!(shown[key], set(value, origin), "{key}: {shown}");
    }
    // A mistake in it is told once, however many use it.
    folder.write("dmgw.toml", &main.replace("lanes", "lnaes"));
    let told = folder.check();
    assert_eq!((told.len(), told[0][0].as_str(), told[0][2].as_str()), (1, "dmgw.toml:6:1", "lanes"), "{told:?}");
}

#[test]
fn the_environment_changes_a_key_and_its_mistakes_are_told_by_its_name() {
    let links = "[link.yard-2]\nevery = \"1s\"\nsim = {}\n";
    let folder = Folder::new(&[("dmgw.toml", "[limits]\nasks = 3\n"), ("links.d/1.toml", links)]);
    let env = [
        ("DMGW_LIMITS__ASKS", "5"),
        ("DMGW_GATEWAY__ID", "gw-1"),
        ("DMGW_LINK__YARD_2__SIM__LANES", "7"),
        ("DMGW_LINK__YARD_2__EVERY", "2s"),
        ("DMGW_DEVICES__QUARANTINE", "[\"read\"]"),
        ("DMGW_OF_SOMEBODY_ELSE", "x"),
    ];
    let shown = folder.show_with(&env);
    for (key, value, origin) in [
        ("limits.asks", "5", "$DMGW_LIMITS__ASKS"),
        ("gateway.id", "\"gw-1\"", "$DMGW_GATEWAY__ID"),
        ("link.yard-2.sim.lanes", "7", "$DMGW_LINK__YARD_2__SIM__LANES"),
        ("link.yard-2.every", "\"2s\"", "$DMGW_LINK__YARD_2__EVERY"),
        ("devices.quarantine", "[\"read\"]", "$DMGW_DEVICES__QUARANTINE"),
    ] {
        assert_eq!(shown[key], set(value, origin), "{key}: {shown}");
    }
    for (name, value, says, meant) in [
        ("DMGW_LIMTS__ASKS", "5", "\"limts\" is unknown here", "limits"),
        ("DMGW_LIMITS__AKS", "5", "\"aks\" is unknown here", "asks"),
        ("DMGW_LINK__YARD_3__EVERY", "5s", "\"yard_3\" is unknown here", "yard-2"),
        ("DMGW_LINK__YARD_2__SMI__LANES", "5", "\"smi\" is unknown here", "sim"),
        ("DMGW_LIMITS__ASKS", "many", "the text \"many\" stands where", ""),
        ("DMGW_LIMITS__ASKS", "0", "asks is 0; it must lie between 1 and 4096", ""),
        ("DMGW_LINK__YARD_2__EVERY", "5 Sec", "is not a span of time", "5s"),
        ("DMGW_LOG__LEVEL", "wran", "is none of", "warn"),
    ] {
        let told = folder.check_with(&[(name, value)]);
        assert_eq!(told.len(), 1, "{name}: {told:?}");
        assert_eq!((&told[0][0], told[0][2].as_str()), (&format!("${name}:1:1"), meant), "{told:?}");
        assert!(told[0][1].contains(says), "{told:?}");
    }
}

#[test]
fn where_a_text_is_wanted_a_variable_of_the_environment_may_look_like_anything() {
    let folder = Folder::new(&[("dmgw.toml", "[link.a]\nsim = {}\n[device.d]\nlink = \"a\"\naddress = \"x\"\n")]);
    for value in ["7", "true", "1e5", "0x10", "7,5"] {
        let shown = folder.show_with(&[("DMGW_DEVICE__D__HARDWARE", value), ("DMGW_DEVICE__D__ADDRESS", value)]);
        assert_eq!(shown["device.d.hardware"]["value"], format!("\"{value}\""), "{shown}");
        assert_eq!(shown["device.d.address"]["value"], format!("\"{value}\""), "{shown}");
    }
    let shown = folder.show_with(&[("DMGW_GATEWAY__ID", "7"), ("DMGW_DEVICE__D__SECURITY", "7")]);
    let values = [&shown["gateway.id"]["value"], &shown["device.d.security"]["value"]];
    assert_eq!(values, ["\"7\"", "7"], "{shown}");
}

#[test]
fn a_variable_of_the_environment_that_names_no_setting_is_told_and_what_it_holds_is_not() {
    let links = "[link.a]\nsim = {}\n[link.a-b]\nsim = {}\n[link.a_b]\nsim = {}\n";
    let folder = Folder::new(&[("dmgw.toml", links)]);
    for (name, says) in [
        ("DMGW_LINK__A", "link.a is a table; write which key of it is meant, after __"),
        ("DMGW_LINK__A__SIM", "sim is a table"),
        ("DMGW_LINK__A_B__EVERY", "this may mean a-b or a_b"),
        ("DMGW_LINK__B__EVERY", "\"b\" is unknown here"),
        ("DMGW_LIMITS__ASKS__MORE", "\"more\" is unknown here"),
        ("DMGW_ADMISSION__LINK", "admission stands in the main file only"),
        ("DMGW_LIMITS_ASKS", "this sets nothing; two signs _ part a section from its key, DMGW_LIMITS__ASKS"),
        ("DMGW_VARIABLE_SITE", "DMGW_VARIABLE__SITE"),
        ("DMGW_DEVICE__A__KYE", "\"a\" is unknown here"),
    ] {
        let env = [(name, "hunter22")];
        let told = folder.check_with(&env);
        assert_eq!((told.len(), &told[0][0]), (1, &format!("${name}:1:1")), "{told:?}");
        assert!(told[0][1].contains(says), "{told:?}");
        let (_, shown) = folder.dmgw(&env, &["check"]);
        assert!(!shown.contains("hunter"), "{shown}");
    }
    // Somebody else's.
    assert!(folder.check_with(&[("DMGW_LINK_PORT", "1"), ("DMGW_SERVICE_HOST", "x"), ("DMGW_LIMITS", "1")]).is_empty());
}

#[test]
fn fifty_gateways_share_all_files_but_one_variable() {
    let shared = [
        ("dmgw.toml", "[gateway]\nid = \"gw-${site}\"\n"),
        ("policies.d/slow.toml", "[template.slow]\nevery = \"5m\"\nsim = { socket = \"/run/${site}/${name}\" }\n"),
        ("policies.d/all.toml", "[variable]\nkind = \"plant\"\n"),
        ("links.d/plant.toml", "[link.plant]\ntemplate = \"slow\"\n"),
        ("links.d/yard.toml", "[link.yard]\nsim = { socket = \"/run/${gateway.id}/yard\" }\n"),
        ("policies.d/groups.toml", "[group.here]\nfor = 'link == \"${kind}\" && label.site == \"${site}\"'\n"),
    ];
    let folder = Folder::new(&shared);
    for no in 0..50 {
        // From a file of its own, or from the environment; a number is a text there too.
        let (site, own) = if no % 2 == 0 { (format!("s{no}"), true) } else { (no.to_string(), false) };
        let file = if own { format!("[variable]\nsite = \"{site}\"\n") } else { "# By the environment.\n".into() };
        folder.write("devices.d/site.toml", &file);
        let env = [("DMGW_VARIABLE__SITE", site.as_str())];
        let shown = folder.show_with(if own { &[] } else { &env });
        let value = |key: &str| shown[key]["value"].as_str().unwrap_or_default().to_owned();
        assert_eq!(value("gateway.id"), format!("\"gw-{site}\""));
        assert_eq!(value("link.plant.sim.socket"), format!("\"/run/{site}/plant\""));
        assert_eq!(value("link.yard.sim.socket"), format!("\"/run/gw-{site}/yard\""), "{shown}");
        assert!(value("group.here.for").contains(&site), "{shown}");
    }
    folder.write("policies.d/z.toml", "[variable]\nkind = \"yard\"\n[template.slow]\nevery = \"1m\"\n");
    let told = folder.check_with(&[("DMGW_VARIABLE__SITE", "x")]);
    let says: Vec<&str> = told.iter().map(|fault| fault[1].as_str()).collect();
    assert_eq!(says, ["variable kind is there twice, in two files", "template slow is there twice, in two files"]);
}

#[test]
fn what_templates_and_variables_make_has_a_bound_that_is_told_once() {
    let long = format!("[variable]\nlong = \"{}\"\n[template.big.label]\n", "x".repeat(1_200));
    let labels = |value: &str| (0..60).map(|no| format!("l{no} = \"{value}\"\n")).collect::<String>();
    let devices = |count: usize| {
        let device = |no| format!("[device.d{no}]\ntemplate = \"big\"\nidentities = [\"serial:acme:{no}\"]\n");
        (0..count).map(device).collect::<String>()
    };
    let folder = Folder::new(&[("dmgw.toml", &format!("{long}{}", labels("${long}")))]);
    folder.write("devices.d/all.toml", &devices(500));
    let told = folder.check();
    assert!(
        told.iter().all(|fault| !fault[1].contains("MiB")),
        "a label is too long, but all together are not: {told:?}"
    );
    folder.write("devices.d/all.toml", &devices(1_200));
    let told = folder.check();
    assert!(told.len() == 1 && told[0][1].contains("made more than 64 MiB"), "{told:?}");
    // Without any variable.
    folder.write("dmgw.toml", &format!("{long}{}", labels(&"y".repeat(1_200))));
    let told = folder.check();
    assert!(told.len() == 1 && told[0][1].contains("made more than 64 MiB"), "{told:?}");
    assert!(told[0][0].starts_with("devices.d/all.toml:"), "{told:?}");
}

#[test]
fn a_version_over_the_files_is_where_a_key_is_from_and_a_file_that_it_covers_says_so() {
    let mut gateway = Gateway::new("[limits]\npage = 7\n");
    let drop_in = gateway.folder.path().join("links.d/a.toml");
    std::fs::create_dir_all(drop_in.parent().unwrap()).unwrap();
    std::fs::write(&drop_in, "[link.a]\nevery = \"1s\"\nsim = {}\n[link.b]\nsim = {}\n").unwrap();
    gateway.start();
    let change = file(&gateway, "change.toml", "[link.a]\nevery = \"7s\"\nsim = { lanes = 2 }\n");
    assert_eq!(told(&gateway, &["config", "change", &change]).0, 0);
    let (_, says) = told(&gateway, &["config", "show", "--running", "--origin", "--json"]);
    let shown: Value = serde_json::from_str(&says).unwrap();
    assert_eq!(shown["link.a.every"], set("\"7s\"", "version 1 by local-root"));
    assert_eq!(shown["link.a.sim.lanes"]["origin"], "version 1 by local-root");
    assert!(shown["limits.page"]["origin"].as_str().unwrap().contains("dmgw.toml:"), "{shown}");
    std::fs::write(&drop_in, "[link.a]\nevery = \"2s\"\nsim = {}\n[link.b]\nevery = \"3s\"\nsim = {}\n").unwrap();
    let answer = gateway.post("/v1/config/reload", &json!(null)).body;
    assert_eq!(answer["covered"], json!(["link.a"]), "{answer}");
    assert_eq!(answer["changed"], json!([{ "key": "link.b.every", "after": "\"3s\"" }]), "{answer}");
    assert!(gateway.terminate().0.success());
}

#[test]
fn a_key_in_clear_is_told_and_shown_by_nobody() {
    let device = "[device.a]\nidentities = [\"serial:acme:17\"]\n";
    let folder = Folder::new(&[("dmgw.toml", "# Nothing.\n")]);
    for line in [
        "key = \"hunter22hunter22\"",
        "key = 22222222222222",
        "key = [\"hunter22hunter22\"]",
        "key = { sealed = \"hunter22hunter22\" }",
        "key = { password = \"hunter22hunter22\" }",
        "kye = \"hunter22hunter22\"",
        "key = \"hunter22hunter22",
        "key = hunter22hunter22",
        "key = { file = \"a\" }\nkey = \"hunter22hunter22\"",
        "key.clear = \"hunter22\"",
        "key.sealed = \"hunter22\"",
        "kye.sealed = \"hunter22\"",
        "[device.a.key]\nsealed = \"hunter22\" x",
        "[device.a.key]\nsealed = hunter22",
        "[device.a.key]\nsealed = \"hunter22\"",
        "[device.a.kye]\nsealed = \"hunter22\"",
        "key \"hunter22\"",
        "key : \"hunter22\"",
        "key =\n\"hunter22\"",
        "key =\nhunter22 = 5",
        "key = \"hunter11\nhunter22\"",
        "key = \"hunter11\nhunter22 = 5\n\"",
        "key = \"\"\"hunter11\nhunter22",
        "key = \'\'\'\nhunter11\nhunter22\n[limits]\nhunter = 22",
        "key = { sealed = \"hunter22\"\n[link.a]\nsim = hunter22",
        "psk = \"hunter22\"",
        "secret = \"hunter22\"",
        "api_token = \"hunter22\"",
        "Password = [\"hunter22\", { a = \"hunter22\" }]",
        "credentials = { of = { me = \"hunter22\" } }",
    ] {
        folder.write("devices.d/a.toml", &format!("{device}{line}\n"));
        for words in [&["check"][..], &["check", "--json"], &["config", "show"]] {
            let (code, says) = folder.dmgw(&[], words);
            assert!(code == 1 && says.contains("devices.d/a.toml"), "{line}: {says}");
            assert!(!says.contains("hunter") && !says.contains("2222"), "{line}: {says}");
        }
    }
    folder.write("devices.d/a.toml", device);
    for name in ["DMGW_DEVICE__A__KEY", "DMGW_DEVICE__A__KYE", "DMGW_DEVICE__A__PSK"] {
        let (code, says) = folder.dmgw(&[(name, "hunter22hunter22")], &["check"]);
        assert!(code == 1 && says.contains(&format!("${name}:1:1")) && !says.contains("hunter"), "{says}");
    }
}
