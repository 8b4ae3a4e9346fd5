//! What each unit was asked and answered, as `dmgw link show` and the metrics tell it.

use serde_json::json;

use super::support::modbus::{Fault, On, Server};
use super::support::scrape::scrape;
use super::support::{eventually, told};
use super::{json_of, over_tcp};

fn requests(server: &Server, unit: u8) -> u64 {
    server.asked().iter().filter(|asked| asked.unit == unit).count() as u64
}

#[test]
fn units_are_counted_as_the_server_was_asked_and_faults_by_their_kind() {
    let Some((server, gateway)) = over_tcp("units_are_counted_as_the_server_was_asked") else { return };
    let unit = |of: u8| {
        let link = json_of(&gateway, &["link", "show", "bus"]).1;
        let found = link["bus"]["units"].as_array().unwrap().iter().find(|unit| unit["unit"] == of).cloned();
        (found.unwrap(), link)
    };
    let before = requests(&server, 1);
    let (one, link) = unit(1);
    let after = requests(&server, 1);
    let asked = one["requests"].as_u64().unwrap();
    // The last one may be on its way; the record is written a moment later.
    assert!((before..=after + 1).contains(&(asked + 1)) || (before..=after).contains(&asked), "{before} {one} {after}");
    assert_eq!((&one["silent"], &one["wrong"], &one["lost"]), (&json!(0), &json!(0), &json!(0)), "{one}");
    assert!(one["device"].as_str().unwrap().contains("one") || one["device"].is_string());
    let times = ["last", "mean", "slowest"].map(|key| one[key].as_f64().unwrap());
    assert!(times[1] > 0.0 && times[2] >= times[1] && times[2] >= times[0], "{one}");
    let load = link["bus"]["load"].as_f64().unwrap();
    assert!(load > 0.0 && load <= 100.0 && link["bus"]["place"] == format!("127.0.0.1:{}", server.port()), "{link}");

    let wrongs = || ["exceptions", "silent", "wrong"].map(|key| unit(1).0[key].clone());
    // Once it is asked who it is, and cannot say it.
    let before = eventually("it was asked who it is", || Some(wrongs()).filter(|now| now[0] == 1));
    for (fault, counts) in
        [(Fault::Exception(4), "exceptions"), (Fault::Mute, "silent"), (Fault::wrong_function(), "wrong")]
    {
        let was = unit(2).0[counts].as_u64().unwrap();
        server.fault(On::all().unit(2), fault);
        eventually(counts, || (unit(2).0[counts].as_u64().unwrap() > was).then_some(()));
        server.well();
    }
    assert_eq!(wrongs(), before, "of the other unit nothing is wrong");
    let (_, says) = told(&gateway, &["link", "show", "bus"]);
    assert!(says.contains("UNIT  REQUESTS  ANSWERS") && says.contains("bus load"), "{says}");

    let now = scrape(&gateway);
    let of = |name: &str| now.of(&format!("dmgw_link_{name}_total{{link=\"bus\"}}"));
    assert!(of("requests") > asked as f64 && of("answers") < of("requests"));
    assert!(of("silent") >= 1.0 && of("wrong") >= 1.0 && of("exceptions") >= 1.0);
}
