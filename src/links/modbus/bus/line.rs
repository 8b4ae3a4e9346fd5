//! The bytes: silence before a request, and after it one whole, right answer or nothing.
//!
//! Invariants: nothing is taken that came before the request had gone out; nothing is taken that something follows, on a
//! serial line for as long as a frame needs to end. Every wait has an end.

use std::io;
use std::ops::Range;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::super::wire::told::Way;
use super::super::wire::{Answer, Asked, Heard, Wrong, answer, rtu, tcp};
use super::open::Port;
use super::settings::Framing;
use super::trace::{Made, Tracer};

/// How long a line that is never silent is waited for.
const BABBLE: Duration = Duration::from_secs(1);
/// Adapters on USB hold bytes back for up to 16 ms, so the end of a broken frame may come that late.
const HELD_BACK: Duration = Duration::from_millis(20);
/// Longest read at once: longer than any frame.
const READ: usize = 512;
/// How long the port may take a request for, on top of what its bytes take.
const STUCK: Duration = Duration::from_secs(2);

/// Why nothing was sent.
#[derive(Debug)]
pub enum Unready {
    /// The port has ended, or what comes over it belongs to nothing: another one is needed.
    Gone(String),
    Babble,
}

#[derive(Debug)]
pub struct Line {
    port: Box<dyn Port>,
    framing: Framing,
    tracer: Tracer,
    /// When the last byte passed, either way.
    last: Instant,
    silence: Duration,
    heard: Vec<u8>,
}

impl Line {
    pub fn new(port: Box<dyn Port>, framing: Framing, tracer: Tracer) -> Line {
        // Whoever had the port before may have spoken until now.
        let (last, silence) = (Instant::now(), framing.silence());
        Line { port, framing, tracer, last, silence, heard: Vec::with_capacity(READ) }
    }

    /// Noise between frames is usual where bytes come from a serial line, near or far.
    fn bears_noise(&self) -> bool {
        self.framing != Framing::Tcp
    }

    async fn read(&mut self) -> Result<(), String> {
        self.heard.reserve(READ);
        match self.port.read_buf(&mut self.heard).await {
            Ok(0) => Err("it was closed at the other end".into()),
            Ok(_) => Ok(()),
            Err(broke) => Err(broke.to_string()),
        }
    }

    /// Over TCP no silence means anything, so nobody looks at the clock for it.
    fn keeps_time(&self) -> bool {
        self.bears_noise()
    }

    fn passed_now(&mut self) {
        if self.keeps_time() {
            self.last = Instant::now();
        }
    }

    /// What is there before the line was silent for so long since then; what is there now, where that is past. A timer
    /// would take a millisecond even for nothing.
    async fn read_before(&mut self, since: Option<Instant>, silence: Duration) -> Option<Result<(), String>> {
        if self.keeps_time() {
            let until = since.unwrap_or_else(Instant::now) + silence;
            if until > Instant::now() {
                return timeout_at(until, self.read()).await.ok();
            }
        }
        let read = std::pin::pin!(self.read());
        once(read).await
    }

    fn throw_away(&mut self) {
        self.tracer.tell(self.framing.frames(), Way::In, &self.heard, || Made::Stray);
        self.heard.clear();
    }

    /// Somebody spoke whom nobody had asked.
    fn spoke(&mut self) {
        self.last = self.last.max(Instant::now());
        self.throw_away();
    }

    /// Hears what nobody has asked for, until the port ends or can be trusted no more.
    pub async fn idle(&mut self) -> String {
        loop {
            if let Err(why) = self.read().await {
                return why;
            }
            self.spoke();
            if !self.bears_noise() {
                return "it said what nobody had asked for".into();
            }
        }
    }

    /// After a doubt: what is still on its way is not the next answer.
    pub fn hush(&mut self) -> io::Result<()> {
        self.throw_away();
        self.silence = self.framing.silence().max(HELD_BACK);
        self.last = self.last.max(Instant::now());
        self.port.discard()
    }

