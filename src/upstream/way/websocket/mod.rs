//! MQTT in WebSocket: bytes are carried in frames, and whoever reads and writes them does not notice.
//!
//! [`upgrade`] changes a connection over, [`frame`] is how frames look, [`Carried`] is the stream over them. Pings are
//! answered beside what is written, the newest only. Bounds: what came and was not read, and what was written and did not go
//! out, is one buffer each.

pub mod frame;
pub mod upgrade;

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Bytes;
use super::trouble::shown;
use frame::{Came, Frames, Kind, put};

/// What is read at a time.
const MOST_CAME: usize = 4 << 10;
/// What is put into one frame.
const LARGEST_FRAME: usize = 16 << 10;

/// We leave as agreed.
const FAREWELL: [u8; 2] = 1000_u16.to_be_bytes();
/// The other side broke the rules.
const AGAINST_THE_RULES: [u8; 2] = 1002_u16.to_be_bytes();

pub struct Carried {
    inner: Bytes,
    frames: Frames,
    came: Vec<u8>,
    /// So much of it has been read.
    read: usize,
    out: Vec<u8>,
    /// So much of it has gone out.
    gone: usize,
    pong: Option<Vec<u8>>,
    /// Waits until what was written has gone out.
    writer: Option<Waker>,
    /// We have said that we leave.
    left: bool,
    chance: SystemRandom,
}

impl Carried {
    /// `came`: what the server said right behind its yes.
    pub fn new(inner: Bytes, came: Vec<u8>) -> Carried {
        Carried {
            inner,
            frames: Frames::default(),
            came,
            read: 0,
            out: Vec::new(),
            gone: 0,
            pong: None,
            writer: None,
            left: false,
            chance: SystemRandom::new(),
        }
    }

    fn put(&mut self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        let mut mask = [0; 4];
        self.chance.fill(&mut mask).map_err(|_| io::Error::other("the machine gives no chance"))?;
        put(kind, payload, mask, &mut self.out);
        Ok(())
    }

    /// Until all that waits has gone to the layer below.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            while self.gone < self.out.len() {
                let gone = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.out[self.gone..]))?;
                if gone == 0 {
                    return Poll::Ready(Err(ErrorKind::WriteZero.into()));
                }
                self.gone += gone;
            }
            self.out.clear();
            self.gone = 0;
            let Some(pong) = self.pong.take() else { return Poll::Ready(Ok(())) };
            self.put(Kind::Pong, &pong)?;
        }
    }

    /// The same for who writes. Who reads may take his place with the layer below, and then wakes him.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = self.poll_out(cx);
        if written.is_pending() {
            self.writer = Some(cx.waker().clone());
        }
        written
    }

    /// While somebody reads, what waits goes out too: an answer to a ping would wait for ever where nobody writes.
    fn answer(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.out.is_empty() && self.pong.is_none() {
            return Ok(());
        }
        if let Poll::Ready(out) = self.poll_out(cx) {
            out?;
            let _ = Pin::new(&mut self.inner).poll_flush(cx)?;
            if let Some(writer) = self.writer.take() {
                writer.wake();
            }
        }
        Ok(())
    }

    /// More of what the other side says; false at its end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.came.drain(..self.read);
        self.read = 0;
        let held = self.came.len();
        self.came.resize(held + MOST_CAME, 0);
        let mut room = ReadBuf::new(&mut self.came[held..]);
        let polled = Pin::new(&mut self.inner).poll_read(cx, &mut room);
        let more = room.filled().len();
        self.came.truncate(held + more);
        ready!(polled)?;
        Poll::Ready(Ok(more > 0))
    }

    /// What is not data.
    fn control(&mut self, came: Came, cx: &mut Context<'_>) -> io::Result<()> {
        match came {
            Came::Ping(carried) => {
                self.pong = Some(carried);
                self.answer(cx)
            }
            Came::Close(why) => {
                self.leave(FAREWELL, cx);
                Err(io::Error::new(ErrorKind::ConnectionAborted, farewell(why)))
            }
            _ => Ok(()),
        }
    }

    fn leave(&mut self, why: [u8; 2], cx: &mut Context<'_>) {
        if !self.left && self.put(Kind::Close, &why).is_ok() {
            self.left = true;
            // Who has said goodbye need not hear it.
            let _ = self.poll_out(cx).map_ok(|()| Pin::new(&mut self.inner).poll_flush(cx));
        }
    }
}

fn farewell(why: Option<(u16, String)>) -> String {
    match why {
        None => "the server has closed the WebSocket".into(),
        Some((code, words)) if words.is_empty() => format!("the server has closed the WebSocket: {code}"),
        Some((code, words)) => format!("the server has closed the WebSocket: {code} {}", shown(&words)),
    }
}

