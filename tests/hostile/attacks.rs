//! What clients do who mean harm. Each attack says itself what must become of it.

use std::io::Write;
use std::time::Duration;

use super::support::eventually;
use super::wire::{Doors, Way, Wire, dribble, rest, status};
use super::{BODY, CONNECTIONS, PAGE, PER_ADDRESS};

type Attack = fn(&Doors, Way);

pub const ALL: &[(&str, Attack)] = &[
    ("heads that dribble", heads_that_dribble),
    ("bodies that dribble", bodies_that_dribble),
    ("answers that nobody reads", answers_that_nobody_reads),
    ("ten thousand connections", ten_thousand_connections),
    ("a body of 1 GiB", a_body_of_a_gibibyte),
    ("deep and wide JSON", deep_and_wide),
    ("large heads", large_heads),
    ("garbage", garbage),
    ("requests in a row", requests_in_a_row),
    ("paths and queries", paths_and_queries),
    ("guesses", guesses),
];

/// One place is left, for whoever looks meanwhile.
fn at_once(way: Way) -> usize {
    match way {
        Way::Socket => CONNECTIONS - 1,
        Way::Far => PER_ADDRESS,
    }
}

/// The daemon gives a head 10 s, a body and an answer 2 s by our settings; a busy machine needs more.
const PATIENCE: Duration = Duration::from_secs(25);

/// All at once, each on a connection of its own.
fn many(doors: &Doors, way: Way, each: impl Fn(usize, Box<dyn Wire>) + Sync) {
    std::thread::scope(|scope| {
        for no in 0..at_once(way) {
            let each = &each;
            scope.spawn(move || {
                if let Some(wire) = doors.open(way) {
                    each(no, wire);
                }
            });
        }
    });
}

fn heads_that_dribble(doors: &Doors, way: Way) {
    many(doors, way, |_, mut wire| {
        wire.write_all(doors.head(way, "GET /v1/status").as_bytes()).unwrap();
        assert!(dribble(&mut wire, "x-a: b\r\n", Duration::from_millis(200), PATIENCE), "it is let go");
    });
}

fn bodies_that_dribble(doors: &Doors, way: Way) {
    many(doors, way, |_, mut wire| {
        let head = format!("{}content-length: 60000\r\n\r\n{{\"operate\":", doors.head(way, "POST /v1/ask"));
        wire.write_all(head.as_bytes()).unwrap();
        let let_go = dribble(&mut wire, " ", Duration::from_millis(100), PATIENCE);
        assert!(let_go, "it is let go");
    });
}

/// That one client asks for, of some 100 kB each: more than the kernel takes for somebody who reads nothing.
const ANSWERS: usize = 60;

fn answers_that_nobody_reads(doors: &Doors, way: Way) {
    let mut wires = Vec::new();
    for _ in 0..at_once(way) {
        let Some(mut wire) = doors.open(way) else { continue };
        let request = format!("{}\r\n", doors.head(way, &format!("GET /v1/devices?limit={PAGE}")));
        let more = format!("{}\r\n", doors.head(way, "GET /v1/openapi.json"));
        let _ = wire.write_all((request + &more.repeat(ANSWERS)).as_bytes()).and_then(|()| wire.flush());
        wires.push(wire);
    }
    let last = usize::from(way == Way::Socket);
    eventually("they are let go", || doors.connected(way).filter(|count| *count <= last));
    // What was on its way comes, and then the end.
    for wire in &mut wires {
        let came = rest(wire).expect("an end");
        assert!(came < ANSWERS * 100_000, "{came} bytes: nobody was let go");
    }
    assert!(!wires.is_empty());
}

fn ten_thousand_connections(doors: &Doors, way: Way) {
    let mut opened = 0;
    for _ in 0..100 {
        let mut wires: Vec<Box<dyn Wire>> = (0..100).filter_map(|_| doors.open_raw(way)).collect();
        for wire in &mut wires {
            let _ = wire.write_all(b"GET /v1/st");
        }
        opened += wires.len();
        // From afar they are dropped; the next ones would only wait in the kernel for them.
        assert!(way == Way::Socket || wires.iter_mut().all(|wire| rest(wire).is_some()));
    }
    assert_eq!(opened, 10_000);
}

