//! tokio-modbus, kept away from the port: it writes requests, in memory.
//!
//! On a port of its own it takes a late answer for the next one, for ever; it takes short answers; after a time-out on
//! TCP it refuses everything that follows. So an answer is nothing for it: [`Line`] finds the one that is whole and right,
//! and reads it. The library's numbers of transactions go on over many connections, so an answer that a gateway holds
//! back over a new connection is known as a late one.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as Waker, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_modbus::Slave;
use tokio_modbus::client::{Client, Context, rtu, tcp};
use tokio_modbus::prelude::SlaveContext;

use super::super::wire::rtu::AROUND;
use super::super::wire::tcp::HEAD;
use super::super::wire::told::Frames;
use super::super::wire::{Answer, Asked, Request, Wrong};
use super::line::Line;

/// What the library takes for its port, and where it leaves its bytes. Nothing ever comes to it, so it waits in vain until
/// its future is dropped.
#[derive(Clone, Debug, Default)]
struct Slot(Arc<Mutex<Vec<u8>>>);

impl Slot {
    fn held(&self) -> MutexGuard<'_, Vec<u8>> {
        // Nothing that is done under this lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its room serves the next request.
    fn take_back(&self, mut adu: Vec<u8>) {
        adu.clear();
        *self.held() = adu;
    }
}

impl AsyncRead for Slot {
    fn poll_read(self: Pin<&mut Self>, _: &mut Waker<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Slot {
    fn poll_write(self: Pin<&mut Self>, _: &mut Waker<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.held().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Waker<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Waker<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

pub struct Codec {
    context: Context,
    slot: Slot,
    frames: Frames,
}

impl Codec {
    pub fn new(frames: Frames) -> Codec {
        let slot = Slot::default();
        let context = match frames {
            Frames::Rtu => rtu::attach(slot.clone()),
            Frames::Tcp => tcp::attach(slot.clone()),
        };
        Codec { context, slot, frames }
    }

    /// To one unit, over a line that is ready. The caller has doubts after any error but an exception.
    pub async fn ask(
        &mut self,
        line: &mut Line,
        unit: u8,
        request: &Request,
        within: Duration,
    ) -> Result<Answer, Wrong> {
        let adu = self.written(Slave(unit), request).await?;
        let pdu = match self.frames {
            Frames::Rtu => adu.get(1..adu.len().saturating_sub(AROUND - 1)),
            Frames::Tcp => adu.get(HEAD..),
        };
        let asked = Asked { unit, request, pdu: pdu.unwrap_or_default() };
        line.send(&adu).await?;
        let answered = line.answer(&asked, &adu, within).await;
        self.slot.take_back(adu);
        answered
    }

    /// To all units; none answers.
    pub async fn tell(&mut self, line: &mut Line, request: &Request) -> Result<Answer, Wrong> {
        let adu = self.written(Slave::broadcast(), request).await?;
        line.send(&adu).await?;
        Ok(Answer::Told)
    }

    /// The frame of a request.
    async fn written(&mut self, to: Slave, request: &Request) -> Result<Vec<u8>, Wrong> {
        self.context.set_slave(to);
        let mut call = self.context.call(request.spoken());
        // It writes at once what it has to write, and then waits for an answer.
        let ended = poll_fn(|waker| match call.as_mut().poll(waker) {
            Poll::Ready(spoken) => Poll::Ready(Some(spoken)),
            Poll::Pending => Poll::Ready(None),
        });
        let ended = ended.await;
        let written = std::mem::take(&mut *self.slot.held());
        match ended {
            None => Ok(written),
            Some(spoken) => Err(Wrong::NotSent(format!("it could not be written: {spoken:?}"))),
        }
    }
}
