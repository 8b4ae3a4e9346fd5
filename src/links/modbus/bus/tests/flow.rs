//! Order, time, losses, lending.

use std::sync::atomic::Ordering;

use super::super::super::wire::Exception;
use super::super::super::wire::rtu::framed;
use super::peer::words;
use super::*;

#[tokio::test(start_paused = true)]
async fn a_command_goes_before_the_polls_that_wait() {
    let (bus, mut ends) = rtu();
    let mut answers = Vec::new();
    for at in 0..4 {
        let bus = bus.clone();
        answers.push(tokio::spawn(async move { polled(&bus, 7, at, 1).await }));
    }
    let mut peer = ends.next().await;
    peer.asked().await;
    let command = Request::WriteRegister { at: 50, value: 1 };
    let done = tokio::spawn(async move { bus.ask(7, command, soon(), Urgency::Command).await });
    tokio::time::sleep(Duration::from_millis(1)).await;
    peer.answers(7, &words(&[0])).await;
    let (_, write) = peer.asked().await;
    assert_eq!(write, [6, 0, 50, 0, 1]);
    peer.answers(7, &write).await;
    assert_eq!(done.await.unwrap(), Ok(Answer::Written));
    for _ in 0..3 {
        peer.asked().await;
        peer.answers(7, &words(&[0])).await;
    }
    for answer in answers {
        assert!(answer.await.unwrap().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn who_looks_around_goes_behind_the_polls_and_has_little_patience() {
    let (bus, mut ends) = rtu();
    let looking = bus.clone();
    let look = tokio::spawn(async move {
        let thinks = Some(Duration::from_millis(100));
        let began = Instant::now();
        let mut came = Vec::new();
        for unit in [8, 9] {
            came.push(looking.ask_briefly(unit, read(0, 1), soon(), Urgency::Scan, thinks).await);
        }
        (came, began.elapsed())
    });
    let mut peer = ends.next().await;
    assert_eq!(peer.asked().await.0, 8);
    let polls: Vec<_> = (0..2)
        .map(|at| {
            let bus = bus.clone();
            tokio::spawn(async move { polled(&bus, 7, at, 1).await })
        })
        .collect();
    // One question of who looks around is all that a poll waits for.
    for at in 0..2 {
        assert_eq!(peer.asked().await, (7, vec![3, 0, at, 0, 1]));
        peer.answers(7, &words(&[0])).await;
    }
    assert_eq!(peer.asked().await.0, 9);
    let (came, took) = look.await.unwrap();
    assert_eq!(came, [Err(Wrong::Silent), Err(Wrong::Silent)]);
    assert!(took < Duration::from_millis(400), "{took:?}");
    for poll in polls {
        assert!(poll.await.unwrap().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_leaves_the_bus_in_no_doubt() {
    let (bus, mut ends) = rtu();
    let asking = bus.clone();
    let first = tokio::spawn(async move { polled(&asking, 7, 0, 1).await });
    let mut peer = ends.next().await;
    peer.asked().await;
    first.abort();
    let second = tokio::spawn(async move { polled(&bus, 7, 1, 1).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    // The answer to the request that nobody waits for is not the one to the next.
    peer.answers(7, &words(&[0])).await;
    assert_eq!(peer.asked().await.1, [3, 0, 1, 0, 1]);
    peer.answers(7, &words(&[1])).await;
    assert_eq!(second.await.unwrap(), Ok(Answer::Words(vec![1])));
}

#[tokio::test(start_paused = true)]
async fn between_frames_the_line_is_silent_for_three_and_a_half_characters() {
    let (bus, mut ends) = rtu();
    let answers = tokio::spawn(async move { (polled(&bus, 7, 0, 1).await, polled(&bus, 7, 1, 1).await) });
    let mut peer = ends.next().await;
    peer.asked().await;
    peer.answers(7, &words(&[0])).await;
    let (silent, _) = peer.waits().await;
    assert!(silent >= PACE.silence() && silent < PACE.silence() * 2, "{silent:?}");
    peer.answers(7, &words(&[1])).await;
    assert_eq!(answers.await.unwrap().1, Ok(Answer::Words(vec![1])));
}

#[tokio::test(start_paused = true)]
async fn a_request_to_all_waits_for_nobody_and_leaves_the_line_alone() {
    let (bus, mut ends) = rtu();
    let asking = bus.clone();
    let told = tokio::spawn(async move {
        let all = Request::WriteRegister { at: 1, value: 2 };
        let told = asking.ask(0, all, soon(), Urgency::Command).await;
        (told, polled(&asking, 7, 0, 1).await)
    });
    let mut peer = ends.next().await;
    assert_eq!(peer.asked().await, (0, vec![6, 0, 1, 0, 2]));
    let (waited, _) = peer.waits().await;
    assert!(waited >= Duration::from_millis(100), "{waited:?}");
    peer.answers(7, &words(&[0])).await;
    assert_eq!(told.await.unwrap(), (Ok(Answer::Told), Ok(Answer::Words(vec![0]))));
    assert!(matches!(polled(&bus, 0, 0, 1).await, Err(Wrong::NotSent(_))));
}

#[tokio::test(start_paused = true)]
async fn a_busy_unit_is_asked_again_but_a_write_that_was_taken_is_not() {
    let (bus, mut ends) = rtu();
    let write = Request::WriteRegister { at: 1, value: 2 };
    let command = async |code: u8, mut peer: Peer| {
        let (asking, write) = (bus.clone(), write.clone());
        let done = tokio::spawn(async move { asking.ask(7, write, soon(), Urgency::Command).await });
        peer.asked().await;
        peer.answers(7, &[0x86, code]).await;
        (done, peer)
    };
    let (done, mut peer) = command(6, ends.next().await).await;
    let (waited, again) = peer.waits().await;
    assert!(waited >= Duration::from_millis(200), "{waited:?}");
    peer.says(&again).await;
    assert_eq!(done.await.unwrap(), Ok(Answer::Written));
    let (done, mut peer) = command(5, peer).await;
    assert_eq!(done.await.unwrap(), Err(Wrong::Exception(Exception::Acknowledge)));
    let asking = bus.clone();
    let read = tokio::spawn(async move { polled(&asking, 7, 3, 1).await });
    peer.asked().await;
    peer.answers(7, &[0x83, 5]).await;
    assert_eq!(peer.asked().await.1, [3, 0, 3, 0, 1]);
    peer.answers(7, &words(&[3])).await;
    assert_eq!(read.await.unwrap(), Ok(Answer::Words(vec![3])));
    let counts = bus.counts()[&7];
    assert_eq!((counts.asked, counts.answered, counts.exceptions), (5, 5, 3));
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_wants_a_pause_after_its_answers_gets_it_and_others_are_asked_meanwhile() {
    const PAUSE: Duration = Duration::from_millis(100);
    let (bus, mut ends) = rtu();
    bus.leave_between(7, PAUSE);
    let asking = |unit: u8| {
        let bus = bus.clone();
        tokio::spawn(async move { (polled(&bus, unit, 0, 1).await, polled(&bus, unit, 1, 1).await) })
    };
    let (tired, other) = (asking(7), asking(8));
    let (mut peer, mut answered, mut order) = (ends.next().await, None, Vec::new());
    for _ in 0..4 {
        let (unit, _) = peer.asked().await;
        if let Some(before) = answered.filter(|_| unit == 7) {
            assert!(Instant::now() - before >= PAUSE, "{:?}", Instant::now() - before);
        }
        peer.answers(unit, &words(&[0])).await;
        answered = if unit == 7 { Some(Instant::now()) } else { answered };
        order.push(unit);
    }
    assert_eq!(order, [7, 8, 8, 7]);
    assert!(tired.await.unwrap().1.is_ok() && other.await.unwrap().1.is_ok());
    // What is said of it last holds.
    bus.leave_between(7, Duration::ZERO);
    let tired = asking(7);
    tokio::time::sleep(PAUSE).await;
    peer.asked().await;
    peer.answers(7, &words(&[0])).await;
    assert!(peer.waits().await.0 < PAUSE);
    peer.answers(7, &words(&[0])).await;
    assert!(tired.await.unwrap().1.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_poll_of_a_unit_that_is_always_busy_ends_after_some_tries() {
    let (bus, mut ends) = rtu();
    let began = Instant::now();
    let asking = bus.clone();
    let read = tokio::spawn(async move { polled(&asking, 7, 0, 1).await });
    let mut peer = ends.next().await;
    for _ in 0..3 {
        peer.asked().await;
        peer.answers(7, &[0x83, 6]).await;
    }
    assert_eq!(read.await.unwrap(), Err(Wrong::Exception(Exception::Busy)));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_command_that_has_not_gone_out_by_its_time_is_said_so_at_once_and_never_goes_out() {
    let (bus, mut ends) = rtu();
    let polls = bus.clone();
    let poll = tokio::spawn(async move { polled(&polls, 7, 0, 1).await });
    let mut peer = ends.next().await;
    peer.asked().await;
    let until = Instant::now() + Duration::from_millis(50);
    let write = |at| Request::WriteRegister { at, value: 1 };
    let late = bus.ask(8, write(1), until, Urgency::Command).await;
    assert!(matches!(late, Err(Wrong::NotSent(_))), "{late:?}");
    assert!(Instant::now() < until + Duration::from_millis(5), "it is not waited for the bus");
    peer.answers(7, &words(&[0])).await;
    assert!(poll.await.unwrap().is_ok());
    // One that went out in time is waited for, though its time is over.
    let asking = bus.clone();
    let until = Instant::now() + Duration::from_millis(50);
    let sent = tokio::spawn(async move { asking.ask(8, write(2), until, Urgency::Command).await });
    let (_, asked) = peer.asked().await;
    assert_eq!(asked, [6, 0, 2, 0, 1], "and not the one before");
    tokio::time::sleep(Duration::from_millis(200)).await;
    peer.answers(8, &asked).await;
    assert_eq!(sent.await.unwrap(), Ok(Answer::Written));
}

#[tokio::test(start_paused = true)]
async fn a_lent_port_is_closed_until_its_time_or_until_it_is_taken_back() {
    let (bus, mut ends) = rtu();
    let mut peer = ends.next().await;
    bus.lend(Duration::from_secs(1_800)).await.unwrap();
    assert!(peer.is_closed().await);
    let Err(Wrong::NotSent(why)) = polled(&bus, 7, 0, 1).await else { panic!() };
    assert!(why.starts_with("the port is lent for another "), "{why}");
    bus.take_back().await;
    let mut peer = ends.next().await;
    bus.lend(Duration::from_secs(5)).await.unwrap();
    assert!(peer.is_closed().await);
    let began = Instant::now();
    ends.next().await;
    assert!(began.elapsed() >= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_port_that_goes_away_is_seen_at_once_and_opened_again() {
    let (bus, mut ends) = rtu();
    let asking = bus.clone();
    let first = tokio::spawn(async move { polled(&asking, 7, 0, 1).await });
    let mut peer = ends.next().await;
    peer.asked().await;
    peer.says(&framed(7, &words(&[0]))[..3]).await;
    drop(peer);
    let began = Instant::now();
    assert!(matches!(first.await.unwrap(), Err(Wrong::Lost(_))));
    assert_eq!(began.elapsed(), Duration::ZERO);
    ends.next().await;
}

#[tokio::test(start_paused = true)]
async fn who_looks_sees_nothing_of_a_connection_that_is_only_made_anew() {
    let (bus, mut ends) = tcp();
    let mut standing = bus.standing();
    standing.wait_for(|standing| matches!(standing, Standing::Open { .. })).await.unwrap();
    standing.mark_unchanged();
    for _ in 0..3 {
        let peer = ends.next().await;
        assert_eq!(polled(&bus, 1, 0, 1).await, Err(Wrong::Silent));
        drop(peer);
    }
    assert!(!standing.has_changed().unwrap());
    // One that cannot be made anew is told of.
    drop(ends);
    polled(&bus, 1, 0, 1).await.unwrap_err();
    standing.wait_for(|standing| matches!(standing, Standing::Down { .. })).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_port_that_is_not_there_is_told_at_once_and_tried_again() {
    let (mut opener, mut ends) = peer::opener();
    opener.fails = 3;
    let (bus, run) = bus(manner(Framing::Rtu(PACE)), Box::new(opener));
    tokio::spawn(run);
    let mut standing = bus.standing();
    standing.wait_for(|standing| matches!(standing, Standing::Down { .. })).await.unwrap();
    assert_eq!(polled(&bus, 7, 0, 1).await, Err(Wrong::NotSent("it is not there".into())));
    ends.next().await;
}

/// How long after it is back a port is open that was away for long, where somebody says so and where nobody does.
async fn open_again(said: bool) -> Duration {
    let (opener, mut ends) = peer::opener();
    let (away, stir) = (opener.away.clone(), opener.stir.clone());
    away.store(true, Ordering::Relaxed);
    let (_bus, run) = bus(manner(Framing::Rtu(PACE)), Box::new(opener));
    tokio::spawn(run);
    tokio::time::sleep(Duration::from_secs(600)).await;
    // Now it is tried in vain, and the longest pause begins.
    stir.notify_one();
    tokio::time::sleep(Duration::from_millis(1)).await;
    away.store(false, Ordering::Relaxed);
    if said {
        stir.notify_one();
    }
    let began = Instant::now();
    ends.next().await;
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_port_that_was_away_for_long_is_open_again_as_soon_as_somebody_says_that_it_is_back() {
    assert_eq!(open_again(true).await, Duration::ZERO);
    let unsaid = open_again(false).await;
    assert!(unsaid > Duration::from_secs(20), "{unsaid:?}");
}

#[tokio::test(start_paused = true)]
async fn an_identification_is_asked_for_until_it_is_whole() {
    let (bus, mut ends) = rtu();
    let asked = tokio::spawn(async move { identify::identify(&bus, 7, 1, soon(), Urgency::Poll).await });
    let mut peer = ends.next().await;
    assert_eq!(peer.asked().await.1, [43, 14, 1, 0]);
    peer.answers(7, &[43, 14, 1, 0x82, 0xff, 1, 1, 0, 2, b'A', b'B']).await;
    assert_eq!(peer.asked().await.1, [43, 14, 1, 1]);
    peer.answers(7, &[43, 14, 1, 0x82, 0, 0, 2, 1, 1, b'C', 2, 1, b'D']).await;
    let identity = asked.await.unwrap().unwrap();
    let texts: Vec<&[u8]> = identity.objects.iter().map(|(_, text)| text.as_slice()).collect();
    assert_eq!(texts, [b"AB".as_slice(), b"C", b"D"]);
}

#[tokio::test(start_paused = true)]
async fn every_function_comes_through() {
    let (bus, mut ends) = rtu();
    let mut peer = ends.next().await;
    for (request, asked, answer, means) in [
        (Request::Read { table: Table::Coil, at: 1, count: 3 }, vec![1, 0, 1, 0, 3], vec![1, 1, 5], {
            Answer::Bits(vec![true, false, true])
        }),
        (Request::Read { table: Table::Input, at: 1, count: 1 }, vec![4, 0, 1, 0, 1], vec![4, 2, 1, 0], {
            Answer::Words(vec![256])
        }),
        (Request::WriteCoil { at: 1, on: true }, vec![5, 0, 1, 0xff, 0], vec![5, 0, 1, 0xff, 0], Answer::Written),
        (
            Request::WriteCoils { at: 1, on: vec![true, true] },
            vec![15, 0, 1, 0, 2, 1, 3],
            vec![15, 0, 1, 0, 2],
            Answer::Written,
        ),
        (
            Request::WriteRegisters { at: 1, values: vec![1] },
            vec![16, 0, 1, 0, 1, 2, 0, 1],
            vec![16, 0, 1, 0, 1],
            Answer::Written,
        ),
        (
            Request::MaskWrite { at: 1, and: 2, or: 3 },
            vec![22, 0, 1, 0, 2, 0, 3],
            vec![22, 0, 1, 0, 2, 0, 3],
            Answer::Written,
        ),
        // 17 with a run status that tokio-modbus would refuse.
        (Request::ServerId, vec![17], vec![17, 3, 9, 7, b'X'], Answer::ServerId(vec![9, 7, b'X'])),
        (Request::Diagnose { sub: 11, data: 0 }, vec![8, 0, 11, 0, 0], vec![8, 0, 11, 0, 5], Answer::Diagnosed(5)),
        (Request::Raw { function: 0x41, data: vec![1, 2] }, vec![0x41, 1, 2], vec![0x41, 9], Answer::Raw(vec![9])),
    ] {
        let bus = bus.clone();
        let done = tokio::spawn(async move { bus.ask(7, request, soon(), Urgency::Command).await });
        assert_eq!(peer.asked().await, (7, asked));
        peer.answers(7, &answer).await;
        assert_eq!(done.await.unwrap(), Ok(means));
    }
}

#[tokio::test(start_paused = true)]
async fn who_listens_sees_every_frame_and_what_was_made_of_it() {
    let (bus, mut ends) = rtu();
    let mut frames = bus.listen();
    let answer = tokio::spawn(async move { (polled(&bus, 7, 0, 1).await, bus) });
    let mut peer = ends.next().await;
    peer.asked().await;
    peer.answers(7, &words(&[3])).await;
    let (_, _bus) = answer.await.unwrap();
    peer.answers(9, &words(&[4])).await;
    for told in [
        "unit 7: read holding registers 0 to 0",
        "unit 7: read holding registers = 3",
        "thrown away: unit 9: read holding registers = 4",
    ] {
        assert_eq!(frames.recv().await.unwrap().told(), told);
    }
}