fn a_body_of_a_gibibyte(doors: &Doors, way: Way) {
    const ALL: usize = 1 << 30;
    for framing in [format!("content-length: {ALL}"), "transfer-encoding: chunked".to_owned()] {
        let mut wire = doors.open(way).expect("a place");
        let head = format!("{}{framing}\r\n\r\n", doors.head(way, "POST /v1/ask"));
        wire.write_all(head.as_bytes()).unwrap();
        let chunk = [b"4000\r\n".as_slice(), &[b' '; 0x4000], b"\r\n"].concat();
        let mut sent = 0;
        while sent < ALL && wire.write_all(&chunk).is_ok() {
            sent += chunk.len();
        }
        assert!(sent < 4 << 20, "{sent} bytes were taken");
        assert!(matches!(status(&mut wire), None | Some(413)), "it is refused");
    }
}

/// Each begins with an object that never ends.
pub fn large_bodies_that_never_end(doors: &Doors, length: usize, at_once: usize) {
    let mut wires = Vec::new();
    for _ in 0..at_once {
        let mut wire = doors.open(Way::Socket).expect("a place");
        let head = format!("{}content-length: {}\r\n\r\n", doors.head(Way::Socket, "POST /v1/ask"), length + 1);
        wire.write_all(head.as_bytes()).unwrap();
        let _ = wire.write_all(&vec![b' '; length]);
        wires.push(wire);
    }
    assert!(wires.iter_mut().all(|wire| status(wire) == Some(408)));
}

fn deep_and_wide(doors: &Doors, way: Way) {
    let post = |body: String| {
        let head = format!("{}content-length: {}\r\n\r\n", doors.head(way, "POST /v1/ask"), body.len());
        doors.say(way, &[head.as_bytes(), body.as_bytes()].concat())
    };
    let write = "{\"operate\":{\"device\":\"urn:a\",\"operation\":{\"write\":{\"point\":\"a.b\",\"value\":";
    assert!(matches!(post("[".repeat(100_000)), None | Some(413)));
    assert!(matches!(post(format!("{write}{}", "[".repeat(100_000))), None | Some(413)));
    assert_eq!(post("[".repeat(BODY - 1)), Some(400));
    assert_eq!(post(format!("{write}{}", "[".repeat(60_000))), Some(400));
    assert_eq!(post(format!("{write}{}", "{\"a\":".repeat(12_000))), Some(400));
    assert_eq!(post(format!("{write}[{}1]}}}}}}}}", "1,".repeat(32_000))), Some(400));
    assert_eq!(post(format!("{{{}\"a\":1}}", "\"a\":1,".repeat(10_000))), Some(400));
    // What takes most where it is read.
    let wide = [
        format!("{{\"register\":{{\"devices\":[{}{{}}]}}}}", "{},".repeat(21_000)),
        format!("{{\"operate\":{{\"operation\":\"probe\",\"devices\":[{}\"a\"]}}}}", "\"a\",".repeat(16_000)),
        format!("{{\"register\":{{\"devices\":[{{\"groups\":[{}\"a\"]}}]}}}}", "\"a\",".repeat(16_000)),
    ];
    std::thread::scope(|scope| {
        for no in 0..at_once(way) {
            let (wide, post) = (&wide, &post);
            scope.spawn(move || {
                let status = post(wide[no % 3].clone());
                assert!(matches!(status, None | Some(400)), "{status:?}");
            });
        }
    });
}

fn large_heads(doors: &Doors, way: Way) {
    let ask = |lines: String| doors.say(way, format!("{}{lines}\r\n", doors.head(way, "GET /v1/status")).as_bytes());
    for lines in [
        format!("x-a: {}\r\n", "b".repeat(20 << 10)),
        format!("{}: b\r\n", "a".repeat(20 << 10)),
        "x-a: b\r\n".repeat(5_000),
        "x: y\r\n".repeat(200),
        format!("x-a: {}\r\n", "b".repeat(8 << 20)),
        format!("authorization: Bearer {}\r\n", "b".repeat(1 << 20)),
    ] {
        let status = ask(lines.clone());
        assert!(matches!(status, None | Some(431)), "{status:?} for {} bytes", lines.len());
    }
    // Two lengths, or a length and chunks, would mean two different ends of the request.
    let two = doors.head(way, "POST /v1/ask");
    for lines in ["content-length: 1\r\ncontent-length: 2\r\n", "content-length: 4\r\ncontent-length: x\r\n"] {
        assert_eq!(doors.say(way, format!("{two}{lines}\r\n{{}}").as_bytes()), Some(400), "{lines}");
    }
}

