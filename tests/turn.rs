//! One turn of the loop, seen from outside: what it commits when, and what it does while the disk takes nothing.

#[path = "support/torn_disk.rs"]
mod torn_disk;

use std::io::ErrorKind;
use std::time::Duration;

use dmgw::engine::{LinkSettings, Settings};
use dmgw::feed::{Listened, News};
use dmgw::model::deed::{First, Wanted, Went};
use dmgw::model::event::Operate;
use dmgw::model::token::Mark;
use dmgw::model::*;
use dmgw::seal::Seal;
use dmgw::store::{self, JournalId, Opening, Store};
use dmgw::turn::{LISTENED_WAIT, LONGEST_WAIT, MOST_HELD, Turn};
use torn_disk::{Dice, TornDisk};

fn at(ms: u64) -> Now {
    Now { mono: Mono(ms), boot: Boot(1), wall: Wall(1_000_000 + ms), quality: ClockQuality::Set }
}

fn opened(disk: TornDisk, ms: u64) -> (Store, store::Opened) {
    let Now { mono, wall, quality, .. } = at(ms);
    let (boot_id, journal, seal) = ([1; 16], JournalId([1; 16]), Seal::new(&[7; 32]).into());
    let opening = Opening { boot_id, journal, mono, wall, quality, seal };
    Store::open_on(disk, store::Settings::default(), &opening).unwrap()
}

fn open(disk: &TornDisk) -> Turn {
    let (store, opened) = opened(disk.clone(), 1_000);
    let (name, span) = (Name::new("plant").unwrap(), Duration::from_secs(3_600));
    let link = LinkSettings { name, driver: None, admission: Default::default(), every: span, silent_after: span };
    let mut turn = Turn::new(Settings { links: vec![link], ..Settings::default() }, store, opened.state, &opened.now);
    take(&mut turn, 1_000, LinkEvent::Up { credits: 64 });
    take(&mut turn, 1_000, sighted("1"));
    turn.settle(&at(1_000)).unwrap();
    turn
}

fn take(turn: &mut Turn, ms: u64, event: LinkEvent) {
    turn.take(&at(ms), Event::Link { link: LinkNo(0), event });
}

fn sighted(serial: &str) -> LinkEvent {
    let identities = vec![Identity::new(IdentityKind::Serial, serial, Proof::Claimed).unwrap()];
    let point = Point {
        no: PointNo(0),
        path: "relay.on".parse().unwrap(),
        kind: ValueKind::Bool,
        unit: None,
        access: Access::ReadWrite,
        limits: None,
    };
    let operations = OperationSet::of(&[OperationKind::Write, OperationKind::ConnectionLog]);
    let capabilities = Some(Capabilities { points: vec![point], operations, ..Capabilities::default() }.into());
    LinkEvent::Sighted(Sighting::new(Address::new(serial).unwrap(), identities, capabilities))
}

fn heard(ms: u64) -> LinkEvent {
    let readings = vec![Reading { point: PointNo(0), value: Value::Bool(true), quality: Quality::Good, source: None }];
    LinkEvent::Heard(Heard { device: DeviceNo(0), at: Mono(ms), readings })
}

fn ask(turn: &mut Turn, ms: u64, to: u64, expires: u64) {
    let operation = Operation::Write { point: "relay.on".parse().unwrap(), value: Value::Bool(true) };
    let device = DeviceId::new("urn:dev:dmgw:serial:1").unwrap();
    let (expires, timeout) = (Some(at(expires).wall), Some(Duration::from_secs(900)));
    let operate = Operate { timeout, expires, ..Operate::new(device, operation) };
    turn.take(&at(ms), Event::Ask { to, by: Principal::local_root(), ask: Ask::Operate(operate) });
}

fn performs(orders: &[Order]) -> usize {
    let perform = |order: &&Order| matches!(order, Order::Link { order: LinkOrder::Perform { .. }, .. });
    orders.iter().filter(perform).count()
}

