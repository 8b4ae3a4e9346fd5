//! What lists say, what is wrong with them, and how they are sent.

use proptest::prelude::*;

use super::*;
use crate::model::Name;
use crate::model::{DeviceId, IdentityKind, LifeCycle};

fn read(text: &str) -> Vec<Line> {
    list::csv(text).map_err(|(says, hint)| format!("{says}; {hint}")).unwrap()
}

fn wrong(text: &str) -> String {
    list::csv(text).err().map(|(says, hint)| format!("{says}; {hint}")).unwrap()
}

fn whole(line: &Line) -> &Registration {
    line.what.as_ref().unwrap()
}

#[test]
fn a_list_in_toml_may_spell_identities_as_the_settings_do() {
    let text = "[[device]]\nidentities = [\"serial:acme:1\", { kind = \"eui\", value = \"00:24:BE\" }]\n";
    let lines = list::toml(text).map_err(|(says, _)| says).unwrap();
    let identities: Vec<String> = whole(&lines[0]).identities.iter().map(ToString::to_string).collect();
    assert_eq!(identities, ["serial:acme:1", "eui:0024be"]);
    let wrong = |text: &str| list::toml(text).map_err(|(says, _)| says).unwrap().remove(0).what.unwrap_err();
    let says = wrong("[[device]]\nidentities = [\"seral:acme:1\"]\n");
    assert!(says.contains("seral") && says.contains("serial"), "{says}");
    assert!(wrong("[[device]]\nidentities = [\"acme\"]\n").contains("write KIND:VALUE"));
}

#[test]
fn columns_stand_in_any_order_and_fields_may_be_quoted() {
    let text = "name,identity,groups,labels,life,location,key,application\n\
                pump-3,serial:acme:17 eui:00:24:BE:FF,line-a  night,\"row=3; side = left\",quarantined,\"46.5, 7.25\",\
                \"a \"\"key\"\", or so\",drainage\n";
    let lines = read(text);
    let of = whole(&lines[0]);
    assert_eq!(of.name.as_ref().unwrap().as_str(), "pump-3");
    let kinds: Vec<(IdentityKind, &str)> = of.identities.iter().map(|of| (of.kind, of.value.as_str())).collect();
    assert_eq!(kinds, [(IdentityKind::Serial, "acme:17"), (IdentityKind::Eui, "0024beff")]);
    assert_eq!((of.groups.len(), of.life), (2, Some(LifeCycle::Quarantined)));
    let labels: Vec<(&str, &str)> = of.about.labels.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(labels, [("row", "3"), ("side", "left")]);
    assert_eq!(of.about.location.as_ref().unwrap().position, Some((46.5, 7.25)));
    assert_eq!(of.about.application.as_deref(), Some("drainage"));
    assert_eq!(of.key.as_ref().unwrap().reveal(), "a \"key\", or so");
}

#[test]
fn lines_keep_their_numbers_over_empty_ones_comments_and_quoted_ends() {
    let text =
        "# meters\nidentity,application\n\n# the first\nserial:a:1,\"two\nlines\"\r\nserial:a:2,x\n\nserial:a:3,x";
    let numbers: Vec<Option<u64>> = read(text).iter().map(|line| line.no).collect();
    assert_eq!(numbers, [Some(5), Some(7), Some(9)]);
    let other = "identity;labels\nserial:a:1;\"a=1;b=2\"\n";
    assert_eq!(whole(&read(other)[0]).about.labels.len(), 2, "semicolons between fields");
}

#[test]
fn a_header_that_is_wrong_is_told_what_would_be_right() {
    assert!(wrong("identity,adress\n").contains("\"adress\", which there is not; did you mean address?"));
    assert!(wrong("identity,colour\n").contains("there are identity, link"));
    assert!(wrong("name,name\n").contains("name twice"));
    assert!(wrong("").contains("it is empty"));
}

#[test]
fn what_is_wrong_with_one_line_is_told_for_that_line() {
    let text = "identity,link,address,name,power\nserial:a:1,,,,\nseral:a:2,,,,\nserial:a:3,,,two words,\n,,,,\n\
                serial:a:5\n,plant,7,,batery\nserial:a:9,,7,,\nserial:a:1,,,,\n,plant,8,,\n,plant,8,,\n";
    let found = checked(read(text));
    let says = |place: usize| found[place].as_ref().unwrap_err().as_str();
    assert!(found[0].is_ok() && found[8].is_ok());
    assert!(says(1).contains("did you mean serial?"), "{}", says(1));
    assert!(says(2).starts_with("name: "), "{}", says(2));
    assert!(says(3).contains("say who it is"));
    assert!(says(4).contains("it has 1 fields, the header has 5"));
    assert!(says(5).contains("power: ") && says(5).contains("did you mean battery?"));
    assert!(says(6).contains("without its link"));
    assert_eq!(says(7), "urn:dev:dmgw:serial:a:1 was named in line 2 before");
    assert_eq!(says(9), "8 on plant was named in line 10 before");
}

