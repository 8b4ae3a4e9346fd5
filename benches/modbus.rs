//! Reads over Modbus TCP, with every check and the counting on, against a bare loop of tokio-modbus in the same run.
//!
//! The server is a thread that does as little as a server can, so what is measured is the client.

mod row;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use dmgw::links::modbus::bus::open::Dial;
use dmgw::links::modbus::bus::{Framing, Manner, Settings, Urgency, bus};
use dmgw::links::modbus::wire::{Answer, Request, Table};
use tokio_modbus::client::{Reader, tcp};

const REGISTERS: u16 = 100;
const REQUESTS: u32 = 5_000;
/// Turn and turn about, and the best of each: what else the machine does meets both.
const ROUNDS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    on_one_core();
    let address = serving();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (mut ours, mut bare) = (0f64, 0f64);
    for _ in 0..ROUNDS {
        // In a task, as all that asks in the daemon: to wake what a runtime blocks on costs a call of the kernel.
        let asked = runtime.spawn(by_the_library(address.clone()));
        bare = bare.max(runtime.block_on(asked).expect("it ends"));
        let asked = runtime.spawn(by_the_bus(address.clone()));
        ours = ours.max(runtime.block_on(asked).expect("it ends"));
    }
    let settings = [("registers", REGISTERS.to_string()), ("requests", REQUESTS.to_string())];
    row::Row::new("modbus-tcp-reads", ours, Some(bare), &settings).write();
}

/// Else the figures tell on which cores the two ends happened to be, and how long one that idles takes to wake up: a
/// factor of ten, and another one in each round.
fn on_one_core() {
    #[allow(unsafe_code)]
    // SAFETY: the set is plain bits, all of them written, and both calls only read or write these.
    unsafe {
        let mut cores: libc::cpu_set_t = std::mem::zeroed();
        let size = std::mem::size_of_val(&cores);
        assert_eq!(libc::sched_getaffinity(0, size, &raw mut cores), 0, "the cores of this process are known");
        let first = (0..libc::CPU_SETSIZE as usize).find(|core| libc::CPU_ISSET(*core, &cores)).expect("a core");
        libc::CPU_ZERO(&mut cores);
        libc::CPU_SET(first, &mut cores);
        assert_eq!(libc::sched_setaffinity(0, size, &raw const cores), 0, "a process may choose its core");
    }
}

/// Answers every read of registers with as many.
fn serving() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the kernel's choice");
    let address = listener.local_addr().expect("it is bound").to_string();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            stream.set_nodelay(true).expect("a TCP connection");
            let mut request = [0; 12];
            let bytes = REGISTERS as u8 * 2;
            while stream.read_exact(&mut request).is_ok() {
                let mut answer = [&request[..4], &[0, bytes + 3, request[6], 3, bytes]].concat();
                answer.resize(9 + usize::from(bytes), 7);
                if stream.write_all(&answer).is_err() {
                    break;
                }
            }
        }
    });
    address
}

fn a_second(start: Instant) -> f64 {
    f64::from(REQUESTS) / start.elapsed().as_secs_f64()
}

async fn by_the_library(address: String) -> f64 {
    let mut context = tcp::connect(address.parse().expect("an address")).await.expect("a connection");
    let start = Instant::now();
    for _ in 0..REQUESTS {
        let words = context.read_holding_registers(0, REGISTERS).await.expect("an answer").expect("no exception");
        assert_eq!(words.len(), usize::from(REGISTERS));
    }
    a_second(start)
}

async fn by_the_bus(address: String) -> f64 {
    let manner = Manner::new(Framing::Tcp, &Settings::default());
    let (bus, run) = bus(manner, Box::new(Dial::new(vec![address], PATIENCE)));
    let task = tokio::spawn(run);
    let start = Instant::now();
    for _ in 0..REQUESTS {
        let read = Request::Read { table: Table::Holding, at: 0, count: REGISTERS };
        let until = tokio::time::Instant::now() + PATIENCE;
        let answer = bus.ask(1, read, until, Urgency::Poll).await;
        assert!(matches!(answer, Ok(Answer::Words(words)) if words.len() == usize::from(REGISTERS)));
    }
    let rate = a_second(start);
    drop(bus);
    task.await.expect("the bus ends");
    rate
}