#[test]
fn what_can_wait_waits_a_minute_and_no_longer() {
    let disk = TornDisk::default();
    let mut turn = open(&disk);
    let before = disk.syncs();
    take(&mut turn, 2_000, LinkEvent::Gone { device: DeviceNo(0) });
    turn.settle(&at(2_000)).unwrap();
    let due = Mono(2_000) + LONGEST_WAIT;
    assert_eq!((disk.syncs(), turn.wake_at()), (before, Some(due)));
    turn.settle(&at(due.0 - 1)).unwrap();
    assert_eq!(disk.syncs(), before, "not yet");
    turn.settle(&at(due.0)).unwrap();
    assert!(disk.syncs() > before, "now");
    let after = disk.syncs();
    turn.settle(&at(due.0 + 200_000)).unwrap();
    assert_eq!(disk.syncs(), after, "nothing is left to be written");
}

#[test]
fn what_somebody_waits_for_is_one_commit_and_takes_along_what_could_wait() {
    let disk = TornDisk::default();
    let mut turn = open(&disk);
    take(&mut turn, 2_000, LinkEvent::Gone { device: DeviceNo(0) });
    let before = disk.syncs();
    ask(&mut turn, 2_000, 1, 60_000);
    ask(&mut turn, 2_000, 2, 60_000);
    let orders = turn.settle(&at(2_000)).unwrap();
    assert_eq!(performs(&orders), 1, "one at a time for each device: {orders:?}");
    // Two-phase: one commit syncs twice.
    assert_eq!(disk.syncs(), before + 2);
    let page = turn.snapshots().page(Stream::Events, 1, 100).unwrap();
    assert!(format!("{:?}", page.records).contains("DeviceGone"));
}

#[test]
fn readings_wait_for_their_time_though_something_else_is_committed_at_once() {
    let mut turn = open(&TornDisk::default());
    let page = |turn: &Turn| format!("{:?}", turn.snapshots().page(Stream::Telemetry, 0, 100).unwrap().records);
    take(&mut turn, 2_000, heard(2_000));
    let due = turn.wake_at().expect("it wakes to flush").0;
    ask(&mut turn, 2_001, 1, 900_000);
    assert_eq!(performs(&turn.settle(&at(2_001)).unwrap()), 1);
    turn.settle(&at(due - 1)).unwrap();
    assert!(!page(&turn).contains("Bool(true)"));
    turn.settle(&at(due)).unwrap();
    assert!(page(&turn).contains("Bool(true)"));
}

#[test]
fn the_pauses_grow_while_the_disk_takes_nothing() {
    let disk = TornDisk::default();
    let mut turn = open(&disk);
    disk.fail(Some(ErrorKind::StorageFull));
    ask(&mut turn, 2_000, 1, 900_000);
    assert_eq!(turn.settle(&at(2_000)).unwrap(), []);
    let mut now = 2_000;
    let mut pauses = Vec::new();
    for _ in 0..9 {
        let retry = turn.wake_at().expect("it tries again").0;
        assert_eq!(turn.settle(&at(retry - 1)).unwrap(), [], "not before its time");
        assert_eq!(turn.settle(&at(retry)).unwrap(), []);
        pauses.push(retry - now);
        now = retry;
    }
    assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    assert!(turn.touched().commands.is_empty(), "nobody hears of what is not on disk");
    assert!(turn.degraded().is_some());
}

#[test]
fn on_the_way_out_all_is_on_disk_and_marked_as_such() {
    let disk = TornDisk::default();
    let mut turn = open(&disk);
    take(&mut turn, 2_000, LinkEvent::Gone { device: DeviceNo(0) });
    take(&mut turn, 2_000, heard(2_000));
    turn.close(&at(3_000)).unwrap();
    let (store, opened) = reopen(&disk);
    assert!(opened.clean && opened.gap.is_none());
    let page = |stream| format!("{:?}", store.snapshots().page(stream, 1, 100).unwrap().records);
    assert!(page(Stream::Events).contains("DeviceGone"));
    assert!(page(Stream::Telemetry).contains("Bool(true)"));
}

#[test]
fn where_a_link_ended_before_its_time_the_next_start_says_that_something_may_be_missing() {
    let disk = TornDisk::default();
    let mut turn = open(&disk);
    take(&mut turn, 2_000, LinkEvent::Ended { why: "it did not stop in time".into(), stopped: false });
    turn.close(&at(3_000)).unwrap();
    let (_, opened) = reopen(&disk);
    assert!(!opened.clean && opened.gap.is_some());
}

