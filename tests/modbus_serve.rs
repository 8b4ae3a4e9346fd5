//! Masters that read a bus through us: what they are told is what the server behind us has and was asked, they cannot write,
//! and however hard they ask, what we ask ourselves keeps its time. The witness is the server's own record.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use support::modbus::line::{has_mbpoll, mbpoll, over_tcp};
use support::modbus::plain::{Plain, frame};
use support::modbus::record::now;
use support::modbus::{Asked, Fault, On, Server, holding, input};
use support::{Gateway, PATIENCE, eventually};

/// What we read ourselves: nothing that a master of these tests reads.
const OURS: std::ops::Range<u16> = 10..20;
const PROFILE: &str = "[profile.rig.modbus]\n[profile.rig.point.\"a.first\"]\nmodbus = { holding = 10 }\n\
    [profile.rig.point.\"a.last\"]\nmodbus = { holding = 19 }\n[profile.rig.point.\"a.set\"]\n\
    access = \"read-write\"\nmodbus = { holding = 15 }\n";

/// A link over TCP to that server, read each second, with these settings for masters.
fn over_network(server: &Server, serve: &str) -> Gateway {
    let port = server.port();
    gateway(&format!("modbus-tcp = {{ at = \"127.0.0.1:{port}\", bus = {{ timeout = \"300ms\" }}, {} }}", words(serve)))
}

fn on_a_line(server: &Server, baud: u32, serve: &str) -> Gateway {
    let pty = server.pty();
    gateway(&format!(
        "modbus-rtu = {{ port = {pty:?}, baud = {baud}, bus = {{ timeout = \"300ms\" }}, {} }}",
        words(serve)
    ))
}

fn words(serve: &str) -> String {
    format!("serve = {{ at = \"127.0.0.1:0\"{}{serve} }}", if serve.is_empty() { "" } else { ", " })
}

fn gateway(link: &str) -> Gateway {
    let mut gateway = Gateway::new(&format!(
        "[clock]\ntrust = \"always\"\n[link.bus]\nevery = \"500ms\"\nsilent_after = \"10s\"\n{link}\n{PROFILE}\
         [device.one]\nlink = \"bus\"\naddress = \"1\"\nprofile = \"rig\"\n"
    ));
    gateway.start();
    gateway
}

/// Where masters connect.
fn port(gateway: &Gateway) -> u16 {
    eventually("masters may connect", || {
        let log = gateway.log();
        let line = log.lines().find(|line| line.contains("Modbus masters may connect"))?;
        let at = line.split("127.0.0.1:").nth(1)?;
        at.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    })
}

/// What the server was asked for by masters. Who a unit is only we ask.
fn visits(server: &Server) -> Vec<Asked> {
    server.asked().into_iter().filter(|asked| !is_ours(asked) && asked.function != 43).collect()
}

fn is_ours(asked: &Asked) -> bool {
    asked.function == 3 && OURS.contains(&asked.address)
}

fn read(at: u16, count: u16) -> Vec<u8> {
    [&[3][..], &at.to_be_bytes(), &count.to_be_bytes()].concat()
}

fn answer(values: &[u16]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
    [&[3, bytes.len() as u8], &bytes[..]].concat()
}

impl Plain {
    #[track_caller]
    fn is_told(&mut self, unit: u8, asked: &[u8], told: &[u8]) {
        self.send(7, unit, asked);
        self.hears(&frame(false, 7, unit, told));
    }
}

fn reads_and_cannot_write(server: &Server, gateway: &Gateway) {
    let tcp = over_tcp(port(gateway));
    let with = |words: &[&str]| {
        let words: Vec<&str> = tcp.iter().map(String::as_str).chain(words.iter().copied()).collect();
        mbpoll(&words)
    };
    assert_eq!(
        with(&["-a", "2", "-r", "100", "-c", "3", "127.0.0.1"]),
        Ok((100..103).map(|at| holding(2, at)).collect())
    );
    assert_eq!(with(&["-a", "1", "-t", "3", "-r", "9", "127.0.0.1"]), Ok(vec![input(1, 9)]));
    let asked: Vec<_> =
        visits(server).iter().map(|asked| (asked.unit, asked.function, asked.address, asked.count)).collect();
    assert_eq!(asked, [(2, 3, 100, 3), (1, 4, 9, 1)]);
    for write in
        [&["-a", "2", "-r", "100", "127.0.0.1", "77"][..], &["-a", "2", "-t", "0", "-r", "1", "127.0.0.1", "1"]]
    {
        let refused = with(write).unwrap_err();
        assert!(refused.contains("Illegal function"), "{refused}");
    }
    assert_eq!(visits(server).len(), 2, "nothing of it reached the bus");
    // The server takes writes: ours reach it.
    let done = gateway.cli(&["write", "one", "a.0.set", "4711"]);
    assert!(done.status.success(), "{done:?}");
    assert!(server.asked().iter().any(|asked| asked.function == 6));
}

