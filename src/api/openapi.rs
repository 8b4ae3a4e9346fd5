//! `GET /v1/openapi.json`: the published description of all routes (OpenAPI 3.1), for programs and those who write them.
//!
//! It is a file of the source, `openapi.json`, made by a test from the code: the routes from their table, the shapes from the types that
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

/// Packed, for the binary has a tenth of a megabyte to spare elsewhere; `openapi.json` beside it is for reading.
const PACKED: &[u8] = include_bytes!("openapi.json.zst");
const LARGEST: usize = 200_000;

pub async fn document() -> impl IntoResponse {
    // A test has unpacked the very same bytes.
    ([(header::CONTENT_TYPE, "application/json")], unpacked().unwrap_or_default())
}

fn unpacked() -> std::io::Result<Vec<u8>> {
    zstd::bulk::decompress(PACKED, LARGEST)
}
