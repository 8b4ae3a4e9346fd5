//! `GET /v1/openapi.json`: the published description of all routes (OpenAPI 3.1), for programs and those who write them.
//!
//! It is a file of the source, made by a test from the code: the routes from their table, the shapes from the types that
//! the answers are written with. So a change of an answer shows in review, and the daemon has nothing to make.
//! `REWRITE=1 cargo test --locked --lib api::openapi` writes it anew.

use axum::http::header;
use axum::response::IntoResponse;

#[cfg(test)]
mod made;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod spelled;

const DOCUMENT: &str = include_str!("openapi.json");

pub async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}
