//! Cases whose expectations are wrong, to show that the runner would see it.

use serde_json::{Value, json};

/// A case with each part of what it expects changed in turn, and which that is.
pub(crate) fn tampered(case: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for place in places(&case["expect"], "/expect") {
        let mut tampered = case.clone();
        let value = tampered.pointer_mut(&place).expect("a place in the case");
        *value = another(&place, value);
        all.push((place, tampered));
    }
    for (absent, value) in [
        ("unfinished", json!({"binary": ["00"]})),
        ("closure", json!({"code": 1000, "clean": true})),
    ] {
        if case["expect"].get(absent).is_none() {
            let mut tampered = case.clone();
            tampered["expect"][absent] = value;
            all.push((absent.to_owned(), tampered));
        }
    }
    all
}

/// Where something stands that is no list or object with something in it.
fn places(value: &Value, at: &str) -> Vec<String> {
    let inside: Vec<_> = match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .flat_map(|(index, item)| places(item, &format!("{at}/{index}")))
            .collect(),
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, field)| places(field, &format!("{at}/{name}"))).collect()
        }
        _ => Vec::new(),
    };
    if inside.is_empty() { vec![at.to_owned()] } else { inside }
}

/// Something else of the same kind.
fn another(place: &str, value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_u64().expect("a whole number") + 1),
        Value::Bool(flag) => json!(!flag),
        Value::String(text) if is_hex(place) => json!(format!("{text} 00")),
        Value::String(text) => json!(format!("{text}x")),
        Value::Null if place == "/expect/failure" => {
            json!({"rule": "unmasked", "code": 1002, "offset": 0})
        }
        Value::Null if place.ends_with("offset") => json!(0),
        Value::Null => json!("x"),
        // No events, no bytes, a Close without a code.
        Value::Array(_) if place.ends_with("/events") => json!([{"ping": []}]),
        Value::Array(_) if place.ends_with("/close") => json!([1000, ""]),
        Value::Array(_) => json!(["00"]),
        Value::Object(_) => json!({"status": 100}),
    }
}

/// Whether a string there is a part in hexadecimal digits: it stands in a list, and is
/// no reason.
fn is_hex(place: &str) -> bool {
    let mut path = place.rsplit('/');
    let in_list = path.next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    in_list && path.next() != Some("close")
}
