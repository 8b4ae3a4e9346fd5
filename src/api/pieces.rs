//! The body of an answer without an end: the next piece is made when the last one is on its way.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Bytes;
use hyper::body::Frame;

/// A piece, and what makes the next one; none when it is over.
pub type Making<S> = Pin<Box<dyn Future<Output = Option<(Bytes, S)>> + Send>>;

pub struct Pieces<S> {
    making: Option<Making<S>>,
    make: fn(S) -> Making<S>,
}

impl<S> Pieces<S> {
    pub fn of(first: S, make: fn(S) -> Making<S>) -> Pieces<S> {
        Pieces { making: Some(make(first)), make }
    }
}

impl<S> hyper::body::Body for Pieces<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(making) = &mut self.making else { return Poll::Ready(None) };
        let made = ready!(making.as_mut().poll(cx));
        self.making = None;
        Poll::Ready(made.map(|(piece, rest)| {
            self.making = Some((self.make)(rest));
            Ok(Frame::data(piece))
        }))
    }
}
