//! What the settings file accepts, and what it says when it does not.

use std::path::Path;

use super::*;

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
fn the_shipped_file_is_the_defaults_as_it_stands() {
    assert_eq!(parse(SHIPPED), Ok(Config::default()));
}

#[test]
fn the_shipped_file_shows_the_defaults_in_its_comments() {
    let text = uncommented(SHIPPED);
    let mut config = parse(&text).unwrap();
    assert!(!std::mem::take(&mut config.link).is_empty(), "an example of a link");
    assert!(!std::mem::take(&mut config.admission).is_empty(), "an example of a rule");
    assert_eq!(config, Config::default());
}

/// Without this, a key that the file forgets would pass the test above.
#[test]
fn the_shipped_file_teaches_every_key() {
    let text = uncommented(SHIPPED);
    let table: toml::Table = text.parse().unwrap();
    for section in ["gateway", "store", "journal", "socket", "log", "clock", "devices", "commands", "limits"] {
        let missing = format!("[{section}]\nno_such_key = 1\n");
        let error = parse(&missing).unwrap_err();
        let keys: Vec<&str> = error.lines().next().unwrap().split('`').skip(1).step_by(2).skip(1).collect();
        assert!(!keys.is_empty(), "{error}");
        for key in keys {
            assert!(table[section].get(key).is_some(), "config/dmgw.toml says nothing of {section}.{key}");
        }
    }
}

#[test]
fn an_unknown_key_is_shown_where_it_stands_with_the_one_that_was_meant() {
    let error = parse("[gateway]\nid = \"a\"\n\n[store]\n  pth = \"/x\"\n").unwrap_err();
    assert!(error.starts_with("dmgw.toml:5:3: unknown field `pth`, expected one of `path`"), "{error}");
    assert!(error.contains("    5 |   pth = \"/x\"\n      |   ^"), "{error}");
    assert!(error.ends_with("Did you mean \"path\"?"), "{error}");
}

#[test]
fn an_error_deep_in_a_link_points_at_the_link_that_has_it() {
    let good = "[link.a.sim]\nsocket = \"/a\"\n";
    let error = parse(&format!("{good}[link.b]\nevery = 30\nsim = {{ socket = \"/b\" }}\n")).unwrap_err();
    assert!(error.starts_with("dmgw.toml:4:9: "), "{error}");
    assert!(error.contains("a span of time, such as \"30s\""), "{error}");
    let error = parse(&format!("{good}[link.b.sim]\nsocket = \"/b\"\nlane = 3\n")).unwrap_err();
    assert!(error.starts_with("dmgw.toml:5:1: unknown field `lane`") && error.contains("\"lanes\""), "{error}");
    let error = parse(&format!("{good}[link.b.sims]\nsocket = \"/b\"\n")).unwrap_err();
    assert!(error.starts_with("dmgw.toml:3:9: unknown field `sims`"), "{error}");
    assert!(error.ends_with("Did you mean \"sim\"?"), "{error}");
}

#[test]
fn a_word_out_of_a_closed_list_is_named_with_the_right_ones() {
    let error = parse("[log]\nlevel = \"inof\"\n").unwrap_err();
    assert!(error.contains("dmgw.toml:2:9") && error.contains("Did you mean \"info\"?"), "{error}");
}

#[test]
fn what_is_no_toml_is_shown_where_it_breaks() {
    let error = parse("[gateway]\nid = \"a\n").unwrap_err();
    assert!(error.starts_with("dmgw.toml:2:"), "{error}");
    assert!(parse("\u{feff}é = \u{0}").is_err());
}

