//! The watchdog, and more time where the disk is slow: what stands still is started anew, what is only slow is not.

use std::time::{Duration, Instant};

use crate::boxed::Sandbox;
use crate::support::{eventually, pause};

const CLOCK: &str = "[clock]\ntrust = \"always\"\n";
const SHORT: Duration = Duration::from_secs(3);

fn with(trial: &str) -> String {
    format!("{CLOCK}[debug.trial]\n{trial}\n")
}

/// Something that has to be on disk before it is answered; nobody waits for the answer here.
fn ask(sandbox: &Sandbox, serial: u32) {
    sandbox.shell(&format!("systemd-run --quiet dmgw device register serial:acme:{serial}"));
}

/// Started with a short watchdog and what goes wrong; then the trial is taken out of the settings, for the next start.
fn started(test: &str, trial: &str, watchdog: Duration) -> Option<Sandbox> {
    let sandbox = Sandbox::boot(test, &with(trial))?;
    sandbox.change_unit(&format!("WatchdogSec={}\nTimeoutStopSec=8\nRestartSec=0", watchdog.as_secs()));
    sandbox.systemctl(&["start", "dmgw"]);
    sandbox.write("/etc/dmgw/dmgw.toml", CLOCK);
    Some(sandbox)
}

#[track_caller]
fn is_started_anew_by_the_watchdog(sandbox: &Sandbox) {
    eventually("it is started anew", || (sandbox.property("NRestarts") == "1").then_some(()));
    eventually("it is ready again", || (sandbox.property("ActiveState") == "active").then_some(()));
    let log = sandbox.log();
    assert!(log.contains("Watchdog timeout") && log.contains("neither the loop nor the disk has moved"), "{log}");
    sandbox.shell("dmgw status");
    sandbox.shell("dmgw device register serial:acme:99");
}

#[test]
fn a_loop_that_spins_in_a_turn_is_started_anew() {
    let test = "a_loop_that_spins_in_a_turn_is_started_anew";
    let Some(sandbox) = started(test, "loop_spins = true", SHORT) else { return };
    is_started_anew_by_the_watchdog(&sandbox);
}

#[test]
fn a_loop_that_goes_round_and_takes_nothing_is_started_anew() {
    let test = "a_loop_that_goes_round_and_takes_nothing_is_started_anew";
    let Some(sandbox) = started(test, "loop_starves = true", SHORT) else { return };
    is_started_anew_by_the_watchdog(&sandbox);
}

#[test]
fn a_sync_that_never_returns_is_started_anew() {
    let Some(sandbox) = started("a_sync_that_never_returns_is_started_anew", "sync_takes = \"1d\"", SHORT) else {
        return;
    };
    ask(&sandbox, 1);
    is_started_anew_by_the_watchdog(&sandbox);
}

/// The negative: without the watchdog it would stay as it is, and with a healthy loop nobody starts anything anew.
#[test]
fn without_a_watchdog_nobody_notices_and_a_healthy_daemon_is_left_alone() {
    let test = "without_a_watchdog_nobody_notices_and_a_healthy_daemon_is_left_alone";
    let Some(spinning) = started(test, "loop_spins = true", Duration::ZERO) else { return };
    let Some(healthy) = started(test, "loop_spins = false", SHORT) else { return };
    pause(2 * SHORT);
    for sandbox in [&spinning, &healthy] {
        assert_eq!((sandbox.property("ActiveState"), sandbox.property("NRestarts")), ("active".into(), "0".into()));
    }
    healthy.shell("dmgw device register serial:acme:1");
}

/// One commit takes longer than the watchdog's time, and so does the stop than systemd waits: each operation does not.
#[test]
fn syncs_of_five_seconds_are_only_slow() {
    let watchdog = Duration::from_secs(8);
    let Some(sandbox) = started("syncs_of_five_seconds_are_only_slow", "sync_takes = \"5s\"", watchdog) else { return };
    let began = Instant::now();
    sandbox.shell("dmgw device register serial:acme:1 || true");
    ask(&sandbox, 2);
    eventually("both are on disk", || {
        (sandbox.shell("dmgw device list --json").matches("serial:acme:").count() >= 2).then_some(())
    });
    assert!(began.elapsed() > watchdog, "else nothing is shown: {:?}", began.elapsed());
    let began = Instant::now();
    sandbox.systemctl(&["stop", "dmgw"]);
    assert!(began.elapsed() > Duration::from_secs(8), "else nothing is shown: {:?}", began.elapsed());
    assert_eq!((sandbox.property("Result"), sandbox.property("NRestarts")), ("success".into(), "0".into()));
    sandbox.systemctl(&["start", "dmgw"]);
    assert!(!sandbox.log().contains("not a clean one"), "{}", sandbox.log());
    assert!(sandbox.shell("dmgw device list --json").contains("serial:acme:2"));
}

/// A disk that refuses is no reason to end anything: it is told, and tried again.
#[test]
fn a_full_disk_is_told_and_nobody_starts_anything_anew() {
    let test = "a_full_disk_is_told_and_nobody_starts_anything_anew";
    let Some(sandbox) = Sandbox::boot(test, CLOCK) else { return };
    sandbox.change_unit(&format!("WatchdogSec={}\nRestartSec=0", SHORT.as_secs()));
    sandbox.shell("mkdir -p /var/lib/dmgw && mount -t tmpfs -o size=6m tmpfs /var/lib/dmgw");
    sandbox.systemctl(&["start", "dmgw"]);
    sandbox.shell("dd if=/dev/zero of=/var/lib/dmgw/full bs=64k 2>/dev/null; test -s /var/lib/dmgw/full");
    // Each takes some room; the disk has none in the end.
    let mut serial = 0;
    eventually("systemd knows that the disk is full", || {
        serial += 1;
        ask(&sandbox, serial);
        sandbox.property("StatusText").starts_with("degraded: the disk of the store is full").then_some(())
    });
    pause(2 * SHORT);
    assert_eq!((sandbox.property("ActiveState"), sandbox.property("NRestarts")), ("active".into(), "0".into()));
    sandbox.shell("rm /var/lib/dmgw/full");
    eventually("it goes on by itself", || {
        sandbox
            .property("StatusText")
            .contains("devices: ")
            .then_some(())
            .filter(|()| !sandbox.property("StatusText").contains("degraded"))
    });
    sandbox.shell("dmgw device register serial:acme:1000");
    assert_eq!(sandbox.property("NRestarts"), "0");
}