#[test]
fn a_master_reads_what_the_units_of_a_network_have_and_cannot_write() {
    let name = "a_master_reads_what_the_units_of_a_network_have";
    let (true, Some(server)) = (has_mbpoll(name), Server::tcp(name, "1-2")) else { return };
    let gateway = over_network(&server, "");
    reads_and_cannot_write(&server, &gateway);
}

#[test]
fn a_master_reads_what_the_units_of_a_serial_line_have_and_cannot_write() {
    let name = "a_master_reads_what_the_units_of_a_serial_line_have";
    let (true, Some(server)) = (has_mbpoll(name), Server::rtu_pty(name, "1-2", 115_200)) else { return };
    let gateway = on_a_line(&server, 115_200, "");
    reads_and_cannot_write(&server, &gateway);
    assert!(server.refused().is_empty(), "{:?}", server.refused());
}

#[test]
fn who_a_unit_is_comes_through() {
    let Some(server) = Server::start("who_a_unit_is_comes_through", &[], "5 identity 0 Acme\n5 identity 1 M 1\n")
    else {
        return;
    };
    let gateway = over_network(&server, "");
    let mut master = Plain::to(port(&gateway));
    let mut direct = Plain::on(&server, false);
    direct.send(7, 5, &[43, 14, 1, 0]);
    let said = direct.piece(PATIENCE);
    assert!(said.ends_with(b"M 1"), "{said:?}");
    master.is_told(5, &[43, 14, 1, 0], &said[7..]);
}

#[test]
fn what_cannot_be_read_is_refused_with_the_reason_that_masters_know() {
    let Some(mut server) = Server::tcp("what_cannot_be_read_is_refused", "1-3") else { return };
    let gateway = over_network(&server, "units = \"1, 3\"");
    let mut master = Plain::to(port(&gateway));
    master.is_told(1, &read(100, 1), &answer(&[holding(1, 100)]));
    // The unit itself has nothing there.
    master.is_told(1, &read(5_000, 1), &[0x83, 2]);
    // Nobody asks a unit so much, nor one that masters may not see.
    let before = visits(&server).len();
    master.is_told(1, &read(0, 126), &[0x83, 3]);
    master.is_told(2, &read(100, 1), &[0x83, 10]);
    master.is_told(1, &[8, 0, 0, 1, 2], &[0x88, 1]);
    assert_eq!(visits(&server).len(), before);
    server.fault(On::all().unit(3), Fault::Mute);
    master.is_told(3, &read(100, 1), &[0x83, 11]);
    server.kill();
    eventually("the link is seen to be down", || (gateway.log().contains("link is down")).then_some(()));
    master.is_told(1, &read(100, 1), &[0x83, 10]);
}

#[test]
fn who_asks_the_same_at_the_same_time_or_soon_after_costs_the_bus_one_request() {
    let Some(server) = Server::tcp("who_asks_the_same_at_the_same_time", "1-2") else { return };
    let gateway = over_network(&server, "fresh = \"1h\"");
    let port = port(&gateway);
    let mut masters: Vec<Plain> = (0..4).map(|_| Plain::to(port)).collect();
    server.fault(On::all().unit(2).once(), Fault::Delay(Duration::from_millis(200)));
    masters.iter_mut().for_each(|master| master.send(7, 2, &read(100, 2)));
    let told = answer(&[holding(2, 100), holding(2, 101)]);
    masters.iter_mut().for_each(|master| master.hears(&frame(false, 7, 2, &told)));
    server.set("2 holding 100 1 1");
    masters[0].is_told(2, &read(100, 2), &told);
    assert_eq!(visits(&server).len(), 1, "{:?}", visits(&server));
    // Whatever differs is asked for; and what went wrong is asked for again.
    masters[0].is_told(2, &read(100, 1), &answer(&[1]));
    masters[0].is_told(1, &read(100, 2), &answer(&[holding(1, 100), holding(1, 101)]));
    server.fault(On::all().unit(2).once(), Fault::Exception(4));
    masters[0].is_told(2, &read(200, 1), &[0x83, 4]);
    masters[0].is_told(2, &read(200, 1), &answer(&[holding(2, 200)]));
    assert_eq!(visits(&server).len(), 5);
}

#[test]
fn where_nothing_is_kept_each_answer_is_of_now() {
    let Some(server) = Server::tcp("where_nothing_is_kept_each_answer_is_of_now", "1-2") else { return };
    let gateway = over_network(&server, "");
    let mut master = Plain::to(port(&gateway));
    for value in 0..5 {
        server.set(&format!("2 holding 100 {value}"));
        master.is_told(2, &read(100, 1), &answer(&[value]));
    }
}

/// Asks one after the other, each time for something else, until it is told to stop or the test has failed; how often it
/// was answered.
fn hammers(port: u16, unit: u8, from: u16, stop: &AtomicBool) -> usize {
    let (mut master, mut answered, began) = (Plain::to(port), 0, Instant::now());
    while !stop.load(Ordering::Relaxed) && began.elapsed() < PATIENCE * 2 {
        let at = from + (answered % 100) as u16;
        let told: Vec<u16> = (at..at + 20).map(|at| holding(unit, at)).collect();
        master.is_told(unit, &read(at, 20), &answer(&told));
        answered += 1;
    }
    answered
}