/// What is found when the disk is back leads to new changes; what they lead to goes out only after them.
#[test]
fn what_follows_from_a_commit_is_committed_before_it_goes_out() {
    let disk = TornDisk::default();
    let mut turn = open(&disk);
    disk.fail(Some(ErrorKind::StorageFull));
    ask(&mut turn, 2_000, 1, 3_000);
    ask(&mut turn, 2_000, 2, 900_000);
    assert_eq!(turn.settle(&at(2_000)).unwrap(), []);
    disk.fail(None);
    // The first was to go out and is too late now; so the second goes.
    let orders = reopened(&mut turn, &disk, 10_000);
    let sent: Vec<CommandNo> = orders.iter().filter_map(performed).collect();
    assert_eq!(sent, [CommandNo(2)]);
    let state = |no| turn.snapshots().command(CommandNo(no)).unwrap().unwrap().state;
    assert_eq!((state(1), state(2)), (CommandState::Failed, CommandState::Sent));
    assert!(turn.wake_at().unwrap() > Mono(10_000), "nothing is left to be done at once");
}

#[test]
fn what_the_disk_held_up_goes_out_while_it_is_still_wanted() {
    let disk = TornDisk::default();
    let mut turn = open(&disk);
    disk.fail(Some(ErrorKind::StorageFull));
    ask(&mut turn, 2_000, 1, 900_000);
    assert_eq!(turn.settle(&at(2_000)).unwrap(), []);
    disk.fail(None);
    let orders = reopened(&mut turn, &disk, 10_000);
    assert_eq!(orders.iter().filter_map(performed).collect::<Vec<_>>(), [CommandNo(1)]);
}

fn performed(order: &Order) -> Option<CommandNo> {
    match order {
        Order::Link { order: LinkOrder::Perform { command, .. }, .. } => Some(*command),
        _ => None,
    }
}

fn ask_for_the_log(turn: &mut Turn, ms: u64) -> Vec<Order> {
    let device = DeviceId::new("urn:dev:dmgw:serial:1").unwrap();
    let ask = Ask::Operate(Operate::new(device, Operation::ConnectionLog { own: false }));
    turn.take(&at(ms), Event::Ask { to: 9, by: Principal::local_root(), ask });
    turn.settle(&at(ms)).unwrap()
}

#[test]
fn a_log_that_was_asked_for_is_the_result_of_its_command_and_no_order_leaves_the_turn() {
    let disk = TornDisk::default();
    let mut turn = open(&disk);
    take(&mut turn, 2_000, LinkEvent::Gone { device: DeviceNo(0) });
    let before = disk.syncs();
    let orders = ask_for_the_log(&mut turn, 3_000);
    assert!(matches!(&orders[..], [Order::Reply { to: 9, reply: Reply::Accepted(_) }]), "{orders:?}");
    assert_eq!(disk.syncs(), before + 4, "one commit to accept it, one to end it");
    let command = turn.snapshots().command(CommandNo(1)).unwrap().unwrap();
    assert_eq!(command.state, CommandState::Done);
    let Some(Outcome::Done(values)) = &command.outcome else { panic!("{command:?}") };
    let line = |no: usize| (values[2 * no].0.to_string(), values[2 * no].1.clone(), values[2 * no + 1].1.to_string());
    let (path, time, what) = line(0);
    assert_eq!((path.as_str(), time), ("log.0.at", Value::Time(at(2_000).wall)));
    assert!(what.contains("device-gone") && line(2).2.contains("device-added"), "{values:?}");
    let touched = turn.touched();
    assert_eq!(touched.commands.last().map(|command| command.state), Some(CommandState::Done));
}

fn reopened(turn: &mut Turn, disk: &TornDisk, ms: u64) -> Vec<Order> {
    turn.reopen_on(disk.clone()).unwrap();
    turn.settle(&at(ms)).unwrap()
}

fn reopen(disk: &TornDisk) -> (Store, store::Opened) {
    opened(TornDisk::holding(disk.seen()), 9_000)
}

