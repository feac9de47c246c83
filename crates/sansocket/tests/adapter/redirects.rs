//! Where a client goes when it is sent elsewhere.

use sansocket::Uri;
use sansocket::adapter::{ConnectOptions, NotFollowed, Redirects, Rejected};

/// An answer with this status, and with this `Location`.
pub(crate) fn answer(status: u16, location: Option<&str>) -> Rejected {
    let field = |location: &str| ("location".to_owned(), location.as_bytes().to_vec());
    Rejected { status, fields: location.map(field).into_iter().collect(), body: vec![] }
}

fn following() -> ConnectOptions {
    ConnectOptions::new().redirects(Redirects::Follow)
}

/// Where it goes from `uri` after an answer.
fn next(
    options: &mut ConnectOptions,
    uri: &str,
    answer: &Rejected,
    hop: u32,
) -> Option<Result<String, NotFollowed>> {
    options.follow(&Uri::parse(uri).expect("a valid URI"), answer, hop)
}

// C09
#[test]
fn a_redirect_is_followed_by_its_status_and_only_on_request() {
    let there = || Some(Ok("ws://b.example/".to_owned()));
    for (status, followed) in [
        (300, None),
        (301, there()),
        (302, there()),
        (303, there()),
        (304, None),
        (305, None),
        (307, there()),
        (308, there()),
        (200, None),
        (201, None),
        (401, None),
        (503, None),
    ] {
        let moved = answer(status, Some("ws://b.example/"));
        for (options, expected) in [
            (following(), followed),
            (ConnectOptions::new(), None),
            (following().redirects(Redirects::Refuse), None),
        ] {
            let mut options = options;
            assert_eq!(next(&mut options, "ws://a.example/", &moved, 1), expected, "{status}");
        }
    }
}

// C09
#[test]
fn five_redirects_are_followed_and_not_six() {
    let mut options = following();
    let moved = answer(302, Some("/again"));
    let hops = (1..=7).map(|hop| next(&mut options, "ws://a.example/", &moved, hop));
    let followed: Vec<bool> = hops.map(|next| next.expect("a redirect").is_ok()).collect();
    assert_eq!(followed, [true, true, true, true, true, false, false]);
}

// C09, C10
#[test]
fn a_location_is_a_websocket_address_that_is_no_less_secure() {
    const PLAIN: &str = "ws://a.example:81/old?q";
    const SECURE: &str = "wss://a.example/old";
    for (from, location, to) in [
        (PLAIN, "ws://b.example/new?x=1", Some("ws://b.example/new?x=1")),
        (PLAIN, "http://b.example:8080", Some("ws://b.example:8080")),
        (PLAIN, "HTTP://b.example/", Some("ws://b.example/")),
        (PLAIN, "wss://b.example/", Some("wss://b.example/")),
        (PLAIN, "https://[::1]:7/", Some("wss://[::1]:7/")),
        // By path alone.
        (PLAIN, "/new?to=wss://b.example/", Some("ws://a.example:81/new?to=wss://b.example/")),
        (SECURE, "/", Some("wss://a.example/")),
        ("wss://a.example:443/", "/x", Some("wss://a.example/x")),
        // What is behind `#` is the client's own.
        (PLAIN, "/new#top", Some("ws://a.example:81/new")),
        (PLAIN, "ws://b.example/#a#b", Some("ws://b.example/")),
        (PLAIN, "ws://b.example#/", Some("ws://b.example")),
        // Never to less security.
        (SECURE, "wss://b.example/", Some("wss://b.example/")),
        (SECURE, "Https://b.example/", Some("wss://b.example/")),
        (SECURE, "ws://a.example/", None),
        (SECURE, "http://a.example/", None),
        (SECURE, "WS://a.example/", None),
        // No WebSocket address.
        (PLAIN, "", None),
        (PLAIN, "#top", None),
        (PLAIN, "new", None),
        (PLAIN, "?q=ws://b.example/", None),
        (PLAIN, "//b.example/", None),
        (PLAIN, "ftp://b.example/", None),
        (PLAIN, "ws:b.example", None),
        (PLAIN, "ws://", None),
        (PLAIN, "ws:///path", None),
        (PLAIN, "ws://user@b.example/", None),
        (PLAIN, "ws://b.example:65536/", None),
        (PLAIN, "ws://b.example/a b", None),
        (PLAIN, "/a b", None),
        (PLAIN, "/\u{e9}", None),
    ] {
        let expected = to.map(str::to_owned).ok_or(NotFollowed);
        let followed = next(&mut following(), from, &answer(307, Some(location)), 1);
        assert_eq!(followed, Some(expected), "{location:?} from {from}");
    }
}

// C09
#[test]
fn a_redirect_that_says_no_place_is_not_followed() {
    let not_text =
        Rejected { fields: vec![("Location".to_owned(), b"/\xff".to_vec())], ..answer(301, None) };
    for moved in [answer(301, None), not_text] {
        let followed = next(&mut following(), "ws://a.example/", &moved, 1);
        assert_eq!(followed, Some(Err(NotFollowed)));
    }
}

// C09
#[test]
fn what_is_for_one_host_alone_is_not_taken_to_another() {
    const ALL: &[&str] = &["Authorization", "X-Public", "COOKIE", "proxy-authorization"];
    const PUBLIC: &[&str] = &["X-Public"];
    for (from, location, kept) in [
        ("ws://a.example/", "/other", ALL),
        ("ws://a.example/", "ws://a.example:80/other", ALL),
        ("ws://a.example:443/", "wss://a.example/", ALL),
        ("ws://a.example/", "ws://b.example/", PUBLIC),
        ("ws://a.example/", "ws://sub.a.example/", PUBLIC),
        ("ws://a.example/", "ws://a.example:81/", PUBLIC),
        ("ws://a.example/", "wss://a.example/", PUBLIC),
        // Not followed: the program may try again with all it had.
        ("wss://a.example/", "ws://b.example/", ALL),
        ("ws://a.example/", "ws://b.example/a b", ALL),
    ] {
        let mut options = following();
        for name in ALL {
            options = options.field(*name, "s3cret");
        }
        let _ = next(&mut options, from, &answer(308, Some(location)), 1);
        let names: Vec<_> = options.fields().iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names, kept, "{location} from {from}");
    }
}
