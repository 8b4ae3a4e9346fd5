//! Operations on devices.

use dmgw::model::OperationKind;
use serde_json::{Value, json};

use super::{OUT, ROLES, world};

/// The least role, as people were promised it.
fn least(kind: OperationKind) -> usize {
    use OperationKind::*;
    match kind {
        Read | ReportPolicyGet | SoftwareList | ConnectionLog | ConnectivityGet => 0,
        Write | Observe | ReportPolicySet | Restart | Activate | Deactivate | PowerMode | Diagnose | SelfTest => 1,
        SetClock | TriggerConnect | Probe | Locate | Maintenance | Desire => 1,
        FileGet | FilePut | FactoryReset | Lock | Erase | Update | FallBack | ConnectivitySet | Block | Unblock => 2,
        Accept | Refuse | Quarantine | Release | Replace | Merge | Split | Retire | Rename | Group | Describe => 2,
        Profile => 2,
    }
}

/// One that can be understood.
fn spelled(kind: OperationKind, n: usize) -> Value {
    use OperationKind::*;
    let serial = json!({ "kind": "serial", "value": format!("other:{n}"), "proof": "claimed" });
    let arguments = match kind {
        Read | ReportPolicyGet => json!({ "points": ["a.x"] }),
        Observe => json!({ "points": ["a.x"], "on": true }),
        Write => json!({ "point": "a.x", "value": 1.0 }),
        Desire => json!({ "point": "a.x", "value": 1.0 }),
        ReportPolicySet => json!({ "point": "a.x", "every": 5.0 }),
        Restart | Activate | Deactivate | ConnectionLog | Maintenance | Group | Profile => json!({}),
        PowerMode => json!({ "mode": "low" }),
        Update => json!({ "image": "sha256:0" }),
        FileGet => json!({ "name": "a" }),
        FilePut => json!({ "name": "a", "digest": "sha256:0" }),
        ConnectivitySet => json!({ "settings": { "apn": "x" } }),
        Block => json!({ "span": 60.0 }),
        Replace | Split => json!({ "identity": serial }),
        Merge => json!({ "with": format!("urn:dev:dmgw:serial:in:{}", n % 300 + 1) }),
        Rename => json!({ "name": format!("called-{n}") }),
        Describe => json!({ "about": { "application": "test" } }),
        _ => return json!(kind.name()),
    };
    json!({ kind.name(): arguments })
}

#[test]
fn every_operation_is_for_whom_it_is_and_for_nobody_else() {
    let world = world();
    // What is done to one device must not change what another case sees: each has one of its own.
    let mut n = 1;
    for kind in OperationKind::ALL {
        for (role, tokens) in world.tokens.iter().enumerate() {
            for (token, scoped) in tokens.iter().zip([false, true]) {
                let ask = |device: &str| {
                    let body = json!({ "operate": { "device": device, "operation": spelled(*kind, n) } });
                    world.gateway.as_token(token, "POST", "/v1/ask", &body)
                };
                let (inside, outside) = (ask(&format!("urn:dev:dmgw:serial:in:{n}")), ask(OUT));
                let who = format!("{kind} as {}, scoped {scoped}: {inside:?}, outside {outside:?}", ROLES[role]);
                match role >= least(*kind) {
                    true => assert!(![401, 403, 404, 500].contains(&inside.status), "allowed: {who}"),
                    false => assert_eq!(inside.fault().0, "not-allowed", "refused: {who}"),
                }
                if scoped {
                    assert_eq!(outside.fault().0, "not-found", "not there: {who}");
                }
                n += 1;
            }
        }
    }
    assert!(n <= 300, "each had a device of its own");
}
