//! What a bus did, written as pcap and read back by tshark, which knows nothing of us.

use std::fs;
use std::process::Command;
use std::time::Duration;

use dmgw::links::modbus::bus::open::{Opened, Opening, Opens};
use dmgw::links::modbus::bus::pcap::{Capture, head};
use dmgw::links::modbus::bus::{Framing, Manner, Settings, Urgency, bus};
use dmgw::links::modbus::wire::timing::Pace;
use dmgw::links::modbus::wire::{Request, Table, rtu};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

struct Memory(mpsc::Sender<DuplexStream>);

impl Opens for Memory {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(async {
            let (ours, theirs) = tokio::io::duplex(512);
            self.0.send(theirs).await.map_err(|_| "the test is over")?;
            Ok(Opened { port: Box::new(ours), place: "memory".into() })
        })
    }
}

/// A read, a write, an exception, an answer whose checksum is wrong, and one of a unit that nobody has asked.
async fn recorded() -> Vec<u8> {
    let manner = Manner::new(Framing::Rtu(Pace { baud: 115_200, bits: 11 }), &Settings::default());
    let (ends, mut opened) = mpsc::channel(1);
    let (bus, run) = bus(manner, Box::new(Memory(ends)));
    tokio::spawn(run);
    let (mut frames, mut peer) = (bus.listen(), opened.recv().await.unwrap());
    let mut broken = rtu::framed(9, &[3, 2, 0, 1]);
    broken[4] ^= 1;
    let read = |table| Request::Read { table, at: 100, count: 1 };
    for (unit, request, answer) in [
        (7, Request::Read { table: Table::Holding, at: 100, count: 2 }, rtu::framed(7, &[3, 4, 0x12, 0x34, 0, 5])),
        (7, Request::WriteRegister { at: 3, value: 77 }, rtu::framed(7, &[6, 0, 3, 0, 77])),
        (8, read(Table::Input), rtu::framed(8, &[0x84, 2])),
        (9, read(Table::Holding), broken),
        (10, read(Table::Holding), rtu::framed(11, &[3, 2, 0, 9])),
    ] {
        let bus = bus.clone();
        let until = Instant::now() + Duration::from_secs(60);
        let asked = tokio::spawn(async move { bus.ask(unit, request, until, Urgency::Command).await });
        assert!(peer.read(&mut [0; 64]).await.unwrap() > 0);
        peer.write_all(&answer).await.unwrap();
        // Right or wrong: it is the frames that count here.
        let _ = asked.await.unwrap();
    }
    let mut capture = Capture::new(Duration::from_secs(1_700_000_000));
    let mut file = head();
    for _ in 0..10 {
        file.extend(capture.record(&frames.recv().await.unwrap()));
    }
    file
}

/// None where there is no tshark here.
fn tshark(file: &str, filter: &str, fields: &[&str]) -> Option<Vec<String>> {
    let mut command = Command::new("tshark");
    command.args(["-n", "-r", file, "-Y", filter, "-T", "fields", "-E", "separator=/t"]);
    let output = fields.iter().fold(&mut command, |command, field| command.args(["-e", field])).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim().replace('\t', " ")).collect())
}

#[tokio::test(start_paused = true)]
async fn a_trace_is_decoded_by_tshark_and_what_was_refused_does_not_look_right() {
    const NAME: &str = "a_trace_is_decoded_by_tshark_and_what_was_refused_does_not_look_right";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus.pcap");
    fs::write(&path, recorded().await).unwrap();
    let file = path.to_str().unwrap();
    let fields = [
        "mbtcp.trans_id",
        "mbtcp.unit_id",
        "modbus.func_code",
        "modbus.regval_uint16",
        "modbus.exception_code",
        "modbus.data",
    ];
    let Some(decoded) = tshark(file, "modbus", &fields) else {
        return println!("SKIP {NAME}: no tshark here");
    };
    assert_eq!(
        decoded,
        ["1 7 3", "1 7 3 4660,5", "2 7 6   004d", "2 7 6   004d", "3 8 4", "3 8 4  2", "4 9 3", "5 10 3"]
    );
    let refused = tshark(file, "udp", &["data"]).unwrap();
    assert_eq!(refused.len(), 2, "{refused:?}");
    let strange = tshark(file, "tcp.analysis.flags || _ws.malformed || ip.checksum.status == 0", &["frame.number"]);
    assert_eq!(strange.unwrap(), Vec::<String>::new());
}
