//! Writes what `arbitrary` reads.
//!
//! It takes numbers from the front of the bytes, and lengths from their back: one byte
//! or two, by how many bytes are left. So a seed is written backwards, each value around
//! those that are read after it.

use sansocket_fuzz_checks::frames::Limits;
use sansocket_fuzz_checks::heads::Edit;
use sansocket_fuzz_checks::inflate::Frame;
use sansocket_fuzz_checks::negotiation::{Window, Wishes};
use sansocket_fuzz_checks::operations::{Operation, Switches};
use sansocket_fuzz_checks::wired::{Payload, Sent};
use sansocket_fuzz_checks::{
    Cuts, Stream, frames, heads, inflate, mask, negotiation, operations, utf8, wired,
};

/// A value that goes before those that are in the seed.
pub(crate) trait Encode {
    fn put(&self, seed: &mut Vec<u8>);
}

/// The seed that is read as this input.
pub(crate) fn encode(input: &impl Encode) -> Vec<u8> {
    let mut seed = Vec::new();
    input.put(&mut seed);
    seed
}

/// Puts the fields of a struct, in their order.
macro_rules! fields {
    ($type:ty: $($field:ident),* $(; $rest:ident)?) => {
        impl Encode for $type {
            fn put(&self, seed: &mut Vec<u8>) {
                $(seed.extend_from_slice(self.$rest);)?
                let fields: &[&dyn Encode] = &[$(&self.$field),*];
                fields.iter().rev().for_each(|field| field.put(seed));
            }
        }
    };
}

// Behind a semicolon is what takes all bytes that are left.
fields!(Stream<'_>: cuts, message_len_max; bytes);
fields!(Limits: message_len_max, frame_len_max, fragments_max, control_frames_max, lenient);
fields!(frames::Input<'_>: limits, cuts; bytes);
fields!(Edit: at, len);
fields!(heads::Input<'_>: cuts, edit; bytes);
fields!(inflate::Input<'_>: window_bits, drops_context, message_len_max, ratio_max, cuts, rooms, frames);
fields!(Frame<'_>: text, compressed, last, payload);
fields!(mask::Input<'_>: cuts, key; payload);
fields!(negotiation::Input<'_>: server, client; fields);
fields!(Wishes: window, drops, peer_window, peer_drops, insists, fallback);
fields!(operations::Input<'_>: switches, operations);
fields!(Switches: replies, keep_alive, interval, lifetime, message_idle);
fields!(utf8::Input<'_>: cuts; bytes);
fields!(wired::Input<'_>: cuts, inbox_len, close, from_client, from_server);
fields!(Sent<'_>: payload, fragments, ping_between);

impl Encode for Cuts {
    fn put(&self, seed: &mut Vec<u8>) {
        self.0.put(seed);
    }
}

impl Encode for Window {
    fn put(&self, seed: &mut Vec<u8>) {
        self.0.put(seed);
    }
}

impl Encode for Payload<'_> {
    fn put(&self, seed: &mut Vec<u8>) {
        match self {
            Self::Text(text) => text.as_bytes().put(seed),
            Self::Binary(bytes) => bytes.put(seed),
        }
        variant(u32::from(matches!(self, Self::Binary(_))), 2).put(seed);
    }
}

/// The calls that seeds are made of.
impl Encode for Operation<'_> {
    fn put(&self, seed: &mut Vec<u8>) {
        let index = match self {
            Self::Receive(bytes) => {
                bytes.put(seed);
                0
            }
            Self::Transmit { room } => {
                room.put(seed);
                7
            }
            Self::Append(bytes) => {
                bytes.put(seed);
                10
            }
            other => panic!("{other:?} is in no seed yet"),
        };
        variant(index, 18).put(seed);
    }
}

/// The number that stands for a variant, of so many: they share all numbers evenly.
fn variant(index: u32, count: u32) -> u32 {
    let number = (u64::from(index) << 32).div_ceil(u64::from(count));
    u32::try_from(number).expect("below the count")
}

impl Encode for u8 {
    fn put(&self, seed: &mut Vec<u8>) {
        seed.insert(0, *self);
    }
}

impl Encode for bool {
    fn put(&self, seed: &mut Vec<u8>) {
        u8::from(*self).put(seed);
    }
}

impl Encode for u16 {
    fn put(&self, seed: &mut Vec<u8>) {
        self.to_le_bytes().put(seed);
    }
}

impl Encode for u32 {
    fn put(&self, seed: &mut Vec<u8>) {
        self.to_le_bytes().put(seed);
    }
}

impl<const N: usize> Encode for [u8; N] {
    fn put(&self, seed: &mut Vec<u8>) {
        seed.splice(..0, *self);
    }
}

impl<T: Encode> Encode for Option<T> {
    fn put(&self, seed: &mut Vec<u8>) {
        if let Some(value) = self {
            value.put(seed);
        }
        self.is_some().put(seed);
    }
}

/// Whether one more comes, before each.
impl<T: Encode> Encode for Vec<T> {
    fn put(&self, seed: &mut Vec<u8>) {
        false.put(seed);
        for element in self.iter().rev() {
            element.put(seed);
            true.put(seed);
        }
    }
}

impl Encode for &[u8] {
    fn put(&self, seed: &mut Vec<u8>) {
        seed.splice(..0, self.iter().copied());
        let len = u16::try_from(self.len()).expect("seeds are short");
        match (u8::try_from(seed.len()), u8::try_from(len)) {
            (Ok(_), Ok(len)) => seed.push(len),
            _ => seed.extend(len.to_be_bytes()),
        }
    }
}
