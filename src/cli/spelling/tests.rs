//! Each operation can be typed, and what is typed wrong is told.

use super::*;

fn typed(line: &str) -> Result<Operation, (String, String)> {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    operation(&words[0], &words[1..])
}

/// One line for each operation: a new one without a spelling fails here.
fn example(kind: OperationKind) -> String {
    use OperationKind as K;
    let args = match kind {
        K::Read | K::ReportPolicyGet => "power.0.active power.frequency",
        K::Observe => "power.0.active",
        K::Write => "relay.0.on true",
        K::ReportPolicySet => "power.0.active 30s",
        K::Restart | K::Activate | K::Deactivate => "modem.1",
        K::PowerMode => "low",
        K::Update => "image-7",
        K::FileGet => "log/today",
        K::FilePut => "log/today abcd",
        K::ConnectionLog => "own",
        K::ConnectivitySet => "apn=internet roaming=false",
        K::Block | K::Maintenance => "1h",
        K::Replace | K::Split => "serial:acme:17",
        K::Merge => "urn:dev:dmgw:serial:acme:18",
        K::Rename => "pump-3",
        K::Profile => "acme-meter",
        K::Group => "+line-a without line-b",
        K::Describe => "application=lighting label.row=3",
        K::Desire => "relay.0.on true 4",
        _ => "",
    };
    format!("{kind} {args}")
}

#[test]
fn each_operation_can_be_typed_and_stands_in_the_help() {
    for kind in OperationKind::ALL {
        let operation = typed(&example(*kind)).unwrap();
        assert_eq!(operation.kind(), *kind);
        assert!(HELP.contains(&kind.name()), "{kind} is not in the help");
        let back: Operation = serde_json::from_value(serde_json::to_value(&operation).unwrap()).unwrap();
        assert_eq!(back, operation, "the daemon reads what is sent");
    }
}

#[test]
fn arguments_become_what_they_say() {
    let write = |value| Operation::Write { point: "relay.0.on".parse().unwrap(), value };
    assert_eq!(typed("write relay.on true"), Ok(write(Value::Bool(true))));
    assert_eq!(typed("write relay.on -5"), Ok(write(Value::Int(-5))));
    assert_eq!(typed("write relay.on open"), Ok(write(Value::text("open"))));
    assert_eq!(typed("write relay.on {\"bytes\":\"0a\"}"), Ok(write(Value::Bytes([10].as_slice().into()))));
    let desire = |value, version| Operation::Desire { point: "relay.0.on".parse().unwrap(), value, version };
    assert_eq!(typed("desire relay.on null"), Ok(desire(None, None)));
    assert_eq!(typed("desire relay.on false 7"), Ok(desire(Some(Value::Bool(false)), Some(7))));
    assert_eq!(typed("maintenance off"), Ok(Operation::Maintenance { until: None, span: None, off: true }));
    assert_eq!(
        typed("maintenance 10s"),
        Ok(Operation::Maintenance { until: None, span: Some(Duration::from_secs(10)), off: false })
    );
    let labels = [(Name::new("row").unwrap(), String::new())].into();
    let about = About { application: Some("lighting".into()), labels, ..About::default() };
    assert_eq!(typed("describe application=lighting label.row="), Ok(Operation::Describe { about: Box::new(about) }));
    assert_eq!(typed("block 10s"), Ok(Operation::Block { until: None, span: Some(Duration::from_secs(10)) }));
    assert_eq!(typed("restart modem"), Ok(Operation::Restart { part: Part::Component(Name::new("modem").unwrap()) }));
    assert_eq!(typed("profile"), Ok(Operation::Profile { name: None }));
    let points = vec!["a.b".parse().unwrap(), "a.c".parse().unwrap()];
    assert_eq!(typed("observe a.b a.c off"), Ok(Operation::Observe { points, on: false }));
}

#[test]
fn what_is_typed_wrong_is_told_with_what_would_be_right() {
    let hint = |line| typed(line).unwrap_err();
    assert_eq!(hint("wirte a.b 1"), ("there is no operation \"wirte\"".into(), "did you mean write?".into()));
    assert!(hint("read").0.contains("at least one point"));
    assert!(hint("read power").0.contains("\"power\" is not a point"));
    assert!(hint("write relay.on").0.contains("takes two arguments; there are 1"));
    assert!(hint("lock now").0.contains("takes no arguments"));
    assert!(hint("restart modem.x").0.contains("\"x\" is no instance"));
    assert!(hint("observe off").0.contains("is not a point"));
    assert!(hint("group line-a").0.contains("neither +NAME nor without NAME"));
    assert!(hint("replace 17").0.contains("KIND:VALUE"));
    assert!(hint("split seral:acme:1").0.contains("did you mean serial?"));
    assert!(hint("describe").0.contains("KEY=TEXT"));
    assert!(hint("describe lighting").0.contains("NAME=TEXT"));
    assert!(hint("describe aplication=x").0.contains("did you mean application?"));
    assert!(hint("desire relay.on").0.contains("a point, a value"));
    assert!(hint("desire relay.on 1 new").0.contains("no version"));
}

/// What stands between backquotes in the file that teaches the settings, with something in the place of its capitals.
#[test]
fn commands_that_the_settings_teach_can_be_typed() {
    use clap::Parser;

    use super::super::args::{Args, CommandVerb, Verb};
    let text = crate::config::teach::file().replace("\n# ", " ");
    let commands: Vec<&str> = text.split('`').filter(|part| part.starts_with("dmgw ")).collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for command in commands {
        let typed = command.split(' ').map(|word| word.replace("NAME", "a").replace("DEVICE", "meter-1"));
        let args = Args::try_parse_from(typed).unwrap_or_else(|error| panic!("{command}: {error}"));
        if let Verb::Command(CommandVerb::Ask(ask)) = args.verb {
            operation(&ask.operation, &ask.args).unwrap_or_else(|(says, _)| panic!("{command}: {says}"));
        }
    }
}

/// The help groups several under one form; each name stands there, and behind it what it wants.
#[test]
fn the_help_and_the_pages_of_devices_write_each_operation_alike() {
    for kind in OperationKind::ALL {
        let (name, args) = (kind.name(), args_of(*kind));
        let line = HELP.lines().find(|line| line.split([' ', ',']).any(|word| word == name));
        let line = line.unwrap_or_else(|| panic!("{name} is not in the help"));
        assert!(line.contains(args), "{name} {args}: {line}");
        assert_eq!(operation(&name, &[]).is_ok(), args.is_empty() || args.starts_with('['), "{name} {args}");
    }
}