#[test]
fn a_bound_of_nothing_or_beyond_reason_is_refused_by_its_key() {
    assert_eq!(
        parse("[limits]\nasks = 0\n").unwrap_err(),
        "dmgw.toml: limits.asks is 0; it must lie between 1 and 4096"
    );
    assert!(parse("[limits]\ndevices = 2000000\n").unwrap_err().contains("limits.devices"));
    for (text, key) in [
        ("[store]\nreserve = 9223372036854775807\n", "store.reserve"),
        ("[journal]\ntelemetry = 0\n", "journal.telemetry"),
        ("[limits]\nbody = \"1B\"\n", "limits.body"),
        ("[limits]\nbody = \"32KiB\"\n", "limits.body"),
        ("[limits]\ntargets = 1001\n", "limits.targets"),
        ("[limits]\npending = 0\n", "limits.pending"),
        ("[devices]\ncontest = \"0s\"\n", "devices.contest"),
        ("[devices]\nkeep_retired = \"1s\"\n", "devices.keep_retired"),
        ("[commands]\nguard = \"0s\"\n", "commands.guard"),
        ("[limits]\nanswer = \"0s\"\n", "limits.answer"),
        ("[commands]\nexpiry = \"8d\"\n", "commands.longest_expiry"),
        ("[link.a]\nsilent_after = \"0s\"\nsim = { socket = \"x\" }\n", "link.silent_after"),
        ("[link.a]\nevery = \"0s\"\nsim = { socket = \"x\" }\n", "link.every"),
    ] {
        let says = parse(text).unwrap_err();
        assert!(says.contains(key), "{text}: {says}");
    }
    assert!(parse(&format!("[socket]\npath = \"/{}\"\n", "x".repeat(107))).unwrap_err().contains("socket.path"));
    assert!(parse("[store]\nflush_busy = \"2m\"\n").unwrap_err().contains("store.flush_busy"));
    assert!(parse("[link.a]\n").unwrap_err().contains("a has no driver"));
    assert!(parse("[gateway]\nid = \"two words\"\n").unwrap_err().contains("gateway.id"));
}

#[test]
fn rules_of_admission_are_read_in_their_order_and_checked() {
    let link = "[link.plant.sim]\nsocket = \"/x\"\n";
    let rules = "[[admission]]\nlink = \"plant\"\nidentity = \"serial:acme:*\"\nproof = \"seen\"\nthen = \"hold\"\n\
                 [[admission]]\nthen = \"quarantine\"\n";
    let config = parse(&format!("{rules}{link}")).unwrap();
    let then: Vec<Admission> = config.admission.iter().map(|rule| rule.then).collect();
    assert_eq!(then, [Admission::Hold, Admission::Quarantine]);
    assert!(parse(rules).unwrap_err().contains("a rule for link plant, which is not configured"));
    let error = parse("[[admission]]\nidentity = \"acme\"\nthen = \"accept\"\n").unwrap_err();
    assert!(error.starts_with("dmgw.toml:2:12: ") && error.contains("KIND:VALUE"), "{error}");
    assert!(parse("[[admission]]\nidentiy = \"serial:*\"\nthen = \"accept\"\n").unwrap_err().contains("\"identity\""));
    let many = "[[admission]]\nthen = \"hold\"\n".repeat(MOST_RULES + 1);
    assert!(parse(&many).unwrap_err().contains("at most 256"));
    assert!(parse("[devices]\nquarantine = [\"raed\"]\n").unwrap_err().contains("Did you mean \"read\"?"));
}

#[test]
fn the_parts_and_the_settings_agree_on_the_defaults() {
    let (config, store, engine) =
        (Config::default(), crate::store::Settings::default(), crate::engine::Settings::default());
    let of = &config.store;
    assert_eq!(
        (of.cache, of.held_size, of.flush_size),
        (store.cache as u64, store.held_bytes as u64, store.block_bytes as u64)
    );
    assert_eq!(
        (of.held, of.reserve, of.flush_readings, of.busy),
        (store.held, store.reserve, store.block_readings, store.many)
    );
    assert_eq!((of.flush_busy, of.flush_idle), (store.busy_age, store.idle_age));
    let journal = &config.journal;
    let bounds = crate::store::Bounds { vital: journal.vital, events: journal.events, telemetry: journal.telemetry };
    assert_eq!(bounds, store.bounds);
    let of = &config.commands;
    assert_eq!(
        (of.timeout, of.expiry, of.longest_expiry),
        (engine.command_timeout, engine.command_expiry, engine.longest_expiry)
    );
    assert_eq!((of.remember, of.grace, of.guard), (engine.remember, engine.grace, engine.guard));
    let of = &config.devices;
    assert_eq!((of.contest, of.keep_retired, of.quarantine), (engine.contest, engine.keep_retired, engine.quarantine));
    let of = &config.limits;
    assert_eq!((of.devices, of.commands, of.orders), (engine.most_devices, engine.most_commands, engine.most_waiting));
    assert_eq!(
        (of.pending, of.points, of.attempts, of.targets),
        (engine.most_pending, engine.most_points, engine.most_attempts, engine.most_targets)
    );
    assert_eq!((of.waiting, of.come_back), (engine.most_queued, engine.come_back));
}
