//! One listener's pieces in false time: their size, their pace, and that they end.

use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::api::tests::{World, world};
use crate::feed::News;
use crate::model::Now;
use crate::model::record::{Entry, Record};

const START: Numbers = [0; 3];

fn listening(world: &World) -> Flow {
    let door = world.door.clone();
    let listener = door.live.feed.listen(true).unwrap();
    door.live.feed.put(&Now::default(), News { next: [1; 3], ..News::default() });
    let position = Position { journal: door.snapshots.journal(), last: START };
    Flow::new(door, listener, Sight::new(true, |_| true), None, [true; 3], position, false)
}

/// An event whose text is so long.
fn event(world: &World, no: u64, length: usize) {
    let says = "x".repeat(length);
    let record = Record::Settings { says };
    let records = vec![(no, Entry { at: Now::default(), of: None, record })];
    let news = News { records, next: [1, no + 1, 1], ..News::default() };
    world.door.live.feed.put(&Now::default(), news);
}

async fn piece(flow: &mut Flow) -> String {
    String::from_utf8(flow.next().await.expect("a piece").into()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn it_begins_with_where_it_is_and_when_to_come_back() {
    let mut flow = listening(&world());
    let journal = flow.position.journal;
    assert_eq!(piece(&mut flow).await, format!("retry: 2000\nid: {journal}.0.0.0\n\n"));
}

#[tokio::test(start_paused = true)]
async fn without_news_there_is_a_comment_now_and_then() {
    let mut flow = listening(&world());
    piece(&mut flow).await;
    for _ in 0..3 {
        let began = Instant::now();
        assert!(piece(&mut flow).await.ends_with(".0.0.0\n:\n\n"));
        assert_eq!(began.elapsed().as_secs(), 15);
    }
}

#[tokio::test(start_paused = true)]
async fn news_after_a_rest_come_at_once_and_a_flood_of_them_in_few_pieces() {
    let world = world();
    let mut flow = listening(&world);
    piece(&mut flow).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    let began = Instant::now();
    event(&world, 1, 1);
    assert!(piece(&mut flow).await.contains("id: "));
    assert_eq!(began.elapsed(), Duration::ZERO);
    let flood = async {
        for no in 2..1_002 {
            event(&world, no, 1);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let (mut pieces, mut messages) = (0, 0);
    let taking = async {
        while messages < 1_000 {
            messages += piece(&mut flow).await.matches("event: events").count();
            pieces += 1;
        }
    };
    tokio::join!(flood, taking);
    assert!((30..=45).contains(&pieces), "{pieces} pieces in a second");
}

#[tokio::test(start_paused = true)]
async fn a_piece_is_bounded_whatever_happened_meanwhile() {
    let world = world();
    let mut flow = listening(&world);
    piece(&mut flow).await;
    (1..=50).for_each(|no| event(&world, no, 8_000));
    let (mut messages, mut largest) = (0, 0);
    while messages < 50 {
        let piece = piece(&mut flow).await;
        messages += piece.matches("event: events").count();
        largest = largest.max(piece.len());
    }
    assert!((32 << 10..64 << 10).contains(&largest), "{largest}");
    assert_eq!(flow.position.last, [0, 50, 0]);
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_the_daemon() {
    let world = world();
    let mut flow = listening(&world);
    piece(&mut flow).await;
    world.door.live.feed.close();
    assert!(flow.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_about_no_device_is_for_those_who_see_everything() {
    let world = world();
    for (everything, told) in [(true, 1), (false, 0)] {
        let mut flow = listening(&world);
        flow.sight = Sight::new(everything, |_| true);
        flow.position.last = START;
        piece(&mut flow).await;
        event(&world, 1, 1);
        let said = piece(&mut flow).await;
        assert_eq!(said.matches("event: events").count(), told, "{said}");
        assert!(said.contains(".0.1.0\n"), "what it may not see is behind it all the same: {said}");
    }
}

#[test]
fn streams_are_named_as_in_the_journal() {
    assert_eq!(streams(Some("events,vital")).unwrap(), [true, true, false]);
    assert_eq!(streams(None).unwrap(), [true; 3]);
    for wrong in ["", "events,", "event", "Vital"] {
        assert!(streams(Some(wrong)).is_err(), "{wrong:?}");
    }
}

#[test]
fn nobody_is_taken_for_one_who_heard_of_what_did_not_happen_yet() {
    let journal = crate::store::JournalId([1; 16]);
    let known = |last| known(Position { journal, last }, &[5, 6, 7]);
    assert!(known([4, 5, 6]).is_ok() && known(START).is_ok());
    for last in [[5, 5, 6], [4, 6, 6], [4, 5, 7]] {
        assert_eq!(known(last).unwrap_err().status.as_u16(), 400);
    }
}
