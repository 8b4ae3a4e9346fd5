//! Guests of the bus: after commands, beside polls, and told at once what the others wait for.

use super::peer::words;
use super::*;
use crate::links::modbus::wire::Exception;

async fn visits(bus: &Bus, unit: u8, at: u16) -> Result<Answer, Wrong> {
    bus.ask(unit, read(at, 1), soon(), Urgency::Guest).await
}

/// The bus is held by a poll meanwhile, so all of them wait: where each reads, as it was asked.
#[tokio::test(start_paused = true)]
async fn a_command_goes_before_guests_and_polls_have_their_turn_between_them() {
    let (bus, mut ends) = rtu();
    let ask = |at: u16, urgency: Urgency| {
        let bus = bus.clone();
        tokio::spawn(async move { bus.ask(7, read(at, 1), soon(), urgency).await })
    };
    let mut answers = vec![ask(1, Urgency::Poll)];
    let mut peer = ends.next().await;
    let mut order = vec![peer.asked().await.1[2]];
    for at in [21, 22, 23] {
        answers.push(ask(at, Urgency::Guest));
    }
    answers.extend([ask(2, Urgency::Poll), ask(3, Urgency::Poll), ask(10, Urgency::Command)]);
    tokio::time::sleep(Duration::from_millis(10)).await;
    for _ in 0..6 {
        peer.answers(7, &words(&[0])).await;
        order.push(peer.asked().await.1[2]);
    }
    peer.answers(7, &words(&[0])).await;
    for answer in answers {
        assert!(answer.await.unwrap().is_ok());
    }
    assert_eq!(order, [1, 10, 21, 2, 22, 3, 23]);
}

#[tokio::test(start_paused = true)]
async fn a_guest_hears_at_once_that_a_unit_is_busy_or_left_alone() {
    let (bus, mut ends) = rtu();
    let asking = bus.clone();
    let first = tokio::spawn(async move { visits(&asking, 7, 0).await });
    let mut peer = ends.next().await;
    peer.asked().await;
    peer.answers(7, &[0x83, 6]).await;
    assert_eq!(first.await.unwrap(), Err(Wrong::Exception(Exception::Busy)));
    assert_eq!(polled(&bus, 9, 0, 1).await, Err(Wrong::Silent));
    peer.asked().await;
    let began = Instant::now();
    assert_eq!(visits(&bus, 9, 0).await, Err(Wrong::Silent));
    assert_eq!(began.elapsed(), Duration::ZERO);
    // A poll waits for its turn, and then it is asked.
    let waits = tokio::spawn(async move { polled(&bus, 9, 5, 1).await });
    assert_eq!(peer.asked().await, (9, vec![3, 0, 5, 0, 1]));
    peer.answers(9, &words(&[3])).await;
    assert_eq!(waits.await.unwrap(), Ok(Answer::Words(vec![3])));
}
