//! Coming in: tokens that end, that are taken back, that are guessed; and what is left of each in the journal.

use serde_json::{Value, json};

use super::support::{Gateway, eventually};

fn alone() -> Gateway {
    let mut gateway = Gateway::new("");
    gateway.start();
    gateway
}

fn status(gateway: &Gateway, token: &str) -> u16 {
    gateway.as_token(token, "GET", "/v1/status", &Value::Null).status
}

fn audits(gateway: &Gateway) -> Vec<Value> {
    let page = gateway.get("/v1/journal/vital?fresh=true&limit=1000").ok();
    let records = page["records"].as_array().unwrap().iter();
    records.map(|held| held["record"]["audit"].clone()).filter(|audit| !audit.is_null()).collect()
}

#[test]
fn a_token_lets_in_until_it_is_taken_back_and_over_a_restart() {
    let mut gateway = alone();
    let token = gateway.token("ann", "viewer", None);
    assert!(token.starts_with("dmgw_") && token.len() > 40, "{token}");
    assert_eq!((status(&gateway, &token), status(&gateway, &format!("{token}x"))), (200, 401));
    gateway.kill();
    gateway.start();
    assert_eq!(status(&gateway, &token), 200);
    let listed = gateway.get("/v1/tokens").ok()["tokens"][0].clone();
    assert_eq!((&listed["name"], &listed["role"], &listed["token"]), (&json!("ann"), &json!("viewer"), &Value::Null));
    assert!(listed["used"].as_u64().is_some(), "{listed}");
    let revoked = gateway.as_token("", "DELETE", "/v1/tokens/ann", &Value::Null);
    assert_eq!(revoked.status, 401, "an empty token is none");
    assert_eq!(gateway.delete("/v1/tokens/ann").status, 204);
    assert_eq!((status(&gateway, &token), gateway.delete("/v1/tokens/ann").status), (401, 404));
}

#[test]
fn a_token_ends_at_its_time() {
    let gateway = alone();
    let wanted = json!({ "name": "brief", "role": "viewer", "seconds": 1 });
    let token = gateway.post("/v1/tokens", &wanted).ok()["token"].as_str().unwrap().to_owned();
    let longer = json!({ "name": "long", "role": "viewer", "seconds": 3600 });
    let other = gateway.post("/v1/tokens", &longer).ok()["token"].as_str().unwrap().to_owned();
    eventually("the token is over", || (status(&gateway, &token) == 401).then_some(()));
    assert_eq!(status(&gateway, &other), 200);
}

#[test]
fn a_token_makes_nobody_more_than_it_says() {
    let gateway = alone();
    let token = gateway.token("ann", "operator", None);
    let more = json!({ "name": "eve", "role": "administrator" });
    assert_eq!(gateway.as_token(&token, "POST", "/v1/tokens", &more).status, 403);
    // Not by the general way of asking either.
    let mark = "00".repeat(32);
    let grant = json!({ "grant": { "name": "eve", "role": "administrator", "mark": mark } });
    assert_eq!(gateway.as_token(&token, "POST", "/v1/ask", &grant).status, 403);
    assert_eq!(gateway.get("/v1/tokens").ok()["tokens"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_wrong_with_a_token_is_said() {
    let gateway = alone();
    let kind = |body: Value| gateway.post("/v1/tokens", &body).fault().0.to_owned();
    assert_eq!(kind(json!({ "name": "a", "role": "king" })), "bad-argument");
    assert_eq!(kind(json!({ "name": "a", "role": "viewer", "for": "link = 3" })), "bad-argument");
    assert_eq!(kind(json!({ "name": "local-root", "role": "viewer" })), "bad-argument");
    assert_eq!(kind(json!({ "name": "a", "role": "viewer", "certificate": "sha256:12" })), "bad-argument");
    gateway.token("a", "admin", None);
    assert_eq!(kind(json!({ "name": "a", "role": "viewer" })), "bad-argument");
}

#[test]
fn whoever_asks_leaves_a_record_and_guessing_leaves_few() {
    let gateway = alone();
    let token = gateway.token("ann", "viewer", None);
    for n in 0..200 {
        assert_eq!(status(&gateway, &format!("dmgw_{n}")), 401);
    }
    let refused = gateway.as_token(&token, "POST", "/v1/config/reload", &Value::Null);
    assert_eq!(refused.status, 403);
    assert_eq!(gateway.post("/v1/config/reload", &Value::Null).status, 200);
    let all = audits(&gateway);
    let of = |what: &str| all.iter().filter(|audit| audit["what"] == what).cloned().collect::<Vec<_>>();
    let made = &of("grant")[0];
    assert_eq!((&made["by"], &made["on"], &made["came"]), (&json!("local-root"), &json!("ann"), &json!("done")));
    assert!(made["from"].as_str().unwrap().starts_with("uid:"), "{made}");
    let denied = &of("configure")[0];
    assert_eq!((&denied["by"], &denied["on"]), (&json!("ann"), &json!("POST /v1/config/reload")), "{denied}");
    assert!(denied["came"]["refused"].as_str().unwrap().contains("may not"), "{denied}");
    assert_eq!(of("config reload")[0]["came"], json!("done"));
    let guesses = of("enter");
    assert_eq!((guesses.len(), &guesses[0]["by"]), (1, &Value::Null), "200 guesses are told once for now");
    // At the stop the rest is told.
    let mut gateway = gateway;
    gateway.terminate();
    gateway.start();
    let last = audits(&gateway).into_iter().rfind(|audit| audit["what"] == "enter").unwrap();
    assert_eq!(last["times"], 199, "{last}");
}

#[test]
fn whoever_asks_too_often_is_told_when_to_come_back() {
    let mut gateway = Gateway::new("[limits]\nrequests = 5\n");
    gateway.start();
    let token = gateway.token("hasty", "viewer", None);
    let answers: Vec<u16> = (0..50).map(|_| status(&gateway, &token)).collect();
    assert!(answers.contains(&200) && answers.contains(&429), "{answers:?}");
    let answer = gateway.as_token(&token, "GET", "/v1/status", &Value::Null);
    if answer.status == 429 {
        assert!(answer.head.contains("retry-after:") && answer.fault().0 == "too-often", "{answer:?}");
    }
    // Root at the socket always may.
    assert!((0..50).all(|_| gateway.get("/v1/status").status == 200));
}
