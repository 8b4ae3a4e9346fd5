//! tokio-modbus, kept away from the port: it writes requests and reads answers in memory.
//!
//! On a port of its own it takes a late answer for the next one, for ever; it takes short answers; after a time-out on
//! TCP it refuses everything that follows. Here it sees a frame only after [`Line`] has found it whole and right, and
//! it has no bytes left when it is asked again. Its numbers of transactions go on over many connections, so an answer
//! that a gateway holds back over a new connection is known as a late one.

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
use super::super::wire::{Answer, Asked, Odd, Request, Wrong, answer};
use super::line::Line;

/// What the library takes for its port. It is asked only when something is there for it, so nobody need be woken.
#[derive(Clone, Debug, Default)]
struct Slot(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    asked: Vec<u8>,
    answer: Vec<u8>,
}

impl Slot {
    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing that is done under this lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Slot {
    fn poll_read(self: Pin<&mut Self>, _: &mut Waker<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut held = self.held();
        if held.answer.is_empty() {
            return Poll::Pending;
        }
        let some = held.answer.len().min(into.remaining());
        into.put_slice(&held.answer[..some]);
        held.answer.drain(..some);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Slot {
    fn poll_write(self: Pin<&mut Self>, _: &mut Waker<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.held().asked.extend_from_slice(bytes);
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
        let result = self.exchange(line, unit, request, within).await;
        if matches!(result, Err(Wrong::NotAnAnswer(Odd::Senseless(_)))) {
            // It may hold on to what it could not read.
            *self = Codec::new(self.frames);
        }
        result
    }

    /// To all units; none answers.
    pub async fn tell(&mut self, line: &mut Line, request: &Request) -> Result<Answer, Wrong> {
        self.context.set_slave(Slave::broadcast());
        let mut call = self.context.call(request.spoken());
        let adu = encoded(&self.slot, once(&mut call).await)?;
        line.send(&adu).await?;
        Ok(Answer::Told)
    }

    async fn exchange(
        &mut self,
        line: &mut Line,
        unit: u8,
        request: &Request,
        within: Duration,
    ) -> Result<Answer, Wrong> {
        self.context.set_slave(Slave(unit));
        let mut call = self.context.call(request.spoken());
        let adu = encoded(&self.slot, once(&mut call).await)?;
        let pdu = match self.frames {
            Frames::Rtu => adu.get(1..adu.len().saturating_sub(AROUND - 1)),
            Frames::Tcp => adu.get(HEAD..),
        };
        let asked = Asked { unit, request, pdu: pdu.unwrap_or_default() };
        line.send(&adu).await?;
        let answered = line.answer(&asked, &adu, within).await?;
        // For an exception, too: the library would not know it after a raw request.
        answer::check(&asked, answered.pdu())?;
        if let Some(answer) = answer::read_here(request, answered.pdu()) {
            return Ok(answer);
        }
        self.slot.held().answer = answered.frame;
        let senseless = |why: String| Wrong::NotAnAnswer(Odd::Senseless(why));
        match once(&mut call).await {
            Some(Ok(Ok(response))) => answer::heard(request, response).map_err(Wrong::NotAnAnswer),
            Some(Ok(Err(exception))) => Err(senseless(exception.to_string())),
            Some(Err(error)) => Err(senseless(error.to_string())),
            None => Err(senseless("it is not whole".into())),
        }
    }
}

type Spoken = tokio_modbus::Result<tokio_modbus::Response>;

/// The library never has to wait: what it needs is there, or will not come.
async fn once(call: &mut Pin<Box<dyn Future<Output = Spoken> + Send + '_>>) -> Option<Spoken> {
    std::future::poll_fn(|waker| {
        Poll::Ready(match call.as_mut().poll(waker) {
            Poll::Ready(spoken) => Some(spoken),
            Poll::Pending => None,
        })
    })
    .await
}

/// The request as the library wrote it.
fn encoded(slot: &Slot, ended: Option<Spoken>) -> Result<Vec<u8>, Wrong> {
    let mut held = slot.held();
    held.answer.clear();
    match ended {
        None => Ok(std::mem::take(&mut held.asked)),
        Some(spoken) => {
            held.asked.clear();
            Err(Wrong::NotSent(format!("it could not be written: {spoken:?}")))
        }
    }
}
