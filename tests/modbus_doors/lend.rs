//! `dmgw link release` and `dmgw link resume`: mbpoll has the port meanwhile.

use super::support::modbus::holding;
use super::support::modbus::line::{has_mbpoll, mbpoll};
use super::support::modbus::record::now;
use super::support::{eventually, file, told};
use super::{audits, json_of, over_rtu};

/// Nobody but mbpoll asks for it.
const THEIRS: u16 = 610;

#[test]
fn while_a_port_is_lent_mbpoll_has_it_and_the_daemon_says_nothing_on_it() {
    const NAME: &str = "while_a_port_is_lent_mbpoll_has_it";
    let Some((server, gateway)) = over_rtu(NAME) else { return };
    if !has_mbpoll(NAME) {
        return;
    }
    let ann = file(&gateway, "ann", &gateway.token("ann", "operator", Some("link == \"bus\"")));
    let (code, says) = told(&gateway, &["link", "release", "bus", "--for", "10m", "--token-file", &ann]);
    assert!(code == 0 && says.contains("closed and free for 10m; sooner back with: dmgw link resume bus"), "{says}");
    let free = now();
    let files = std::fs::read_dir(format!("/proc/{}/fd", gateway.pid())).unwrap();
    let holds = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
    assert!(!holds.collect::<Vec<_>>().contains(&server.pty()), "the port is closed");

    // The engine hears of it a moment later.
    let link = eventually("the link says that it is down", || {
        Some(json_of(&gateway, &["link", "show", "bus"]).1).filter(|link| link["state"] == "down")
    });
    assert_eq!((&link["state"], &link["lent"]["by"]), (&"down".into(), &"ann".into()), "{link}");
    assert!(link["reason"] == "its port is lent to ann for 10m" && link["lent"]["left"].as_f64().unwrap() < 600.0);
    let (_, status) = told(&gateway, &["status"]);
    assert!(status.contains("its port is lent to ann"), "{status}");
    let (_, waits) = told(&gateway, &["read", "one", "a.first", "--wait", "0s", "--expires", "1m"]);
    assert!(waits.contains("its port is lent to ann"), "{waits}");
    let (code, raw) = told(&gateway, &["link", "raw", "bus", "1", "read-holding", "600"]);
    assert!(code == 1 && raw.contains("nothing was sent: the port is lent for another"), "{raw}");

    let pty = server.pty();
    let how = ["-m", "rtu", "-b", "115200", "-P", "none", "-o", "0.5", "-a", "2", "-t", "4", "-r", "610", "-c", "2"];
    for _ in 0..5 {
        let read = mbpoll(&[&how[..], &[pty.to_str().unwrap()]].concat());
        assert_eq!(read, Ok(vec![holding(2, THEIRS), holding(2, THEIRS + 1)]));
    }
    let since = |from: u64| server.asked().into_iter().filter(move |asked| asked.at > from);
    assert_eq!(since(free).map(|asked| asked.address).collect::<Vec<_>>(), [THEIRS; 5], "nobody else spoke");

    let (code, says) = told(&gateway, &["link", "resume", "bus", "--token-file", &ann]);
    assert!(code == 0 && says.contains("it was lent to ann for another"), "{says}");
    // It goes on by itself, and what waited is done.
    eventually("units are read again", || since(free).find(|asked| asked.address < THEIRS));
    gateway.wait_for_device("one");
    assert_eq!(json_of(&gateway, &["link", "show", "bus"]).1["lent"], serde_json::Value::Null);
    let (code, says) = told(&gateway, &["link", "resume", "bus"]);
    assert!(code == 1 && says.contains("is not lent"), "{says}");
    let lent = audits(&gateway, "release-link");
    assert_eq!((lent.len(), &lent[0]["by"], &lent[0]["on"]), (1, &"ann".into(), &"bus for 10m".into()));
    assert_eq!(audits(&gateway, "resume-link").len(), 1);
}

#[test]
fn a_port_that_was_lent_comes_back_by_itself_and_a_longer_loan_takes_the_place_of_a_shorter_one() {
    let Some((server, gateway)) = over_rtu("a_port_that_was_lent_comes_back_by_itself") else { return };
    assert_eq!(told(&gateway, &["link", "release", "bus", "--for", "1h"]).0, 0);
    assert_eq!(told(&gateway, &["link", "release", "bus", "--for", "1s"]).0, 0);
    let free = now();
    eventually("it is another loan now", || {
        let link = gateway.get("/v1/links/bus").ok();
        (link["state"] == "up" || link["reason"] == "its port is lent to local-root for 1s").then_some(())
    });
    let back = eventually("units are read again", || server.asked().into_iter().find(|asked| asked.at > free));
    assert!(back.at >= free + 900_000, "not before its time: {} us", back.at - free);
}
