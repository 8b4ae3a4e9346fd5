//! What the gateway counts of itself, for Prometheus and its like; and the counting of requests.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::caller::Origin;
use super::{Door, Here};
use crate::metrics::{self, Metrics, text};

pub async fn metrics(State(door): Here) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, text::CONTENT_TYPE)], text::written(&(door.numbers)()))
}

/// Each request by the status of its answer.
pub async fn counted(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let came = request.extensions().get::<Origin>().map_or(metrics::Door::Socket, Origin::door);
    let answer = next.run(request).await;
    door.metrics.door(came).answered(answer.status().as_u16());
    answer
}

/// One connection more, until it is dropped.
pub struct Connected(Arc<Metrics>, metrics::Door);

impl Connected {
    pub fn new(metrics: &Arc<Metrics>, door: metrics::Door) -> Connected {
        metrics.door(door).connections.add(1);
        Connected(metrics.clone(), door)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.door(self.1).connections.down();
    }
}