/// Between the beginnings of our own requests, longest last.
fn gaps(server: &Server, since: u64) -> Vec<Duration> {
    let ours: Vec<u64> = server.asked().iter().filter(|a| is_ours(a) && a.at > since).map(|a| a.at).collect();
    let mut gaps: Vec<Duration> = ours.windows(2).map(|two| Duration::from_micros(two[1] - two[0])).collect();
    gaps.sort();
    gaps
}

#[test]
fn masters_that_ask_without_a_pause_do_not_make_us_late() {
    // 20 registers take the line for 35 ms, so one master alone would have all of it.
    let Some(server) = Server::rtu_pty("masters_that_ask_without_a_pause", "1-2", 19_200) else { return };
    let gateway = on_a_line(&server, 19_200, "");
    let port = port(&gateway);
    let (stop, since) = (AtomicBool::new(false), now());
    let answered: usize = std::thread::scope(|scope| {
        let stop = &stop;
        let hammers = [200, 500].map(|from| scope.spawn(move || hammers(port, 2, from, stop)));
        eventually("we have asked often enough", || (gaps(&server, since).len() >= 16).then_some(()));
        stop.store(true, Ordering::Relaxed);
        hammers.map(|hammer| hammer.join().unwrap()).iter().sum()
    });
    let gaps = gaps(&server, since);
    // They had what we left of the line, which is most of it: so they were in our way all the time.
    assert!(answered > 50, "{answered}");
    // A look each half second; the request of a master that was begun is waited for, and this machine may be slow.
    assert!(gaps[gaps.len() * 3 / 4] < Duration::from_millis(700), "{gaps:?}");
    assert!(server.refused().is_empty(), "{:?}", server.refused());
}

#[test]
fn what_is_no_modbus_ends_the_connection_and_takes_nobody_with_it() {
    let Some(server) = Server::tcp("what_is_no_modbus_ends_the_connection", "1-2") else { return };
    let gateway = over_network(&server, "");
    let port = port(&gateway);
    let mut good = Plain::to(port);
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 1, 0, 0, 0, 1, 1], &[0, 1, 0, 0, 1, 0, 1, 3], &[0xff; 4_096]] {
        let mut bad = Plain::to(port);
        let _ = std::io::Write::write_all(&mut bad.stream, bytes);
        assert!(bad.is_cut_off(), "{bytes:?}");
        good.is_told(2, &read(100, 1), &answer(&[holding(2, 100)]));
    }
    // Frames in one piece are answered one after the other, a frame in pieces when it is whole.
    let two: Vec<u8> = [100, 101].iter().flat_map(|at| frame(false, *at as u8, 2, &read(*at, 1))).collect();
    let (first, rest) = two.split_at(15);
    std::io::Write::write_all(&mut good.stream, first).unwrap();
    good.hears(&frame(false, 100, 2, &answer(&[holding(2, 100)])));
    std::io::Write::write_all(&mut good.stream, rest).unwrap();
    good.hears(&frame(false, 101, 2, &answer(&[holding(2, 101)])));
}

#[test]
fn who_says_nothing_or_half_of_it_is_cut_off_in_time() {
    let Some(server) = Server::tcp("who_says_nothing_or_half_of_it", "1-2") else { return };
    let gateway = over_network(&server, "idle = \"1s\"");
    let port = port(&gateway);
    let (mut silent, mut slow) = (Plain::to(port), Plain::to(port));
    let began = Instant::now();
    std::io::Write::write_all(&mut slow.stream, &frame(false, 1, 1, &read(100, 1))[..9]).unwrap();
    assert!(silent.is_cut_off());
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    assert!(slow.is_cut_off());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn there_are_no_more_masters_than_may_be_and_none_from_elsewhere() {
    let Some(server) = Server::tcp("there_are_no_more_masters_than_may_be", "1-2") else { return };
    let gateway = over_network(&server, "masters = 2");
    let port = port(&gateway);
    let told = answer(&[holding(2, 100)]);
    let (mut first, mut second) = (Plain::to(port), Plain::to(port));
    first.is_told(2, &read(100, 1), &told);
    second.is_told(2, &read(100, 1), &told);
    assert!(Plain::to(port).is_cut_off());
    drop(first);
    eventually("there is room again", || {
        let mut third = Plain::to(port);
        let _ = std::io::Write::write_all(&mut third.stream, &frame(false, 7, 2, &read(100, 1)));
        (third.piece(PATIENCE) == frame(false, 7, 2, &told)).then_some(())
    });
    let elsewhere = over_network(&server, "from = [\"192.0.2.0/24\"]");
    assert!(Plain::to(self::port(&elsewhere)).is_cut_off());
    eventually("it is told", || elsewhere.log().contains("none of the networks").then_some(()));
}