/// What was only seen waits, but not for somebody who looks.
#[test]
fn whoever_looks_finds_what_was_seen_on_disk() {
    let mut turn = open(&TornDisk::default());
    let events = |turn: &Turn| turn.snapshots().page(Stream::Events, 0, 100).unwrap().next;
    let before = events(&turn);
    take(&mut turn, 2_000, LinkEvent::Gone { device: DeviceNo(0) });
    turn.settle(&at(2_000)).unwrap();
    assert_eq!(events(&turn), before, "it waits");
    turn.take(&at(3_000), Event::Ask { to: 7, by: Principal::local_root(), ask: Ask::Settle { readings: false } });
    let orders = turn.settle(&at(3_000)).unwrap();
    assert!(matches!(orders[..], [Order::Reply { to: 7, reply: Reply::Done }]), "{orders:?}");
    assert_eq!(events(&turn), before + 1);
}

#[test]
fn while_somebody_listens_a_record_waits_a_second_and_is_told_when_it_is_on_disk() {
    let disk = TornDisk::default();
    let mut turn = open(&disk);
    let listened = Listened { any: true, records: true };
    turn.listen(listened);
    let before = turn.news().next;
    take(&mut turn, 2_000, LinkEvent::Gone { device: DeviceNo(0) });
    turn.settle(&at(2_000)).unwrap();
    assert_eq!((turn.wake_at(), turn.news().next), (Some(Mono(2_000) + LISTENED_WAIT), before), "not on disk yet");
    turn.settle(&at(3_000)).unwrap();
    let News { records, next, .. } = turn.news();
    let [(no, entry)] = &records[..] else { panic!("{records:?}") };
    assert_eq!((*no, next), (before[1], [before[0], before[1] + 1, before[2]]));
    assert!(matches!(entry.record, Record::DeviceGone { .. }));
    assert!(turn.news().records.is_empty(), "told once");
    // For who listens to readings only, a record need not be written sooner.
    turn.listen(Listened { records: false, ..listened });
    take(&mut turn, 4_000, heard(4_000));
    turn.settle(&at(4_000)).unwrap();
    assert_eq!(turn.wake_at(), Some(Mono(4_000) + LONGEST_WAIT));
}

#[test]
fn readings_are_told_as_they_come_and_nothing_is_while_nobody_listens() {
    let mut turn = open(&TornDisk::default());
    take(&mut turn, 2_000, heard(2_000));
    turn.settle(&at(2_000)).unwrap();
    let next = turn.news().next[2];
    assert!(turn.news().readings.is_empty());
    turn.listen(Listened { any: true, records: false });
    take(&mut turn, 2_100, heard(2_100));
    turn.settle(&at(2_100)).unwrap();
    let told = turn.news();
    assert_eq!((told.readings.len(), told.readings[0].0, told.next[2]), (1, next, next + 1));
}

#[test]
fn readings_in_memory_are_written_for_who_needs_them_and_for_nobody_else() {
    let mut turn = open(&TornDisk::default());
    let on_disk = |turn: &Turn| turn.snapshots().page(Stream::Telemetry, 0, 100).unwrap().next;
    let before = on_disk(&turn);
    let settle = |turn: &mut Turn, ms: u64, readings: bool| {
        turn.take(&at(ms), Event::Ask { to: 7, by: Principal::local_root(), ask: Ask::Settle { readings } });
        turn.settle(&at(ms)).unwrap();
    };
    take(&mut turn, 2_000, heard(2_000));
    settle(&mut turn, 2_001, false);
    assert_eq!(on_disk(&turn), before);
    settle(&mut turn, 2_002, true);
    assert_eq!(on_disk(&turn), before + 1);
    let commits = turn.store().commits();
    settle(&mut turn, 2_003, true);
    assert_eq!(turn.store().commits(), commits, "there is nothing to write");
}

/// A count is written when it has doubled; a clean stop loses nothing of it.
#[test]
fn a_clean_stop_keeps_every_attempt() {
    let disk = TornDisk::default();
    let mut turn = open(&disk);
    turn.take(&at(2_000), Event::Ask { to: 1, by: Principal::local_root(), ask: refuse() });
    for ms in 0..7 {
        take(&mut turn, 3_000 + ms, sighted("1"));
    }
    turn.settle(&at(4_000)).unwrap();
    turn.close(&at(5_000)).unwrap();
    let (_, opened) = opened(disk, 6_000);
    let counts: Vec<u64> = opened.state.attempts.iter().map(|attempt| attempt.count).collect();
    assert_eq!(counts, [7]);
}

