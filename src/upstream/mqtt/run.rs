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
