//! The page that the echo server serves: one file, and the policy that lets a
//! browser run nothing but what is in it.

use sansocket_net::Decision;

const HTML: &str = include_str!("page/index.html");

/// Names the page's own style and script by their hashes.
const POLICY: &str = include_str!("page/csp.txt").trim_ascii();

/// The answer to `GET /`.
pub(crate) fn decision() -> Decision {
    Decision::reply(200, HTML)
        .field("Content-Type", "text/html; charset=utf-8")
        .field("Content-Security-Policy", POLICY)
        .field("X-Content-Type-Options", "nosniff")
        .field("Referrer-Policy", "no-referrer")
        .field("Cache-Control", "no-cache")
}
