//! A call as the port of a bus: what is said over it is sifted, and when the bus has doubts, the desk has it back.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Call, Desk};
use crate::links::modbus::bus::open::Port;

/// Longest read at once.
const READ: usize = 512;

#[derive(Debug)]
pub struct CalledPort {
    /// There until it is given back.
    call: Option<Call>,
    desk: Arc<Desk>,
    /// Of the request that goes out: bytes that are still to be written.
    left: usize,
    broken: bool,
}

impl CalledPort {
    pub fn new(call: Call, desk: Arc<Desk>) -> CalledPort {
        CalledPort { call: Some(call), desk, left: 0, broken: false }
    }

    /// The call; and whatever comes of it, an error or an end breaks it.
    fn over<T>(&mut self, act: impl FnOnce(&mut Call) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let Some(call) = &mut self.call else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        let done = act(call);
        self.broken |= matches!(done, Poll::Ready(Err(_)));
        done
    }
}

impl Port for CalledPort {}

impl Drop for CalledPort {
    fn drop(&mut self) {
        if let Some(mut call) = self.call.take()
            && call.sift.is_sound()
            && !self.broken
            && self.left == 0
        {
            call.sift.is_given_up();
            self.desk.held().given_back = Some(call);
        }
    }
}

impl AsyncRead for CalledPort {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let port = self.get_mut();
        let mut ended = false;
        let done = port.over(|call| {
            loop {
                let passes = call.sift.passes(into.remaining());
                if !passes.is_empty() {
                    into.put_slice(&passes);
                    return Poll::Ready(Ok(()));
                }
                let mut part = [0; READ];
                let mut came = ReadBuf::new(&mut part);
                ready!(Pin::new(&mut call.stream).poll_read(cx, &mut came))?;
                if came.filled().is_empty() {
                    ended = true;
                    return Poll::Ready(Ok(()));
                }
                call.sift.takes(came.filled());
            }
        });
        port.broken |= ended;
        done
    }
}

impl AsyncWrite for CalledPort {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let port = self.get_mut();
        // The bus writes a request whole, and goes on with the rest of it where not all was taken.
        let begins = std::mem::replace(&mut port.left, bytes.len()) == 0;
        let written = port.over(|call| {
            if begins {
                call.sift.asks(bytes);
            }
            Pin::new(&mut call.stream).poll_write(cx, bytes)
        });
        if let Poll::Ready(Ok(written)) = &written {
            port.left = port.left.saturating_sub(*written);
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().over(|call| Pin::new(&mut call.stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().over(|call| Pin::new(&mut call.stream).poll_shutdown(cx))
    }
}
