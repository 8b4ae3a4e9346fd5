//! Plain words mean what their spelling in CEL means.

use super::*;
use crate::selector::{For, Words};

fn of(toml: &str) -> Words {
    toml::from_str(toml).unwrap_or_else(|e| panic!("{toml}: {e}"))
}

#[test]
fn words_are_spelled_in_cel() {
    for (words, text) in [
        ("", "true"),
        ("link = 'meters'", "link == \"meters\""),
        ("link = ['meters', 'yard']", "link in [\"meters\", \"yard\"]"),
        ("link = ['meters', 'yard-*']", "(link == \"meters\" || link.like(\"yard-*\"))"),
        ("profile = 'sdm*'", "profile.like(\"sdm*\")"),
        ("group = 'line-a'", "\"line-a\" in groups"),
        ("group = ['a', 'b']", "groups.exists(x, x in [\"a\", \"b\"])"),
        (
            "identity = ['serial:acme:*', 'eui:01']",
            "identities.exists(x, x == \"eui:01\" || x.like(\"serial:acme:*\"))",
        ),
        ("label = { row = '3', old-row = '7' }", "label[\"old-row\"] == \"7\" && label.row == \"3\""),
        ("version = { firmware = '1.*' }\nlife = 'managed'", "life == \"managed\" && version.firmware.like(\"1.*\")"),
        ("hardware = 'a \"b\" \\c'", r#"hardware == "a \"b\" \\c""#),
        ("label = { in = 'a' }", "label[\"in\"] == \"a\""),
    ] {
        assert_eq!(of(words).selector().unwrap().text(), text);
    }
}

#[test]
fn all_words_must_hold() {
    let words = "link = 'meters'\nprofile = ['x', 'sdm*']\ngroup = 'day-*'\nlabel = { row = '3' }\nconnectivity = 'up'";
    assert_eq!(of(words).selector().unwrap().holds(&feeder().facts()), Holds::Yes);
    assert_eq!(of(&format!("{words}\nlife = 'retired'")).selector().unwrap().holds(&feeder().facts()), Holds::No);
    assert_eq!(of("profile = 'x'").selector().unwrap().holds(&bare().facts()), Holds::Unknown);
}

#[test]
fn a_wrong_word_is_told() {
    let bad = of("life = 'manged'").selector().unwrap_err();
    assert!(bad.says.starts_with("life is never \"manged\"") && bad.meant.as_deref() == Some("\"managed\""));
    let unknown = toml::from_str::<Words>("lnk = 'a'").unwrap_err();
    assert!(unknown.message().starts_with("unknown field `lnk`"), "{unknown}");
    assert!(toml::from_str::<Words>("link = []").unwrap_err().message().contains("at least one"));
    assert!(toml::from_str::<Words>("link = 7").unwrap_err().message().contains("a text or a list of texts"));
}

#[test]
fn for_takes_either() {
    #[derive(serde::Deserialize)]
    struct Policy {
        r#for: For,
    }
    let read = |toml: &str| toml::from_str::<Policy>(toml).map(|policy| policy.r#for);
    assert_eq!(read("for = 'link == \"meters\"'").unwrap(), read("for = { link = 'meters' }").unwrap());
    let bad = read("for = 'lnk == \"meters\"'").unwrap_err();
    assert!(bad.message().contains("did you mean link?"), "{bad}");
    assert!(read("for = { lnk = 'meters' }").unwrap_err().message().contains("unknown field `lnk`"));
    assert!(read("for = 7").unwrap_err().message().contains("an expression such as"));
    let json = serde_json::to_string(&read("for = { link = 'meters' }").unwrap()).unwrap();
    assert_eq!(json, r#""link == \"meters\"""#);
}
