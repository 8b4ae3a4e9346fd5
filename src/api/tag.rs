//! ETags: what a GET answers with, so that whoever asks again hears that nothing is new (304), and whoever changes the
//! settings can say which ones they have seen.
//!
//! A tag is made of the bytes of an answer. Where these tell ages, which are others each time, it is a weak one, made of
//! the answer with the moments from which the ages count ([`Still`]). What has no end (a stream) has none.

use axum::Json;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ring::digest::{Context, SHA256};
use serde::Serialize;

use crate::model::Now;

/// Bytes of the digest that stand in a tag.
const BYTES: usize = 16;

/// Weak or strong, as it stands in the header.
#[derive(Clone, Debug, PartialEq)]
pub struct Tag(String);

/// What somebody has seen, and wants to be so still.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen(Vec<String>);

impl Tag {
    /// None: it cannot be written as JSON.
    pub fn of(answer: &impl Serialize) -> Option<Tag> {
        let mut sum = Sum(Context::new(&SHA256));
        serde_json::to_writer(&mut sum, answer).ok().map(|()| Tag::strong(sum))
    }

    fn of_bytes(bytes: &[u8]) -> Tag {
        let mut sum = Sum(Context::new(&SHA256));
        sum.0.update(bytes);
        Tag::strong(sum)
    }

    fn strong(sum: Sum) -> Tag {
        let digest = sum.0.finish();
        let digits: String = digest.as_ref().iter().take(BYTES).map(|byte| format!("{byte:02x}")).collect();
        Tag(format!("\"{digits}\""))
    }

    fn weak(self) -> Tag {
        Tag(format!("W/{}", self.0))
    }
}

impl Seen {
    /// None: nothing of the kind was said.
    pub fn read(head: &HeaderMap, name: HeaderName) -> Option<Seen> {
        let said = head.get_all(name).iter();
        // What is no text is no tag of ours.
        let said: Vec<String> = said.map(|value| value.to_str().unwrap_or_default().to_owned()).collect();
        (!said.is_empty()).then_some(Seen(said))
    }

    pub fn has(&self, tag: &Tag) -> bool {
        let plain = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
        let mut said = self.0.iter().flat_map(|said| said.split(',')).map(str::trim);
        said.any(|said| said == "*" || plain(said) == plain(&tag.0))
    }
}

struct Sum(Context);

impl std::io::Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// An answer that is another one at each moment, even where nothing has happened.
pub trait Still {
    /// Ages become the moments from which they count.
    fn still(&mut self, now: &Now);
}

/// From an age, in seconds, to the moment from which it counts. Both are whole milliseconds.
pub fn begin(age: &mut f64, now: &Now) {
    *age = now.mono.0 as f64 - (*age * 1e3).round();
}

/// Told at a moment.
pub struct At<T>(pub Now, pub T);

impl<T: Serialize + Still> IntoResponse for At<T> {
    fn into_response(self) -> Response {
        let At(now, mut answer) = self;
        let mut response = Json(&answer).into_response();
        answer.still(&now);
        if let Some(tag) = Tag::of(&answer) {
            response.extensions_mut().insert(tag.weak());
        }
        response
    }
}

/// Around all routes.
pub async fn tagged(request: Request, next: Next) -> Response {
    let looks = request.method() == Method::GET;
    let seen = Seen::read(request.headers(), header::IF_NONE_MATCH);
    let answer = next.run(request).await;
    if !looks || answer.status() != StatusCode::OK || answer.body().size_hint().exact().is_none() {
        return answer;
    }
    let (mut head, body) = answer.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = head.extensions.remove::<Tag>().unwrap_or_else(|| Tag::of_bytes(&body));
    if let Ok(value) = HeaderValue::from_str(&tag.0) {
        head.headers.insert(header::ETAG, value);
    }
    if !seen.is_some_and(|seen| seen.has(&tag)) {
        return Response::from_parts(head, Body::from(body));
    }
    head.status = StatusCode::NOT_MODIFIED;
    head.headers.remove(header::CONTENT_TYPE);
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, Body::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mono, Wall};

    #[derive(Serialize)]
    struct Told {
        age: f64,
        value: u8,
    }

    impl Still for Told {
        fn still(&mut self, now: &Now) {
            begin(&mut self.age, now);
        }
    }

    fn tag(at: u64, heard: u64, value: u8) -> Tag {
        let now = Now { mono: Mono(at), wall: Wall(at * 7), ..Now::default() };
        let age = now.mono.since(Mono(heard)).as_secs_f64();
        let response = At(now, Told { age, value }).into_response();
        response.extensions().get::<Tag>().unwrap().clone()
    }

    #[test]
    fn time_alone_makes_no_other_tag_and_all_else_does() {
        let known = tag(5_000, 1_234, 1);
        assert!(known.0.starts_with("W/\""));
        for at in [5_001, 5_003, 6_789, 99_999, 1 << 40] {
            assert_eq!(tag(at, 1_234, 1), known, "{at}");
        }
        assert_ne!(tag(5_000, 1_235, 1), known);
        assert_ne!(tag(5_000, 1_234, 2), known);
    }

    #[test]
    fn a_tag_is_that_of_the_bytes_that_go_out() {
        let told = Told { age: 0.1, value: 3 };
        assert_eq!(Tag::of(&told), Some(Tag::of_bytes(&serde_json::to_vec(&told).unwrap())));
    }

    #[test]
    fn any_of_those_that_were_seen_will_do() {
        let said = |said: &[&'static str]| {
            let mut head = HeaderMap::new();
            for said in said {
                head.append(header::IF_MATCH, HeaderValue::from_static(said));
            }
            Seen::read(&head, header::IF_MATCH)
        };
        let tag = Tag("\"ab\"".into());
        assert_eq!(said(&[]), None);
        for fits in [&["\"ab\""][..], &["W/\"ab\""], &["\"cd\", \"ab\""], &["\"cd\"", "\"ab\""], &["*"]] {
            assert!(said(fits).unwrap().has(&tag), "{fits:?}");
        }
        for other in [&["\"cd\""][..], &[""], &["ab"], &["\"abc\""], &["W/*"]] {
            assert!(!said(other).unwrap().has(&tag), "{other:?}");
        }
        assert!(said(&["\"ab\""]).unwrap().has(&tag.weak()));
    }
}