    /// Silent for as long as the line demands.
    pub async fn ready(&mut self) -> Result<(), Unready> {
        let mut babble = None;
        loop {
            match self.read_before(Some(self.last), self.silence).await {
                None => break,
                Some(Err(why)) => return Err(Unready::Gone(why)),
                Some(Ok(())) => self.spoke(),
            }
            if !self.bears_noise() {
                return Err(Unready::Gone("it said what nobody had asked for".into()));
            }
            let now = Instant::now();
            if now > *babble.get_or_insert(now + BABBLE) {
                return Err(Unready::Babble);
            }
        }
        self.silence = self.framing.silence();
        Ok(())
    }

    /// The line must be [`ready`](Line::ready).
    pub async fn send(&mut self, adu: &[u8]) -> Result<(), Wrong> {
        self.heard.clear();
        self.tracer.tell(self.framing.frames(), Way::Out, adu, || Made::Asked);
        let takes = self.framing.takes(adu.len());
        self.passed_now();
        self.last += takes;
        let mut out = std::pin::pin!(async {
            self.port.write_all(adu).await?;
            self.port.flush().await
        });
        // Mostly it is taken at once, and needs no deadline.
        let sent = match once(out.as_mut()).await {
            Some(sent) => Ok(sent),
            None => timeout(takes + STUCK, out).await,
        };
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(broke)) => Err(Wrong::Lost(broke.to_string())),
            Err(_) => Err(Wrong::Lost("the port takes no bytes".into())),
        }
    }

    /// After a request to all units: the line is theirs for a while.
    pub fn leave_alone(&mut self, time: Duration) {
        self.last += time;
    }

    /// The answer to `adu`.
    pub async fn answer(&mut self, asked: &Asked<'_>, adu: &[u8], within: Duration) -> Result<Answer, Wrong> {
        let until = Instant::now() + within;
        let mut heard = self.gather(asked, adu, until).await;
        // Where a frame ends by silence, more may belong to it; else what follows speaks against it.
        while heard.is_ok() && self.followed().await {
            heard = match self.judge(asked, adu) {
                Ok(None) => self.gather(asked, adu, until).await,
                Ok(Some(pdu)) => Ok(pdu),
                Err(wrong) => Err(wrong),
            };
        }
        self.tracer.tell(self.framing.frames(), Way::In, &self.heard, || match &heard {
            Ok(_) => Made::Answer,
            Err(wrong) => Made::Refused(wrong.to_string()),
        });
        let says = heard.and_then(|pdu| {
            let pdu = self.heard.get(pdu).unwrap_or_default();
            answer::read(asked.request, pdu).map_err(Wrong::Exception)
        });
        self.heard.clear();
        says
    }

    async fn gather(&mut self, asked: &Asked<'_>, adu: &[u8], until: Instant) -> Result<Range<usize>, Wrong> {
        loop {
            match timeout_at(until, self.read()).await {
                Err(_) => return Err(self.ended(asked)),
                Ok(Err(why)) => return Err(Wrong::Lost(why)),
                // Who answers has heard all: the request took no longer.
                Ok(Ok(())) => self.passed_now(),
            }
            if let Some(pdu) = self.judge(asked, adu)? {
                return Ok(pdu);
            }
        }
    }

    /// Where the PDU of the answer stands.
    fn judge(&self, asked: &Asked<'_>, adu: &[u8]) -> Result<Option<Range<usize>>, Wrong> {
        let heard = match self.framing {
            Framing::Tcp => tcp::heard(asked, tcp::transaction(adu), &self.heard),
            Framing::Rtu(_) | Framing::RtuOverTcp => rtu::heard(asked, &self.heard),
        };
        match heard {
            Heard::More => Ok(None),
            Heard::Odd(odd) => Err(Wrong::NotAnAnswer(odd)),
            Heard::Whole { pdu, .. } => Ok(Some(pdu)),
        }
    }

    fn ended(&self, asked: &Asked<'_>) -> Wrong {
        match self.framing {
            Framing::Tcp => tcp::ended(&self.heard),
            Framing::Rtu(_) | Framing::RtuOverTcp => rtu::ended(asked, &self.heard),
        }
    }

    /// Whether more came, within the silence that must follow a frame.
    async fn followed(&mut self) -> bool {
        // Where the port ends behind a whole answer, that is for the next request.
        matches!(self.read_before(None, self.framing.silence()).await, Some(Ok(())))
    }
}

/// What a future comes to without waiting.
async fn once<T>(mut future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    std::future::poll_fn(|waker| match future.as_mut().poll(waker) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
