//! Messages to a real broker, each acknowledged, against a bare event loop of rumqttc in the same run.

mod row;
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use dmgw::upstream::mqtt::run::Run;
use dmgw::upstream::mqtt::{Bounds, Client, Connect, Event, Message};
use rumqttc::NetworkOptions;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::{AsyncClient, Event as Theirs, Incoming, MqttOptions};
use support::mosquitto::Mosquitto;
use tokio::net::TcpStream;

const MESSAGES: u64 = 20_000;
const PAYLOAD: usize = 1_024;
const WINDOW: u16 = 64;
/// What a message weighs beside its payload, and more.
const ROUGHLY: usize = 64;
/// Turn and turn about, and the best of each: what else the machine does meets both.
const ROUNDS: usize = 8;

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let settings = format!("allow_anonymous true\nmax_inflight_messages {WINDOW}");
    let broker = Mosquitto::start("upstream-messages", &settings).expect("tests/tools.sh mqtt installs it");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (mut ours, mut bare) = (0f64, 0f64);
    for _ in 0..ROUNDS {
        bare = bare.max(runtime.block_on(by_the_library(broker.port())));
        ours = ours.max(runtime.block_on(by_the_machine(broker.port())));
    }
    let settings =
        [("window", WINDOW.to_string()), ("payload", PAYLOAD.to_string()), ("messages", MESSAGES.to_string())];
    row::Row::new("upstream-messages", ours, Some(bare), &settings).write();
}

fn a_second(start: Instant) -> f64 {
    MESSAGES as f64 / start.elapsed().as_secs_f64()
}

async fn by_the_library(port: u16) -> f64 {
    let mut options = MqttOptions::new("bare", "127.0.0.1", port);
    options.set_outgoing_inflight_upper_limit(WINDOW).set_keep_alive(Duration::from_secs(60));
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    let (client, mut eventloop) = AsyncClient::new(options, WINDOW.into());
    let payload = vec![7; PAYLOAD];
    let gives = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            client.publish("up", QoS::AtLeastOnce, false, payload.clone()).await.expect("it is taken");
        }
        client
    });
    let (mut start, mut acknowledged) = (Instant::now(), 0);
    while acknowledged < MESSAGES {
        match eventloop.poll().await.expect("the broker is there") {
            Theirs::Incoming(Incoming::ConnAck(_)) => start = Instant::now(),
            Theirs::Incoming(Incoming::PubAck(_)) => acknowledged += 1,
            _ => {}
        }
    }
    let rate = a_second(start);
    gives.await.expect("all was given");
    rate
}

async fn by_the_machine(port: u16) -> f64 {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the broker is there");
    stream.set_nodelay(true).expect("a TCP connection");
    let (mut client, mut run) = (Client::new(Instant::now(), bounds()), Run::new(stream));
    client.connect(Instant::now(), &Connect { clean: true, ..Connect::new("ours") }).expect("it can be sent");
    let (mut start, mut given, mut acknowledged) = (Instant::now(), 0, 0);
    let payload = vec![7; PAYLOAD];
    while acknowledged < MESSAGES {
        match run.next(&mut client).await {
            Event::Connected(_) => start = Instant::now(),
            Event::Acknowledged { .. } => acknowledged += 1,
            other => panic!("{other:?}"),
        }
        while given < MESSAGES && client.room() > PAYLOAD + ROUGHLY {
            client.publish(Instant::now(), given, Message::new("up", payload.clone())).expect("there is room");
            given += 1;
        }
    }
    a_second(start)
}

fn bounds() -> Bounds {
    Bounds { window: WINDOW, ..Bounds::default() }
}
