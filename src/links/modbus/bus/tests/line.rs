//! What must never be taken for an answer, and what must.

use super::super::super::wire::rtu::framed;
use super::super::super::wire::{Exception, Odd, tcp};
use super::peer::words;
use super::*;

fn odd(result: Result<Answer, Wrong>) -> Odd {
    match result {
        Err(Wrong::NotAnAnswer(odd)) => odd,
        other => panic!("{other:?}"),
    }
}

async fn heard(says: impl AsyncFnOnce(&mut Peer)) -> Result<Answer, Wrong> {
    let (bus, mut ends) = rtu();
    let asking = bus.clone();
    let answer = tokio::spawn(async move { polled(&asking, 7, 100, 2).await });
    let mut peer = ends.next().await;
    assert_eq!(peer.asked().await, (7, vec![3, 0, 100, 0, 2]));
    says(&mut peer).await;
    answer.await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_taken_whole_or_in_pieces_and_after_noise() {
    let right = Ok(Answer::Words(vec![1, 2]));
    assert_eq!(heard(async |peer: &mut Peer| peer.answers(7, &words(&[1, 2])).await).await, right);
    let pieces = async |peer: &mut Peer| {
        for byte in framed(7, &words(&[1, 2])) {
            peer.says(&[byte]).await;
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    };
    assert_eq!(heard(pieces).await, right);
    let noise = async |peer: &mut Peer| peer.says(&[&[0xff, 0][..], &framed(7, &words(&[1, 2]))].concat()).await;
    assert_eq!(heard(noise).await, right);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_is_refused_by_its_name() {
    let says = async |bytes: Vec<u8>| odd(heard(async |peer: &mut Peer| peer.says(&bytes).await).await);
    let right = framed(7, &words(&[1, 2]));
    assert_eq!(says(framed(7, &words(&[1]))).await, Odd::Quantity { asked: 2, came: 1 });
    assert_eq!(says(framed(8, &words(&[1, 2]))).await, Odd::Unit(8));
    assert_eq!(says([right.clone(), right.clone()].concat()).await, Odd::More);
    assert_eq!(says(right[..6].to_vec()).await, Odd::Length);
    assert_eq!(says(vec![1, 2, 3]).await, Odd::Noise(3));
    let mut broken = right.clone();
    broken[4] ^= 1;
    assert_eq!(says(broken).await, Odd::Checksum);
    assert_eq!(heard(async |_: &mut Peer| {}).await, Err(Wrong::Silent));
    let exception = heard(async |peer: &mut Peer| peer.answers(7, &[0x83, 11]).await).await;
    assert_eq!(exception, Err(Wrong::Exception(Exception::NoAnswer)));
}

#[tokio::test(start_paused = true)]
async fn what_follows_within_the_silence_speaks_against_an_answer() {
    let after = async |pause: Duration| {
        heard(async |peer: &mut Peer| {
            peer.answers(7, &words(&[1, 2])).await;
            tokio::time::sleep(pause).await;
            peer.answers(7, &words(&[3, 4])).await;
        })
        .await
    };
    assert_eq!(odd(after(Duration::from_millis(1)).await), Odd::More);
    assert_eq!(after(Duration::from_millis(5)).await, Ok(Answer::Words(vec![1, 2])));
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_thrown_away_while_its_unit_is_kept_quiet() {
    let (bus, mut ends) = rtu();
    let asking = bus.clone();
    let first = tokio::spawn(async move { polled(&asking, 7, 0, 1).await });
    let mut peer = ends.next().await;
    peer.asked().await;
    assert_eq!(first.await.unwrap(), Err(Wrong::Silent));
    let asking = bus.clone();
    let second = tokio::spawn(async move { polled(&asking, 7, 1, 1).await });
    tokio::time::sleep(Duration::from_millis(900)).await;
    peer.answers(7, &words(&[0])).await;
    let (waited, asked) = peer.waits().await;
    assert!(waited >= Duration::from_millis(1_000), "{waited:?}");
    assert_eq!(asked, framed(7, &[3, 0, 1, 0, 1]));
    peer.answers(7, &words(&[1])).await;
    assert_eq!(second.await.unwrap(), Ok(Answer::Words(vec![1])));
}

#[tokio::test(start_paused = true)]
async fn others_are_asked_while_a_unit_is_kept_quiet_and_its_late_answer_disturbs_nobody() {
    let (bus, mut ends) = rtu();
    let asking = bus.clone();
    let first = tokio::spawn(async move { polled(&asking, 7, 0, 1).await });
    let mut peer = ends.next().await;
    peer.asked().await;
    assert_eq!(first.await.unwrap(), Err(Wrong::Silent));
    let other = tokio::spawn(async move { polled(&bus, 8, 5, 1).await });
    let (waited, _) = peer.waits().await;
    assert!(waited < Duration::from_millis(40), "{waited:?}");
    peer.says(&[framed(7, &words(&[0])), framed(8, &words(&[5]))].concat()).await;
    assert_eq!(other.await.unwrap(), Ok(Answer::Words(vec![5])));
}

#[tokio::test(start_paused = true)]
async fn tcp_makes_the_connection_anew_after_a_doubt_and_counts_on() {
    let (bus, mut ends) = tcp();
    let asking = bus.clone();
    let first = tokio::spawn(async move { polled(&asking, 1, 0, 1).await });
    let mut peer = ends.next().await;
    let (number, ..) = peer.asked_tcp().await;
    assert_eq!(first.await.unwrap(), Err(Wrong::Silent));
    let second = tokio::spawn(async move { polled(&bus, 1, 9, 1).await });
    let mut again = ends.next().await;
    assert!(peer.is_closed().await);
    let (next, ..) = again.asked_tcp().await;
    assert_ne!(number, next);
    again.says(&tcp::framed(next, 1, &words(&[9]))).await;
    assert_eq!(second.await.unwrap(), Ok(Answer::Words(vec![9])));
}

#[tokio::test(start_paused = true)]
async fn tcp_takes_only_the_answer_of_its_transaction_and_unit() {
    let says = async |make: fn(u16) -> Vec<u8>| {
        let (bus, mut ends) = tcp();
        let answer = tokio::spawn(async move { polled(&bus, 3, 0, 1).await });
        let mut peer = ends.next().await;
        let (number, ..) = peer.asked_tcp().await;
        peer.says(&make(number)).await;
        answer.await.unwrap()
    };
    assert_eq!(says(|n| tcp::framed(n, 3, &words(&[4]))).await, Ok(Answer::Words(vec![4])));
    assert_eq!(odd(says(|n| tcp::framed(n + 1, 3, &words(&[4]))).await), Odd::Transaction);
    assert_eq!(odd(says(|n| tcp::framed(n, 4, &words(&[4]))).await), Odd::Unit(4));
    assert_eq!(odd(says(|n| tcp::framed(n, 3, &words(&[4]))[..9].to_vec()).await), Odd::Length);
    assert_eq!(odd(says(|n| tcp::framed(n, 3, &words(&[4, 5]))).await), Odd::Quantity { asked: 1, came: 2 });
}
