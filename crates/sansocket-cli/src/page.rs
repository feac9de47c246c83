//! The page that the echo server serves: one file, and the policy that lets a
//! browser run nothing but what is in it.

use sansocket_net::Decision;

pub(crate) const HTML: &str = include_str!("page/index.html");

/// Names the page's own style and script by their hashes.
const POLICY: &str = include_str!("page/csp.txt").trim_ascii();

/// The header fields of the page.
pub(crate) const FIELDS: [(&str, &str); 5] = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-cache"),
];

/// The answer to `GET /`.
pub(crate) fn decision() -> Decision {
    let answer = Decision::reply(200, HTML);
    FIELDS.into_iter().fold(answer, |answer, (name, value)| answer.field(name, value))
}
