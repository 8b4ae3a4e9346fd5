//! Drives the machine over a stream: one read and one write for many packets.
//!
//! [`Run::next`] gives one event after the other and may be dropped at any time, so a caller can wait for it and for what
//! is to be published at once. What the caller publishes between two events goes out in one write, when there is no event
//! left to tell. Deadlines are looked at only when nothing could be read, so that a process that was stopped for a while
//! does not take its own sleep for the broker's silence.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::client::Client;
use super::event::Event;

/// What one read takes: some acknowledgements, or a request.
const READ: usize = 8 * 1024;

pub struct Run<S> {
    stream: S,
    buffer: Box<[u8]>,
    sleep: Pin<Box<Sleep>>,
    unflushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Run<S> {
    pub fn new(stream: S) -> Run<S> {
        let sleep = Box::pin(sleep_until(Instant::now()));
        Run { stream, buffer: vec![0; READ].into(), sleep, unflushed: false }
    }

    /// The next event; not after [`Event::Ended`], for then there is none.
    pub async fn next(&mut self, client: &mut Client) -> Event {
        poll_fn(|cx| self.poll_next(cx, client)).await
    }

    /// After the end: what the broker should still hear, as far as it takes that in time.
    pub async fn close(mut self, client: &mut Client, within: Duration) {
        let last = async {
            self.stream.write_all(client.output()).await?;
            self.stream.shutdown().await
        };
        // Nobody waits for it; the connection is over.
        let _ = timeout(within, last).await;
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, client: &mut Client) -> Poll<Event> {
        loop {
            let now = Instant::now().into_std();
            if let Some(event) = client.poll(now) {
                return Poll::Ready(event);
            }
            let wrote = self.write(cx, client);
            // Also after a failed write: why the broker closed may still be there.
            let read = self.read(cx, client);
            match (wrote, read) {
                (_, Poll::Ready(())) | (Poll::Ready(Ok(())), _) => {}
                (Poll::Ready(Err(error)), Poll::Pending) => client.closed(Some(error)),
                (Poll::Pending, Poll::Pending) => ready!(self.wait(cx, client)),
            }
        }
    }

    /// Ready where something was written or that failed; pending where nothing is to be, or can be for now.
    fn write(&mut self, cx: &mut Context<'_>, client: &mut Client) -> Poll<io::Result<()>> {
        if client.output().is_empty() {
            return self.flush(cx);
        }
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, client.output()))?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.unflushed = true;
        client.wrote(Instant::now().into_std(), count);
        Poll::Ready(Ok(()))
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.unflushed {
            return Poll::Pending;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.unflushed = false;
        Poll::Pending
    }

