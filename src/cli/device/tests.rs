//! How devices are shown to people.

use serde_json::json;

use super::list::{CONNECTIVITIES, LIVES, listed, state_filter};
use super::*;

fn shown(text: &str) -> DeviceShown {
    let mut device = json!({
        "no": 7, "id": "urn:dev:dmgw:serial:acme:meter-1", "link": "plant", "address": "a-1", "life": "managed",
        "connectivity": "up", "heard": 3.0, "first_seen": 0,
    });
    let more: serde_json::Value = serde_json::from_str(text).unwrap();
    device.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(device).unwrap()
}

#[test]
fn a_list_leaves_out_the_columns_in_which_nothing_stands() {
    let plain = listed(&[shown("{}")], 80);
    assert!(plain.starts_with("NO  DEVICE") && !plain.contains("NAME") && !plain.contains("FLAGS"), "{plain}");
    let named = listed(&[shown(r#"{"name": "m"}"#), shown(r#"{"blocked": 60000}"#)], 80);
    assert!(named.contains("NAME") && named.contains("FLAGS") && named.contains("blocked until"), "{named}");
    assert!(named.lines().all(|line| line.chars().count() <= 80), "{named}");
}

#[test]
fn a_silent_device_tells_since_when_and_why() {
    let more = r#"{"connectivity": "silent", "since": 90, "why": "its link is down: no port"}"#;
    let list = listed(&[shown(more)], 120);
    assert!(list.contains("silent 1m 30s") && list.contains("its link is down: no port"), "{list}");
    let one = told_device(&shown(more), 80);
    assert!(one.contains("because     its link is down: no port"), "{one}");
}

#[test]
fn all_that_is_known_of_one_stands_in_aligned_lines() {
    let more = json!({
        "groups": ["line-a", "night"], "maintenance": { "by": "ann", "since": 0 },
        "inactive": ["device", { "component": "modem" }],
        "detail": {
            "identities": [{ "kind": "serial", "value": "acme:1", "proof": "key" }], "keyed": true,
            "operations": ["read"], "components": [{ "name": "power", "instance": 0 }], "points": [],
            "desired": [{ "point": "a.0.x", "desired": 5, "reported": 6, "differs": true, "by": "ann", "version": 3,
                          "at": 0 }],
            "sleeps": { "every": 3600, "awake": 5 }, "merged": "urn:b",
            "about": { "application": "lighting", "labels": { "row": "3" }, "versions": { "main": "1.2" },
                       "security": 2, "location": { "place": "hall", "position": [46.5, 7.25] } },
        },
    });
    let told = told_device(&shown(&more.to_string()), 80);
    for line in [
        "device       urn:dev:dmgw:serial:acme:meter-1 (no 7)",
        "flags        maintenance by ann; inactive: all of it, modem",
        "groups       line-a, night",
        "merged into  urn:b",
        "identities   serial acme:1 (key)",
        "sleeps       wakes every 1h, then listens for 5s",
        "location     hall; 46.5, 7.25 (by administrator, 1970-01-01 00:00:00Z)",
        "versions     main 1.2",
        "security     level 2",
        "labels       row 3",
        "components   power.0",
    ] {
        assert!(told.lines().any(|told| told == line), "{line}\n{told}");
    }
    assert!(told.contains("a.0.x    5      6         3        ann  differs"), "{told}");
}

#[test]
fn until_when_a_kind_is_supported_is_told_and_that_it_is_no_longer() {
    let line = |unsupported: serde_json::Value| {
        let profile = json!({ "name": "old", "assigned": false, "score": { "points": 1 },
                              "supported_until": "2027-03-01", "unsupported": unsupported });
        let detail = json!({ "identities": [], "keyed": false, "operations": [], "components": [], "points": [],
                             "profile": profile });
        let told = told_device(&shown(&json!({ "detail": detail }).to_string()), 80);
        told.lines().find(|line| line.starts_with("support")).unwrap_or_default().to_owned()
    };
    assert!(line(json!(true)).ends_with("no longer supported since 2027-03-01"), "{}", line(json!(true)));
    assert!(line(json!(false)).ends_with("  supported until 2027-03-01"));
    assert!(line(json!(null)).ends_with("  supported until 2027-03-01"), "nobody knows which day it is");
}

#[test]
fn a_state_that_no_device_can_have_is_told_the_right_one() {
    assert_eq!(state_filter("silent").unwrap(), "&connectivity=silent");
    assert_eq!(state_filter("pending").unwrap(), "&life=pending");
    for word in LIVES {
        assert_eq!(state_filter(word).unwrap(), format!("&life={word}"));
    }
    for word in CONNECTIVITIES {
        assert_eq!(state_filter(word).unwrap(), format!("&connectivity={word}"));
    }
    let Err(CliError::Usage { hint, .. }) = state_filter("silnet") else { panic!() };
    assert_eq!(hint, "did you mean silent?");
}
