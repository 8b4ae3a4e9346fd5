//! What a client still sends when its answer is known already. It is taken and thrown away, so that the answer reaches it
//! and the connection can go on; but only so much, and only for a moment: else the connection ends with the answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Frame, SizeHint};
use tokio::sync::oneshot;

use super::Door;

const WITHIN: Duration = Duration::from_secs(1);

/// A body that comes back when nobody reads it any more.
struct Lent {
    body: Body,
    back: Option<oneshot::Sender<Body>>,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(back) = self.back.take().filter(|_| !self.body.is_end_stream()) {
            let _ = back.send(std::mem::take(&mut self.body));
        }
    }
}

/// Around all routes, and around who may come in: whoever is turned away shall hear it, too.
pub async fn heard_out(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(head, body)).await;
    }
    // It waits for our word before it sends more: it need not.
    let waits = head.headers.contains_key(header::EXPECT);
    let (to, mut back) = oneshot::channel();
    let lent = Body::new(Lent { body, back: Some(to) });
    let mut answer = next.run(Request::from_parts(head, lent)).await;
    let Ok(rest) = back.try_recv() else { return answer };
    if waits || !thrown_away(rest, door.limits.body).await {
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// Whether that was all.
async fn thrown_away(rest: Body, most: usize) -> bool {
    let mut rest = std::pin::pin!(Limited::new(rest, most));
    let all = async {
        while let Some(frame) = rest.frame().await {
            if frame.is_err() {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(WITHIN, all).await.unwrap_or(false)
}