fn refuse() -> Ask {
    Ask::Operate(Operate::new(DeviceId::new("urn:dev:dmgw:serial:1").unwrap(), Operation::Refuse))
}

#[test]
fn why_the_disk_takes_nothing_is_told_while_that_is_so_and_no_longer() {
    let disk = TornDisk::default();
    let mut turn = open(&disk);
    assert_eq!(turn.degraded(), None);
    disk.fail(Some(ErrorKind::StorageFull));
    ask(&mut turn, 2_000, 1, 900_000);
    turn.settle(&at(2_000)).unwrap();
    assert!(turn.degraded().is_some_and(|why| !why.is_empty()), "{:?}", turn.degraded());
    disk.fail(None);
    reopened(&mut turn, &disk, 3_000);
    assert_eq!(turn.degraded(), None);
}

#[test]
fn no_event_is_taken_beyond_the_changes_that_may_be_held() {
    let mut turn = open(&TornDisk::default());
    let reader = Name::new("reader").unwrap();
    let mut held = 0;
    while turn.wants_events() {
        let passed = Event::Passed { reader: reader.clone(), stream: Stream::Events, seq: held };
        turn.take(&at(2_000), passed);
        held += 1;
    }
    assert_eq!(held, MOST_HELD as u64);
    turn.settle(&at(2_000)).unwrap();
    assert!(turn.wants_events());
}

fn begin(turn: &mut Turn, ms: u64, to: u64, id: &str) -> Option<Reply> {
    let id = CommandId::new(id).unwrap();
    let wanted = Wanted { id, expires: at(900_000).wall, mark: Mark([1; 32]), what: "POST /v1/x".into() };
    turn.take(&at(ms), Event::Begin { to, by: Principal::local_root(), wanted });
    let replies = turn.settle(&at(ms)).unwrap().into_iter().filter_map(|order| match order {
        Order::Reply { to: known, reply } if known == to => Some(reply),
        _ => None,
    });
    replies.last()
}

#[test]
fn what_shall_be_done_once_begins_when_its_row_is_on_disk_and_never_without() {
    let disk = TornDisk::default();
    let mut turn = open(&disk);
    disk.fail(Some(ErrorKind::StorageFull));
    assert_eq!(begin(&mut turn, 2_000, 1, "a"), None, "nobody is told to begin");
    assert!(matches!(begin(&mut turn, 2_000, 2, "b"), Some(Reply::Refused(Refusal::Busy(_)))));
    disk.fail(None);
    reopened(&mut turn, &disk, 3_000);
    assert!(turn.snapshots().deed(DeedNo(1)).unwrap().is_some());
    assert!(matches!(begin(&mut turn, 4_000, 3, "a"), Some(Reply::Before(_))));
    assert_eq!(begin(&mut turn, 4_000, 4, "b"), Some(Reply::Begun(DeedNo(2))));
}

#[test]
fn what_was_told_to_begin_is_not_told_so_again_wherever_the_power_goes() {
    for seed in 0..40 {
        let disk = TornDisk::default();
        let mut turn = open(&disk);
        assert_eq!(begin(&mut turn, 2_000, 1, "a"), Some(Reply::Begun(DeedNo(1))));
        let first = (seed % 2 == 0).then_some(First { status: 200, body: None });
        let answered = first.is_some();
        turn.take(&at(2_001), Event::Carried { to: 2, deed: DeedNo(1), first });
        if seed % 4 < 2 {
            turn.settle(&at(2_001)).unwrap();
        }
        let (store, opened) = opened(TornDisk::holding(disk.cut(&mut Dice(seed))), 3_000);
        let mut turn = Turn::new(Settings::default(), store, opened.state, &opened.now);
        let Some(Reply::Before(deed)) = begin(&mut turn, 3_001, 1, "a") else { panic!("{seed}: begun twice") };
        let known = matches!(deed.went, Went::Answered(_));
        assert_eq!(known, answered && seed % 4 < 2, "{seed}: {deed:?}");
    }
}