    fn read(&mut self, cx: &mut Context<'_>, client: &mut Client) -> Poll<()> {
        if !client.wants_input() {
            return Poll::Pending;
        }
        let mut buffer = ReadBuf::new(&mut self.buffer);
        match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
            Ok(()) if buffer.filled().is_empty() => client.closed(None),
            Ok(()) => client.received(Instant::now().into_std(), buffer.filled()),
            Err(error) => client.closed(Some(error)),
        }
        Poll::Ready(())
    }

    /// Until the next deadline; ready where one has passed, and was looked at.
    fn wait(&mut self, cx: &mut Context<'_>, client: &mut Client) -> Poll<()> {
        let Some(at) = client.wake_at().map(Instant::from_std) else { return Poll::Pending };
        if self.sleep.deadline() != at {
            self.sleep.as_mut().reset(at);
        }
        ready!(self.sleep.as_mut().poll(cx));
        client.tick(Instant::now().into_std());
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;
    use crate::upstream::mqtt::{Bounds, Connect, End, Message};

    const WELCOME: &[u8] = &[0x20, 3, 0, 0, 0];

    async fn up(room: usize) -> (Client, Run<DuplexStream>, DuplexStream) {
        let (ours, mut theirs) = duplex(room);
        let (mut client, mut run) = (Client::new(now(), Bounds::default()), Run::new(ours));
        client.connect(now(), &Connect::new("gateway")).unwrap();
        theirs.write_all(WELCOME).await.unwrap();
        assert!(matches!(run.next(&mut client).await, Event::Connected(_)));
        (client, run, theirs)
    }

    fn now() -> std::time::Instant {
        Instant::now().into_std()
    }

    /// All that lies in the stream by now.
    async fn lies(theirs: &mut DuplexStream) -> Vec<u8> {
        let mut bytes = vec![0; 4_096];
        let count = theirs.read(&mut bytes).await.unwrap();
        bytes.truncate(count);
        bytes
    }

    #[tokio::test(start_paused = true)]
    async fn many_messages_go_in_one_write() {
        let (mut client, mut run, mut theirs) = up(4_096).await;
        lies(&mut theirs).await;
        (0..10).for_each(|token| client.publish(now(), token, Message::new("t", "x")).unwrap());
        assert!(timeout(Duration::from_secs(1), run.next(&mut client)).await.is_err(), "nothing has happened");
        assert_eq!(lies(&mut theirs).await.len(), 90);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_may_give_up_at_any_time_and_nothing_is_lost() {
        // So little room that each packet takes several writes and reads.
        let (mut client, mut run, mut theirs) = up(64).await;
        let peer = tokio::spawn(async move {
            let mut heard = Vec::new();
            let mut bytes = [0; 16];
            while heard.iter().filter(|byte| **byte == b'!').count() < 50 {
                let count = theirs.read(&mut bytes).await.unwrap();
                heard.extend_from_slice(&bytes[..count]);
                tokio::task::yield_now().await;
            }
            for id in 1..=50 {
                for byte in [0x40, 2, 0, id] {
                    theirs.write_all(&[byte]).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
            theirs
        });
        (0..50).for_each(|token| client.publish(now(), token, Message::new("t", "!")).unwrap());
        let mut told = Vec::new();
        while told.len() < 50 {
            // Each wait is a future of its own that is polled once and dropped.
            let event = poll_fn(|cx| std::pin::pin!(run.next(&mut client)).poll(cx)).await;
            match event {
                Event::Acknowledged { token, .. } => told.push(token),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(told, (0..50).collect::<Vec<_>>());
        drop(peer.await.unwrap());
        assert!(matches!(run.next(&mut client).await, Event::Ended(End::Closed { error: None })));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_left_after_a_ping_and_no_earlier() {
        let (mut client, mut run, mut theirs) = up(4_096).await;
        let from = Instant::now();
        lies(&mut theirs).await;
        assert!(matches!(run.next(&mut client).await, Event::Ended(End::Silent { .. })));
        let waited = from.elapsed().as_secs();
        assert!((100..=120).contains(&waited), "{waited} s");
        assert_eq!(lies(&mut theirs).await, [0xc0, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn why_the_broker_closed_is_read_though_nothing_can_be_written_any_more() {
        let (mut client, mut run, mut theirs) = up(4_096).await;
        theirs.write_all(&[0xe0, 1, 0x8e]).await.unwrap();
        drop(theirs);
        client.publish(now(), 1, Message::new("t", "x")).unwrap();
        assert!(matches!(run.next(&mut client).await, Event::Ended(End::Told { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_stopped_for_hours_reads_before_it_judges() {
        let (mut client, mut run, mut theirs) = up(4_096).await;
        client.publish(now(), 7, Message::new("t", "x")).unwrap();
        assert!(timeout(Duration::from_millis(1), run.next(&mut client)).await.is_err());
        theirs.write_all(&[0x40, 2, 0, 1]).await.unwrap();
        tokio::time::advance(Duration::from_secs(7_200)).await;
        assert_eq!(run.next(&mut client).await, Event::Acknowledged { token: 7, heard: true });
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_words_are_written_and_nobody_waits_for_them_for_ever() {
        let (mut client, mut run, mut theirs) = up(4_096).await;
        lies(&mut theirs).await;
        theirs.write_all(&[0xc0, 0]).await.unwrap();
        assert!(matches!(run.next(&mut client).await, Event::Ended(End::Broken(_))));
        run.close(&mut client, Duration::from_secs(1)).await;
        assert_eq!(lies(&mut theirs).await, [0xe0, 1, 0x82]);

        let (mut client, mut run, theirs) = up(64).await;
        client.publish(now(), 1, Message::new("t", vec![0; 9_000])).unwrap();
        client.disconnect(now(), false);
        let from = Instant::now();
        assert!(matches!(run.next(&mut client).await, Event::Ended(End::Silent { .. })), "it reads no more");
        run.close(&mut client, Duration::from_secs(1)).await;
        assert!(from.elapsed() < Duration::from_secs(60));
        drop(theirs);
    }
}
