//! What the settings file accepts, and what it says when it does not.

use std::collections::BTreeMap;

use super::*;
use crate::document::Section;
use crate::engine::Admission;

const SHIPPED: &str = include_str!("../../config/dmgw.toml");

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("dmgw.toml"), text).map_err(|error| error.to_string())
}

/// `#key = value` and `#[section]` are settings; `# A sentence` is not.
fn uncommented(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest.to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_shipped_file_is_made_from_the_rows_that_read_it() {
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/config/dmgw.toml"), teach::file()).unwrap();
    }
    assert!(
        SHIPPED == teach::file(),
        "config/dmgw.toml is not as the sections are; REWRITE=1 cargo test writes it anew"
    );
}

#[test]
fn the_shipped_file_is_the_defaults_as_it_stands() {
    assert_eq!(parse(SHIPPED), Ok(Config::default()));
}

#[test]
fn the_shipped_file_shows_the_defaults_in_its_comments() {
    // What it extends is not in the file; a device that is called does not call in; two links do not share a port.
    let calls = ["listen = \"0.0.0.0:5020\"", "hello = \"GW-17\"", "heartbeat = \"PING\""];
    let mut text = uncommented(SHIPPED).replacen("at = \"192.0.2.1:1502\"", "at = \"192.0.2.1:1503\"", 1);
    let from = "from = [\"192.0.2.0/24\", \"198.51.100.7\"]";
    for other in ["extends = \"acme-basic\""].iter().chain(&calls).chain([&from]) {
        assert!(text.contains(other), "{other}");
        text = text.replacen(&format!("\n{other}\n"), "\n", 1);
    }
    let mut config = parse(&text).unwrap();
    assert!(!std::mem::take(&mut config.profile).is_empty(), "an example of a profile");
    assert!(!std::mem::take(&mut config.link).is_empty(), "an example of a link");
    assert!(!std::mem::take(&mut config.admission).is_empty(), "an example of a rule");
    assert!(!std::mem::take(&mut config.debug).is_empty());
    assert!(!std::mem::take(&mut config.group).is_empty());
    assert!(!std::mem::take(&mut config.device).is_empty());
    assert!(!std::mem::take(&mut config.key).is_empty(), "an example of a key to sign with");
    assert!(config.api.listen.take().is_some() && config.api.certificate.take().is_some());
    assert!(config.api.key.take().is_some());
    let examples = (config.gateway.id.take(), std::mem::take(&mut config.journal.readers));
    assert!(examples.0.is_some() && !examples.1.is_empty());
    assert_eq!(Config { variable: BTreeMap::new(), template: BTreeMap::new(), ..config }, Config::default());
}

#[test]
fn every_key_has_a_reason_and_a_default_or_an_example() {
    fn look(keys: &[crate::document::KeyDoc]) {
        let mut reason = "";
        for key in keys {
            let below = key.nested.below();
            let doc = below.as_ref().map_or(key.doc, |below| below.doc);
            reason = if doc.is_empty() { reason } else { doc };
            assert!(!reason.is_empty(), "{} has no reason", key.name);
            match below {
                Some(below) => look(below.keys),
                None => assert!((key.default)().is_some() || key.example.is_some(), "{} shows no value", key.name),
            }
        }
    }
    look(Config::KEYS);
}

#[test]
fn an_unknown_key_is_shown_where_it_stands_with_the_one_that_was_meant() {
    let error = parse("[gateway]\nid = \"a\"\n\n[store]\n  pth = \"/x\"\n").unwrap_err();
    assert!(error.starts_with("dmgw.toml:5:3: unknown key \"pth\", expected one of path, cache"), "{error}");
    assert!(error.contains("    5 |   pth = \"/x\"\n      |   ^^^"), "{error}");
    assert!(error.ends_with("Did you mean \"path\"?"), "{error}");
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let error = parse("[log]\nlevel = \"inof\"\n[limits]\nasks = 0\nbodi = 1\n[link.a]\nevery = 30\n").unwrap_err();
    let at: Vec<&str> = error.lines().filter(|line| line.starts_with("dmgw.toml:")).collect();
    assert_eq!(at.len(), 5, "{error}");
    for (line, says) in at.iter().zip([
        "2:9: \"inof\" is none of",
        "4:8: asks is 0",
        "5:1: unknown key",
        "6:1: link a has no driver",
        "7:9: the number 30 stands where a span",
    ]) {
        assert!(line.starts_with(&format!("dmgw.toml:{says}")), "{line}");
    }
}

