//! What holds, what does not, and what nobody knows.

use super::*;

fn all_say(holds: Holds, texts: &[&str], of: &Known) {
    for text in texts {
        assert_eq!(says(text, of), holds, "{text}");
    }
}

#[test]
fn texts_are_compared() {
    let yes = [
        "life == 'managed'",
        "link != \"yard\"",
        "name < 'feeder-2'",
        "name <= 'feeder-1'",
        "name > 'a'",
        "name >= 'feeder-1'",
        "profile in ['x', 'sdm630']",
        "id.startsWith('urn:dev')",
        "id.endsWith('be01')",
        "hardware.contains('me M')",
        "profile.like('sdm*')",
        "size(name) == 8",
        "name.size() == 8",
        "connectivity == 'up' && power == 'line'",
    ];
    all_say(Holds::Yes, &yes, &feeder());
    all_say(Holds::No, &["life == 'pending'", "profile in ['x']", "profile in []", "id.like('*x')"], &feeder());
}

#[test]
fn numbers_and_flags_are_compared() {
    let yes = ["security == 5", "security in [4, 5]", "security > -1", "2 < security", "keyed", "!blocked"];
    all_say(Holds::Yes, &yes, &feeder());
    all_say(Holds::Yes, &["keyed == true", "keyed != blocked", "true", "maintenance || keyed"], &feeder());
    all_say(Holds::No, &["security >= 6", "inactive", "displaced", "keyed && blocked", "false"], &feeder());
}

#[test]
fn lists_are_looked_into() {
    let yes = [
        "'line-a' in groups",
        "'day-shift' in groups",
        "size(groups) == 3",
        "'serial:acme:17' in identities",
        "identities.exists(i, i.like('eui:0024*'))",
        "'restart' in operations",
        "!('write' in operations)",
        "'modem' in components && components.size() == 2",
        "groups.exists(g, g == 'hall-2')",
        "groups.all(g, g.contains('-'))",
        "groups.exists(g, g in ['a', 'line-a'])",
        "groups.exists(g, g.startsWith(label.row) || g.endsWith('a'))",
    ];
    all_say(Holds::Yes, &yes, &feeder());
    all_say(Holds::No, &["'x' in groups", "groups.all(g, g == 'line-a')", "groups.exists(g, g == name)"], &feeder());
    all_say(Holds::Yes, &["groups.all(g, false)", "size(identities) == 0"], &bare());
    all_say(Holds::No, &["groups.exists(g, true)", "'read' in operations"], &bare());
}

#[test]
fn labels_and_versions_are_read_by_name() {
    let yes = [
        "label.row == '3'",
        "label['old-row'] == '7'",
        "has(label.row)",
        "'row' in label",
        "!('column' in label)",
        "version.firmware.startsWith('1.4')",
        "has(version.firmware) && !has(version['boot'])",
    ];
    all_say(Holds::Yes, &yes, &feeder());
    all_say(Holds::No, &["has(label.row)", "'row' in label", "has(profile)", "has(security)"], &bare());
}

#[test]
fn what_is_missing_is_unknown_and_not_false() {
    let unknown = [
        "profile == 'x'",
        "profile != 'x'",
        "!(profile == 'x')",
        "label.row == '3'",
        "security < 3",
        "name in ['a']",
        "name in groups",
        "power == 'mains' ? true : true",
        "(security < 3) == true",
        "size(hardware) > 1",
    ];
    all_say(Holds::Unknown, &unknown, &bare());
}