impl AsyncRead for Carried {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if to.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        this.answer(cx)?;
        loop {
            let held = &this.came[this.read..];
            let data = this.frames.is_in_data();
            let offered = if data { &held[..held.len().min(to.remaining())] } else { held };
            match this.frames.take(offered) {
                Ok((taken, Came::Data)) => {
                    to.put_slice(&held[..taken]);
                    this.read += taken;
                    return Poll::Ready(Ok(()));
                }
                Ok((_, Came::Nothing)) => {
                    if !ready!(this.poll_more(cx))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                Ok((taken, came)) => {
                    this.read += taken;
                    this.control(came, cx)?;
                }
                Err(wrong) => {
                    this.leave(AGAINST_THE_RULES, cx);
                    return Poll::Ready(Err(io::Error::new(ErrorKind::InvalidData, format!("no WebSocket: {wrong}"))));
                }
            }
        }
    }
}

impl AsyncWrite for Carried {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.left {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        ready!(this.poll_written(cx))?;
        let taken = bytes.len().min(LARGEST_FRAME);
        if taken > 0 {
            this.put(Kind::Binary, &bytes[..taken])?;
            // What does not go now goes with the next write or flush.
            if let Poll::Ready(out) = this.poll_out(cx) {
                out?;
            }
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_written(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.left {
            this.put(Kind::Close, &FAREWELL)?;
            this.left = true;
        }
        ready!(this.poll_written(cx))?;
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn carried(came: &[u8], room: usize) -> (Carried, DuplexStream) {
        let (ours, theirs) = duplex(room);
        (Carried::new(Box::new(ours), came.to_vec()), theirs)
    }

    /// The next frame that we sent: its kind, and what it carries without its mask.
    async fn sent(to: &mut DuplexStream) -> (u8, Vec<u8>) {
        let kind = to.read_u8().await.unwrap();
        let length = match to.read_u8().await.unwrap() & 0x7F {
            126 => u64::from(to.read_u16().await.unwrap()),
            127 => to.read_u64().await.unwrap(),
            length => u64::from(length),
        };
        let mut mask = [0; 4];
        to.read_exact(&mut mask).await.unwrap();
        let mut carries = vec![0; length as usize];
        to.read_exact(&mut carries).await.unwrap();
        carries.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        (kind, carries)
    }

    #[tokio::test]
    async fn bytes_come_and_go_whatever_the_frames_and_a_ping_is_answered_meanwhile() {
        let (mut ours, mut theirs) = carried(&[0x02, 0x01, b'a'], 64 << 10);
        theirs.write_all(&[0x89, 0x02, b'h', b'i', 0x80, 0x02, b'b', b'c']).await.unwrap();
        let mut got = [0; 3];
        ours.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"abc");
        assert_eq!(sent(&mut theirs).await, (0x8A, b"hi".to_vec()));
        let large: Vec<u8> = (0..40_000_u32).map(|n| n as u8).collect();
        ours.write_all(&large).await.unwrap();
        ours.flush().await.unwrap();
        let mut all = Vec::new();
        while all.len() < large.len() {
            let (kind, carries) = sent(&mut theirs).await;
            assert_eq!(kind, 0x82);
            all.extend(carries);
        }
        assert_eq!(all, large);
        ours.shutdown().await.unwrap();
        assert_eq!(sent(&mut theirs).await, (0x88, FAREWELL.to_vec()));
        assert_eq!(ours.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn a_goodbye_is_returned_and_told_and_a_broken_rule_ends_it() {
        let (mut ours, mut theirs) = carried(&[0x88, 0x05, 0x03, 0xE9, b'b', b'y', b'e'], 1 << 10);
        let why = ours.read_u8().await.unwrap_err();
        assert_eq!(why.to_string(), "the server has closed the WebSocket: 1001 bye");
        assert_eq!(sent(&mut theirs).await.0, 0x88);
        let (mut ours, mut theirs) = carried(&[0x81, 0x01, b'a'], 1 << 10);
        assert!(ours.read_u8().await.unwrap_err().to_string().contains("text, where MQTT is bytes"));
        assert_eq!(sent(&mut theirs).await, (0x88, AGAINST_THE_RULES.to_vec()));
    }

    #[tokio::test]
    async fn of_many_pings_that_cannot_be_answered_only_the_newest_is_kept() {
        let pings: Vec<u8> = (0..=255).flat_map(|n| [0x89, 0x01, n]).collect();
        let (mut ours, mut theirs) = carried(&[pings, vec![0x82, 0x01, b'a']].concat(), 16);
        assert_eq!(ours.read_u8().await.unwrap(), b'a');
        assert!(ours.out.len() <= frame::LONGEST_CONTROL + 4, "{} bytes wait", ours.out.len());
        let mut answered = Vec::new();
        let flushed = async { ours.flush().await.unwrap() };
        let read = async {
            while answered.last() != Some(&255) {
                answered.push(sent(&mut theirs).await.1[0]);
            }
        };
        tokio::join!(flushed, read);
        assert!(answered.len() < 10, "{answered:?}");
    }
}