#[test]
fn an_error_deep_in_a_link_points_at_the_link_that_has_it() {
    let good = "[link.a.sim]\nsocket = \"/a\"\n";
    let error = parse(&format!("{good}[link.b]\nevery = 30\nsim = {{ socket = \"/b\" }}\n")).unwrap_err();
    assert!(error.starts_with("dmgw.toml:4:9: "), "{error}");
    assert!(error.contains("a span of time, such as \"30s\""), "{error}");
    let error = parse(&format!("{good}[link.b.sim]\nsocket = \"/b\"\nlane = 3\n")).unwrap_err();
    assert!(error.starts_with("dmgw.toml:5:1: unknown key \"lane\"") && error.contains("\"lanes\""), "{error}");
    let error = parse(&format!("{good}[link.b.sims]\nsocket = \"/b\"\n")).unwrap_err();
    assert!(error.starts_with("dmgw.toml:3:9: unknown key \"sims\""), "{error}");
    assert!(error.ends_with("Did you mean \"sim\"?"), "{error}");
}

#[test]
fn what_is_no_toml_is_shown_where_it_breaks_and_the_rest_is_read_too() {
    let error = parse("[gateway]\nid = \"a\n[limits]\nasks = 0\n").unwrap_err();
    assert!(error.starts_with("dmgw.toml:2:") && error.contains("dmgw.toml:4:8: asks is 0"), "{error}");
    assert!(parse("\u{feff}é = \u{0}").is_err());
}

#[test]
fn a_bound_of_nothing_or_beyond_reason_is_refused_where_it_stands() {
    let error = parse("[limits]\nasks = 0\n").unwrap_err();
    assert!(error.starts_with("dmgw.toml:2:8: asks is 0; it must lie between 1 and 4096"), "{error}");
    for (text, says) in [
        ("[limits]\ndevices = 2000000\n", "devices is 2000000; it must lie"),
        ("[store]\nreserve = 9223372036854775807\n", "reserve is 92"),
        ("[journal]\ntelemetry = 0\n", "telemetry is 0"),
        ("[limits]\nbody = \"1B\"\n", "body is \"1B\"; it must lie between \"64KiB\" and \"16MiB\""),
        ("[limits]\ntargets = 1001\n", "targets is 1001"),
        ("[limits]\npending = 0\n", "pending is 0"),
        ("[devices]\ncontest = \"0s\"\n", "contest is \"0s\""),
        ("[devices]\nkeep_retired = \"1s\"\n", "keep_retired is"),
        ("[commands]\nguard = \"0s\"\n", "guard is"),
        ("[limits]\nanswer = \"0s\"\n", "answer is"),
        ("[commands]\nexpiry = \"8d\"\n", "expiry is 8d, longer than longest_expiry, 7d"),
        ("[link.a]\nsilent_after = \"0s\"\nsim = { socket = \"x\" }\n", "silent_after is"),
        ("[link.a]\nevery = \"0s\"\nsim = { socket = \"x\" }\n", "every is \"0s\"; it must lie between \"10ms\""),
        ("[store]\nflush_busy = \"2m\"\n", "flush_busy is 2m, longer than flush_idle, 1m"),
        ("[link.a]\n", "link a has no driver; add [link.a.sim]"),
        ("[gateway]\nid = \"two words\"\n", "' ' is not allowed"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(says) && error.starts_with("dmgw.toml:"), "{text}: {error}");
    }
    assert!(parse(&format!("[socket]\npath = \"/{}\"\n", "x".repeat(107))).unwrap_err().contains("Linux takes"));
}

#[test]
fn rules_of_admission_are_read_in_their_order_and_checked() {
    let link = "[link.plant.sim]\nsocket = \"/x\"\n";
    let rules = "[[admission]]\nlink = \"plant\"\nidentity = \"serial:acme:*\"\nproof = \"seen\"\nthen = \"hold\"\n\
                 [[admission]]\nthen = \"quarantine\"\n";
    let config = parse(&format!("{rules}{link}")).unwrap();
    let then: Vec<Admission> = config.admission.iter().map(|rule| rule.then).collect();
    assert_eq!(then, [Admission::Hold, Admission::Quarantine]);
    assert!(parse(rules).unwrap_err().contains("dmgw.toml:2:8: there is no link plant"));
    let error = parse("[profile.acme]\n[[admission]]\nprofile = \"acne\"\nthen = \"hold\"\n").unwrap_err();
    assert!(error.starts_with("dmgw.toml:3:11: there is no profile acne"), "{error}");
    assert!(error.ends_with("Did you mean \"acme\"?"), "{error}");
    let error = parse("[[admission]]\nidentity = \"acme\"\nthen = \"accept\"\n").unwrap_err();
    assert!(error.starts_with("dmgw.toml:2:12: ") && error.contains("KIND:VALUE"), "{error}");
    assert!(parse("[[admission]]\nidentiy = \"serial:*\"\nthen = \"accept\"\n").unwrap_err().contains("\"identity\""));
    let many = "[[admission]]\nthen = \"hold\"\n".repeat(257);
    assert!(parse(&many).unwrap_err().contains("at most 256"));
    assert!(parse("[devices]\nquarantine = [\"raed\"]\n").unwrap_err().contains("Did you mean \"read\"?"));
}

#[test]
fn the_parts_and_the_settings_agree_on_the_defaults() {
    let config = Config::default();
    assert_eq!(config.store(), crate::store::Settings::default());
    assert_eq!(config.engine(), crate::engine::Settings::default());
}