fn garbage(doors: &Doors, way: Way) {
    let noise: Vec<u8> = (0..40_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for begin in 0..50 {
        let status = doors.say(way, &noise[begin * 100..]);
        assert!(matches!(status, None | Some(400 | 431)), "{status:?}");
    }
    let texts =
        ["\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\0\0\0\0\r\n\r\n"];
    std::thread::scope(|scope| {
        for text in texts {
            scope.spawn(move || {
                let status = doors.say(way, format!("{text}{}", "\r\n".repeat(4)).as_bytes());
                assert!(matches!(status, None | Some(400 | 431 | 505)), "{text:?}: {status:?}");
            });
        }
        // TLS where there is none, and none of it where there is.
        scope.spawn(move || {
            let mut raw = doors.open_raw(way).expect("a place");
            let _ = raw.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03GET / HTTP/1.1\r\n\r\n");
            assert!(!matches!(status(&mut raw), Some(200)));
        });
    });
}

fn requests_in_a_row(doors: &Doors, way: Way) {
    many(doors, way, |_, mut wire| {
        let request = format!("{}\r\n", doors.head(way, "GET /v1/links"));
        for _ in 0..20 {
            wire.write_all(request.repeat(20).as_bytes()).unwrap();
            wire.flush().unwrap();
        }
        assert_eq!(status(&mut wire), Some(200));
    });
}

fn paths_and_queries(doors: &Doors, way: Way) {
    let long = |what: &str, length: usize| what.repeat(length / what.len());
    let paths = [
        format!("/v1/devices/{}", long("a", 15_000)),
        format!("/v1/devices/{}", long("%2F", 12_000)),
        format!("/v1/devices/{}", long("%00", 12_000)),
        format!("/v1/devices/{}", long("/", 12_000)),
        format!("/v1/devices/{}", long("../", 12_000)),
        "/v1/devices/%".into(),
        "/v1/devices/%ff%fe".into(),
        "/v1/commands/%00".into(),
        format!("/v1/devices?for={}", long("(", 12_000)),
        format!("/v1/devices?for={}", long("a%7C%7C", 12_000)),
        format!("/v1/devices?for={}", long("!", 12_000)),
        format!("/v1/points?point={}", long("*a", 15_000)),
        format!("/v1/points?point={}&limit=1", long("*a", 250)),
        format!("/v1/devices?{}", long("link=a&", 12_000)),
        format!("/v1/devices?{}=1", long("a", 12_000)),
        "/v1/devices?limit=-1".into(),
        "/v1/devices?limit=99999999999999999999999".into(),
        "/v1/commands/c-1?wait=1e400".into(),
        "/v1/commands/c-1?wait=nan".into(),
        "/v1/attempts?after=18446744073709551615".into(),
        "/v1/journal/vital?from=18446744073709551615&limit=1".into(),
        format!("/{}", long("a", 15_000)),
        format!("/{}", long("a/", 64_000)),
    ];
    for path in paths {
        let status =
            doors.say(way, format!("{}connection: close\r\n\r\n", doors.head(way, &format!("GET {path}"))).as_bytes());
        let begin: String = path.chars().take(40).collect();
        assert!(matches!(status, None | Some(200 | 400 | 404 | 414 | 431)), "{begin}: {status:?}");
    }
}

/// Through both doors 100 000.
fn guesses(doors: &Doors, way: Way) {
    let each = 50_000 / at_once(way) / 10;
    many(doors, way, |no, mut wire| {
        for round in 0..each {
            let guess = |n| {
                format!("GET /v1/status HTTP/1.1\r\nhost: a\r\nauthorization: Bearer dmgw_{no}-{round}-{n}\r\n\r\n")
            };
            let ten: String = (0..10).map(guess).collect();
            wire.write_all(ten.as_bytes()).and_then(|()| wire.flush()).unwrap();
            for _ in 0..10 {
                assert_eq!(refused(&mut wire), 401);
            }
        }
    });
}

/// The status of the next answer, which is read to its end.
fn refused(wire: &mut Box<dyn Wire>) -> u16 {
    let mut head = Vec::new();
    let mut part = [0; 1];
    while !head.ends_with(b"\r\n\r\n") {
        wire.read_exact(&mut part).unwrap();
        head.push(part[0]);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    wire.read_exact(&mut body).unwrap();
    head.split(' ').nth(1).unwrap().parse().unwrap()
}