#[test]
fn what_binds_tighter_goes_first() {
    for (text, holds) in [
        ("keyed || blocked && blocked", Holds::Yes),
        ("(keyed || blocked) && blocked", Holds::No),
        ("!blocked && keyed", Holds::Yes),
        ("!(blocked && keyed)", Holds::Yes),
        ("!blocked == keyed", Holds::Yes),
        ("blocked == blocked == blocked", Holds::No),
        ("keyed ? blocked : true || true", Holds::No),
        ("blocked ? true : blocked ? true : keyed", Holds::Yes),
        ("keyed && blocked ? blocked : keyed", Holds::Yes),
        ("!!keyed && !!!blocked", Holds::Yes),
        ("security > -1 && -1 < security", Holds::Yes),
        ("'line-a' in groups == true", Holds::Yes),
        ("security in [5,] && !(security in [,])", Holds::Yes),
    ] {
        assert_eq!(says(text, &feeder()), holds, "{text}");
    }
}

#[test]
fn it_does_not_matter_which_side_is_unknown() {
    for (text, holds) in [
        ("profile == 'x' || life == 'pending'", Holds::Yes),
        ("life == 'pending' || profile == 'x'", Holds::Yes),
        ("profile == 'x' && life == 'managed'", Holds::No),
        ("life == 'managed' && profile == 'x'", Holds::No),
        ("profile == 'x' || life == 'managed'", Holds::Unknown),
        ("life == 'pending' && profile == 'x'", Holds::Unknown),
        ("life == 'pending' ? blocked : profile == 'x'", Holds::No),
    ] {
        assert_eq!(says(text, &bare()), holds, "{text}");
    }
    let mut known = bare();
    known.device.groups = vec![name("a"), name("b")];
    for (text, holds) in [
        ("groups.exists(g, g == 'b' || g == profile)", Holds::Yes),
        ("groups.exists(g, g == profile)", Holds::Unknown),
        ("groups.all(g, g == profile)", Holds::Unknown),
        ("groups.all(g, g == 'b' && g == profile)", Holds::No),
    ] {
        assert_eq!(says(text, &known), holds, "{text}");
    }
}

#[test]
fn why_names_what_was_missing_and_mattered() {
    let why = |text: &str, of: &Known| Selector::parse(text).unwrap().why(&of.facts());
    assert_eq!(why("label.row == '3' && profile == 'x'", &bare()), ["label[\"row\"]", "profile"]);
    assert_eq!(why("life == 'pending' || profile == 'x'", &bare()), [""; 0]);
    assert_eq!(why("(blocked && profile == 'x') || security > 2", &bare()), ["security"]);
    assert_eq!(why("blocked ? name == 'x' : hardware == 'y'", &bare()), ["hardware"]);
    assert_eq!(why("groups.exists(g, g == label.x || size(g) == access)", &feeder()), ["access", "label[\"x\"]"]);
}

#[test]
fn a_selector_tells_what_it_names() {
    let text =
        "groups.exists(g, g in ['b', 'a']) && link != 'meters' || profile in ['p', 'p'] && 'c' in groups && blocked";
    let selector = Selector::parse(text).unwrap();
    let named = |(name, at): (&Name, std::ops::Range<usize>)| {
        assert_eq!(text[at.clone()], format!("'{name}'"));
        format!("{name} {}", at.start)
    };
    assert_eq!(selector.groups().map(named).collect::<Vec<_>>(), ["b 23", "a 28", "c 82"]);
    assert_eq!(selector.links().map(named).collect::<Vec<_>>(), ["meters 45"]);
    assert_eq!(selector.profiles().map(named).collect::<Vec<_>>(), ["p 69", "p 74"]);
    assert_eq!((selector.text(), &selector), (text, &Selector::parse(text).unwrap()));
}

#[test]
fn texts_may_hold_quotes_and_letters_of_any_script() {
    let mut known = feeder();
    known.about.as_mut().unwrap().hardware = Some("Zähler \"3\\4\"".into());
    assert_eq!(says(r#"hardware == "Zähler \"3\\4\"" && 'ä' != hardware"#, &known), Holds::Yes);
    assert_eq!(says(r#"hardware == '''Zähler "3\\4"''' && hardware != """'""""#, &known), Holds::Yes);
    assert_eq!(says("size(hardware) == 12 && hardware.startsWith('Zä')", &known), Holds::Yes);
}