#[test]
fn no_message_holds_a_key_and_the_daemon_gets_it() {
    let lines = read("identity,key\nserial:a:1,short-k\nserial:a:2,long-enough-key\n");
    let found = checked(lines);
    assert_eq!(found[0].as_ref().unwrap_err(), "a key has 8 to 128 bytes");
    assert_eq!(found[1].as_ref().unwrap()["key"], "long-enough-key");
    for text in [
        "[[device]]\nkey = 12345678\n",
        "[[device]]\nkey = \"secret-of-ours\n",
        "[[device]]\nkey = [\"secret-of-ours\"]\n",
        "[[device]]\nkey = { \"secret-of-ours\" = 1 }\n",
    ] {
        let says = match list::toml(text) {
            Ok(mut lines) => lines.remove(0).what.unwrap_err(),
            Err((says, hint)) => format!("{says}; {hint}"),
        };
        assert!(says.starts_with("line 2: ") && !says.contains("secret"), "{says}");
        assert!(!says.contains("12345678"), "{says}");
    }
}

#[test]
fn a_list_in_toml_says_the_same() {
    let text = "# pumps\n[[device]]\nidentities = [{ kind = \"serial\", value = \"a:1\" }]\nname = \"p1\"\n\n[[device]]\n\
                link = \"plant\"\naddress = \"7\"\nabout = { application = \"x\" }\n";
    let lines = list::toml(text).unwrap();
    assert_eq!(lines.iter().map(|line| line.no).collect::<Vec<_>>(), [Some(2), Some(6)]);
    assert_eq!(whole(&lines[0]).name.as_ref().unwrap().as_str(), "p1");
    let wrong = "[[device]]\nnmae = \"x\"\n[[device]]\nlink = \"plant\"\naddress = \"7\"\n";
    let lines = list::toml(wrong).unwrap();
    let says = lines[0].what.as_ref().unwrap_err();
    assert!(says.starts_with("line 2: unknown key \"nmae\"") && says.ends_with("did you mean name?"), "{says}");
    assert!(lines[1].what.is_ok(), "one wrong device does not take the others with it");
    assert_eq!(list::toml("[[devices]]\n").err().unwrap().1, "did you mean device?");
    assert!(list::toml("device = 7\n").is_err());
}

#[test]
fn a_long_list_goes_in_parts_that_are_always_taken() {
    let text: String = (0..2_500).map(|no| format!("serial:acme:{no},lighting of the hall\n")).collect();
    let found = checked(read(&format!("identity,application\n{text}")));
    let good: Batch = found.into_iter().map(Result::unwrap).enumerate().collect();
    let parts = batches(good);
    assert!(parts.len() > 2);
    for part in &parts {
        let devices: Vec<&Value> = part.iter().map(|(_, device)| device).collect();
        assert!(devices.len() <= MOST_AT_ONCE);
        assert!(json!({ "register": { "devices": devices } }).to_string().len() <= ALWAYS_TAKEN);
    }
    let places: Vec<usize> = parts.iter().flatten().map(|(place, _)| *place).collect();
    assert_eq!(places, (0..2_500).collect::<Vec<_>>(), "all, in their order");
}

#[test]
fn one_device_is_said_by_options() {
    let text = |text: &str| Some(text.to_owned());
    let args = RegisterArgs {
        what: vec!["serial:acme:17".into()],
        name: text("pump-3"),
        group: vec!["line-a".into()],
        label: vec!["row=3".into()],
        location: text("hall"),
        life: text("pending"),
        profile: text("acme-meter"),
        ..RegisterArgs::default()
    };
    assert!(one::is_one(&args) && !one::is_one(&RegisterArgs { what: vec!["-".into()], ..Default::default() }));
    let line = one::line(&args).unwrap();
    let of = whole(&line);
    assert_eq!((of.identities.len(), of.groups.len(), of.life), (1, 1, Some(LifeCycle::Pending)));
    assert_eq!(of.profile, Some(Name::new("acme-meter").unwrap()));
    assert_eq!(of.about.location.as_ref().unwrap().place.as_deref(), Some("hall"));
    let bad = RegisterArgs { life: text("retired"), ..args };
    let Err(CliError::Failed(_) | CliError::Usage { .. }) = one::line(&bad) else { panic!("nothing starts retired") };
    assert!(one::line(&RegisterArgs::default()).is_err());
}

#[test]
fn the_answers_of_the_daemon_are_read_as_it_gives_them() {
    let answer: Answer = serde_json::from_value(json!({ "registered": [
        { "new": "urn:a" }, { "known": "urn:b" }, { "refused": { "busy": "full" } },
    ] }))
    .unwrap();
    let each: Vec<Became> = registered(Ok(answer)).unwrap().into_iter().map(Became::from).collect();
    let id = |text| DeviceId::new(text).unwrap();
    assert_eq!(each, [Became::New(id("urn:a")), Became::Known(id("urn:b")), Became::Refused("full".into())]);
}

proptest! {
    #[test]
    fn whatever_a_file_holds_is_a_list_or_is_refused(text in "([a-z,;#\"\n\r=\\[\\]é]|identity,key\n|\\[\\[device\\]\\]\n|key = ){0,60}") {
        for lines in [list::csv(&text), list::toml(&text)].into_iter().flatten() {
            let ascends = lines.windows(2).all(|pair| pair[0].no <= pair[1].no);
            prop_assert!(ascends);
            prop_assert!(checked(lines).len() <= text.len());
        }
    }
}
