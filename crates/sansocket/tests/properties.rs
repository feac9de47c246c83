//! What always holds, for streams, schedules and calls that nobody thought of.

#![cfg(feature = "alloc")]

mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use sansocket::frame::{
    Expect, FrameError, FrameHeader, FrameRule, Leniency, MaskRule, Parsed, Rules,
};
use sansocket::{
    CloseCode, Closure, Config, Connection, Fin, Kind, Opcode, Server, State, Tick, Transmit,
    TransportStep,
};
use support::{
    Embedder, Endpoint, Halves, Part, Seen, TestClient, frames, heard, messages, open, run, written,
};

/// Something that an endpoint says.
#[derive(Clone, Debug)]
enum Say {
    /// A message in fragments, cut at these places.
    Text(String, Vec<Index>),
    Binary(Vec<u8>, Vec<Index>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

fn say() -> impl Strategy<Value = Say> {
    let cuts = || vec(any::<Index>(), 0..3);
    prop_oneof![
        4 => (".{0,40}", cuts()).prop_map(|(text, cuts)| Say::Text(text, cuts)),
        2 => (vec(any::<u8>(), 0..300), cuts()).prop_map(|(bytes, cuts)| Say::Binary(bytes, cuts)),
        1 => vec(any::<u8>(), 0..=125).prop_map(Say::Ping),
        1 => vec(any::<u8>(), 0..=125).prop_map(Say::Pong),
    ]
}

impl Say {
    fn message(&self) -> Option<(Kind, &[u8], &[Index])> {
        match self {
            Self::Text(text, cuts) => Some((Kind::Text, text.as_bytes(), cuts)),
            Self::Binary(bytes, cuts) => Some((Kind::Binary, bytes, cuts)),
            Self::Ping(_) | Self::Pong(_) => None,
        }
    }

    /// The fragments of a message, each with whether it is the last.
    fn fragments(&self) -> Vec<(Kind, Fin, &[u8])> {
        let Some((kind, bytes, cuts)) = self.message() else { return vec![] };
        let pieces = cut(bytes, cuts);
        let last = pieces.len() - 1;
        let fin = |i| if i == last { Fin::Last } else { Fin::More };
        pieces.into_iter().enumerate().map(|(i, piece)| (kind, fin(i), piece)).collect()
    }

    /// The frames that say it, with the calls of the API.
    fn send<R: Endpoint>(&self, connection: &mut Connection<R>) -> Vec<u8> {
        let (mut out, mut place) = (Vec::new(), [0; 400]);
        let mut add = |result: Result<usize, _>, place: &[u8]| {
            out.extend_from_slice(&place[..result.expect("open")]);
        };
        match self {
            Self::Ping(payload) => add(connection.ping(payload, &mut place), &place),
            Self::Pong(payload) => add(connection.pong(payload, &mut place), &place),
            Self::Text(..) | Self::Binary(..) => {
                for (kind, fin, payload) in self.fragments() {
                    add(connection.send_fragment(kind, fin, payload, &mut place), &place);
                }
            }
        }
        out
    }

    /// The frames that say it, by the book.
    fn bytes_to<R: Endpoint>(&self) -> Vec<u8> {
        match self {
            Self::Ping(payload) => R::from_peer(&[Part::Frame(0x89, payload)]),
            Self::Pong(payload) => R::from_peer(&[Part::Frame(0x8a, payload)]),
            Self::Text(..) | Self::Binary(..) => {
                let fragments = self.fragments();
                let parts: Vec<_> = (0..)
                    .zip(&fragments)
                    .map(|(i, (kind, fin, payload))| {
                        let opcode = if i == 0 { kind.opcode().bits() } else { 0 };
                        let fin = if *fin == Fin::Last { 0x80 } else { 0 };
                        Part::Frame(fin | opcode, payload)
                    })
                    .collect();
                R::from_peer(&parts)
            }
        }
    }
}

/// `bytes` cut at these places.
fn cut<'b>(bytes: &'b [u8], cuts: &[Index]) -> Vec<&'b [u8]> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    let (mut pieces, mut start) = (Vec::new(), 0);
    for place in places.into_iter().chain([bytes.len()]) {
        pieces.push(&bytes[start..place]);
        start = place;
    }
    pieces
}

fn messages_said(script: &[Say]) -> Vec<(Kind, Vec<u8>)> {
    let messages = script.iter().filter_map(Say::message);
    messages.map(|(kind, bytes, _)| (kind, bytes.to_vec())).collect()
}

fn pings_said(script: &[Say]) -> Vec<Seen> {
    let pings = script.iter().filter_map(|say| match say {
        Say::Ping(payload) => Some(Seen::Pong(payload.clone())),
        _ => None,
    });
    pings.collect()
}

/// A stream that is often valid, and never far from it.
fn nearly_valid<R: Endpoint>(script: &[Say], close: bool, mutations: &[(Index, u8)]) -> Vec<u8> {
    let mut stream: Vec<u8> = script.iter().flat_map(Say::bytes_to::<R>).collect();
    if close {
        stream.extend(R::from_peer(&[Part::Frame(0x88, b"\x03\xe8bye")]));
    }
    for (at, byte) in mutations {
        if !stream.is_empty() {
            let at = at.index(stream.len());
            stream[at] = *byte;
        }
    }
    stream
}

fn splits_alike<R: Endpoint>(stream: &[u8], cuts: &[Index]) -> Result<(), TestCaseError> {
    let config = &Config::new().message_len_max(250).control_frames_max(4).fragments_max(3);
    let whole = run(open::<R>(config), &[stream]);
    let pieces = cut(stream, cuts);
    prop_assert_eq!(&run(open::<R>(config), &pieces), &whole);
    prop_assert_eq!(&run(Halves::<R>::open(config), &pieces), &whole);
    let bytes: Vec<_> = stream.chunks(1).collect();
    prop_assert_eq!(&run(open::<R>(config), &bytes), &whole);
    Ok(())
}

fn decodes_what_was_encoded<R: Endpoint, P: Endpoint>(script: &[Say]) -> Result<(), TestCaseError> {
    let mut connection = open::<R>(&Config::new());
    let sent: Vec<u8> = script.iter().flat_map(|say| say.send(&mut connection)).collect();
    let by_the_book: Vec<u8> = script.iter().flat_map(Say::bytes_to::<P>).collect();
    // The same frames, but for the keys.
    let keyless = |bytes: &[u8]| -> Vec<_> {
        frames(bytes).into_iter().map(|frame| (frame.first, frame.payload)).collect()
    };
    prop_assert_eq!(keyless(&sent), keyless(&by_the_book));
    let outcome = run(open::<P>(&Config::new()), &[&sent]);
    prop_assert_eq!(outcome.failure, None);
    prop_assert_eq!(heard(&outcome.events), written::<R>(&sent).replace(", more ", ""));
    prop_assert_eq!(messages(&outcome.events), messages_said(script));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    // P5, F32: 6455-6.2-01
    #[test]
    fn any_split_gives_the_same_outcome(
        script in vec(say(), 0..6),
        close: bool,
        mutations in vec((any::<Index>(), any::<u8>()), 0..3),
        cuts in vec(any::<Index>(), 0..12),
    ) {
        splits_alike::<Server>(&nearly_valid::<Server>(&script, close, &mutations), &cuts)?;
        splits_alike::<TestClient>(&nearly_valid::<TestClient>(&script, close, &mutations), &cuts)?;
    }

    #[test]
    fn decoding_undoes_encoding(script in vec(say(), 0..8)) {
        decodes_what_was_encoded::<Server, TestClient>(&script)?;
        decodes_what_was_encoded::<TestClient, Server>(&script)?;
    }
}

/// Header bytes that are often valid.
fn header_bytes() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        4 => (any::<bool>(), prop::sample::select(vec![0_u8, 1, 2, 8, 9, 10]))
            .prop_map(|(fin, opcode)| u8::from(fin) << 7 | opcode),
        1 => any::<u8>(),
    ];
    let second = prop_oneof![Just(126), Just(127), Just(254), Just(255), Just(0x81), any::<u8>()];
    let tail = prop_oneof![
        vec(any::<u8>(), 12),
        (0..8_usize, vec(any::<u8>(), 12)).prop_map(|(zeros, mut tail)| {
            tail[..zeros].fill(0);
            tail
        }),
    ];
    (first, second, tail, 0..=14_usize).prop_map(|(first, second, tail, len)| {
        let mut bytes = [&[first, second][..], &tail].concat();
        bytes.truncate(len);
        bytes
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    let len = || prop_oneof![Just(0), Just(125), Just(70_000), Just(u64::MAX), any::<u64>()];
    let reserved = prop::sample::select(vec![0_u8, 0x40]);
    (any::<[bool; 5]>(), reserved, [len(), len(), len()], 0..3_u32, 0..3_u32).prop_map(
        |(
            [masked, expect, unmasked, longer, compressed],
            reserved,
            [payload, message, used],
            fragments,
            max,
        )| {
            let lenient = |on, leniency| if on { leniency } else { Leniency::NONE };
            Rules {
                mask: if masked { MaskRule::Masked } else { MaskRule::Unmasked },
                expect: if expect { Expect::Message } else { Expect::Continuation },
                reserved,
                payload_len_max: payload,
                compressed,
                message_len: used,
                message_len_max: message,
                fragments,
                fragments_max: max,
                leniency: lenient(unmasked, Leniency::ACCEPT_UNMASKED)
                    .and(lenient(longer, Leniency::ACCEPT_NON_MINIMAL_LENGTH)),
            }
        },
    )
}

/// Reads a header one byte after the other, and asks of each whether it may be.
fn naive_parse(bytes: &[u8], rules: &Rules) -> Result<Parsed, FrameError> {
    for at in 0..bytes.len() {
        if let Some(rule) = naive_breach(&bytes[..=at], rules) {
            return Err(FrameError { rule, at });
        }
        if naive_len(&bytes[..=at]) == at + 1 && at > 0 {
            return Ok(naive_header(&bytes[..=at]));
        }
    }
    let need = match (bytes.len(), bytes.get(1).map(|second| second & 0x7f)) {
        (0 | 1, _) => 2,
        (2..4, Some(126)) => 4,
        (2..10, Some(127)) => 10,
        _ => naive_len(bytes),
    };
    Ok(Parsed::Incomplete { need })
}

/// How long the header is that starts like this.
fn naive_len(bytes: &[u8]) -> usize {
    let Some(second) = bytes.get(1) else { return 2 };
    let key = if second & 0x80 == 0 { 0 } else { 4 };
    key + match second & 0x7f {
        126 => 4,
        127 => 10,
        _ => 2,
    }
}

fn naive_payload_len(bytes: &[u8]) -> u64 {
    let big_endian = |bytes: &[u8]| bytes.iter().fold(0, |len, byte| len << 8 | u64::from(*byte));
    match bytes[1] & 0x7f {
        126 => big_endian(&bytes[2..4]),
        127 => big_endian(&bytes[2..10]),
        short => u64::from(short),
    }
}

fn naive_header(bytes: &[u8]) -> Parsed {
    let key = (bytes[1] & 0x80 != 0).then(|| bytes[bytes.len() - 4..].try_into().expect("a key"));
    let header = FrameHeader {
        fin: if bytes[0] & 0x80 == 0 { Fin::More } else { Fin::Last },
        reserved: bytes[0] & 0x70,
        opcode: Opcode::from_bits(bytes[0] & 0x0f).expect("checked"),
        key,
        payload_len: naive_payload_len(bytes),
    };
    Parsed::Header { header, header_len: bytes.len() }
}

/// The rule that the last of these bytes breaks, all before it being right.
fn naive_breach(bytes: &[u8], rules: &Rules) -> Option<FrameRule> {
    let opcode = bytes[0] & 0x0f;
    let is_control = opcode >= 8;
    let longer = rules.leniency.and(Leniency::ACCEPT_NON_MINIMAL_LENGTH) == rules.leniency;
    let unmasked = rules.leniency.and(Leniency::ACCEPT_UNMASKED) == rules.leniency;
    let len_7 = bytes.get(1).map_or(0, |second| second & 0x7f);
    let first = |rule, broken: bool| broken.then_some(rule);
    match (bytes.len(), len_7) {
        (1, _) => {
            let bits = bytes[0] & 0x70;
            let allowed = if matches!(opcode, 1 | 2) { rules.reserved } else { 0 };
            let continues = rules.expect == Expect::Continuation;
            first(FrameRule::ReservedBits { bits }, bits & !allowed != 0)
                .or(first(FrameRule::ReservedOpcode { opcode }, matches!(opcode, 3..=7 | 11..)))
                .or(first(FrameRule::UnexpectedContinuation, opcode == 0 && !continues))
                .or(first(FrameRule::UnfinishedMessage, matches!(opcode, 1 | 2) && continues))
                .or(first(FrameRule::FragmentedControl, is_control && bytes[0] & 0x80 == 0))
                .or(first(
                    FrameRule::TooManyFragments { max: rules.fragments_max },
                    !is_control && rules.fragments >= rules.fragments_max,
                ))
        }
        (2, _) => {
            let masked = bytes[1] & 0x80 != 0;
            let must_mask = rules.mask == MaskRule::Masked;
            first(FrameRule::Unmasked, must_mask && !masked && !unmasked)
                .or(first(FrameRule::Masked, !must_mask && masked))
                .or(first(FrameRule::ControlTooLong, is_control && len_7 > 125))
                .or(first(FrameRule::CloseBodyOfOneByte, opcode == 8 && len_7 == 1))
                .or(if len_7 < 126 && !is_control { naive_limit(bytes, rules) } else { None })
        }
        (4, 126) => {
            let len = naive_payload_len(bytes);
            first(FrameRule::LengthNotMinimal { len }, len < 126 && !longer)
                .or(naive_limit(bytes, rules))
        }
        (3, 127) => first(FrameRule::LengthTopBit, bytes[2] >= 0x80),
        (8, 127) => first(FrameRule::LengthLeadingZeros, bytes[2..] == [0; 6] && !longer),
        (10, 127) => naive_limit(bytes, rules),
        _ => None,
    }
}

fn naive_limit(bytes: &[u8], rules: &Rules) -> Option<FrameRule> {
    let len = naive_payload_len(bytes);
    let sum = u128::from(len) + u128::from(rules.message_len);
    let compressed = rules.compressed || bytes[0] & 0x70 != 0;
    let limit = |max: u64| {
        let more = if compressed { u128::from(max / 8 + max / 64) + 64 } else { 0 };
        u64::try_from(u128::from(max) + more).unwrap_or(u64::MAX)
    };
    let max = limit(rules.payload_len_max);
    if len > max {
        return Some(FrameRule::FrameTooBig { len, max });
    }
    let max = limit(rules.message_len_max);
    // A message over its limit already takes nothing more, not even nothing at all.
    let too_big = len > 0 && sum > u128::from(max);
    let len = u64::try_from(sum).unwrap_or(u64::MAX);
    too_big.then_some(FrameRule::MessageTooBig { len, max })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    // 6455-5.2-01, 6455-5.2-04, 6455-5.2-05, 6455-5.2-06, 6455-5.2-07, 6455-5.2-08,
    // 6455-5.2-09, 6455-5.2-10, 6455-5.2-11
    #[test]
    fn headers_are_parsed_as_by_the_naive_way(bytes in header_bytes(), rules in rules()) {
        prop_assert_eq!(FrameHeader::parse(&bytes, &rules), naive_parse(&bytes, &rules));
    }
}

/// A connection and the script it has still to say, at one end of a wire.
struct End<R: Endpoint> {
    embedder: Embedder<Connection<R>>,
    script: Vec<Say>,
}

impl<R: Endpoint> End<R> {
    fn new(script: &[Say]) -> Self {
        let embedder = Embedder::new(open::<R>(&Config::new().control_frames_max(u32::MAX)));
        Self { embedder, script: script.iter().rev().cloned().collect() }
    }

    fn say_next(&mut self) {
        if let Some(say) = self.script.pop() {
            let bytes = say.send(&mut self.embedder.engine);
            self.embedder.written.extend(bytes);
        }
    }

    /// Takes up to `len` bytes from the wire.
    fn hear(&mut self, wire: &mut Vec<u8>, len: usize) {
        let bytes: Vec<_> = wire.drain(..len.min(wire.len())).collect();
        self.embedder.feed(&bytes);
    }

    fn close(&mut self) {
        let mut out = [0; 64];
        if let Ok(len) = self.embedder.engine.close(Some(CloseCode::NORMAL), "done", &mut out) {
            self.embedder.written.extend_from_slice(&out[..len]);
        }
    }

    /// Checks that everything `said` came once and in order, and that each own
    /// Ping has its Pong.
    fn check(&mut self, said: &[Say], own: &[Say]) -> Result<(), TestCaseError> {
        let events = &self.embedder.events;
        prop_assert_eq!(messages(events), messages_said(said));
        let pongs: Vec<_> =
            events.iter().filter(|event| matches!(event, Seen::Pong(_))).cloned().collect();
        let unasked = said.iter().filter(|say| matches!(say, Say::Pong(_))).count();
        prop_assert_eq!(pongs.len(), unasked + pings_said(own).len());
        let mut answers = pongs.iter();
        for answer in pings_said(own) {
            prop_assert!(answers.any(|pong| *pong == answer), "in order");
        }
        let step = if R::is_server() { TransportStep::HalfClose } else { TransportStep::AwaitPeer };
        prop_assert_eq!(self.embedder.flush(), step);
        let closure = self.embedder.engine.receive_end();
        prop_assert!(closure.is_clean());
        prop_assert_eq!(
            (closure.code(), closure.sent()),
            (CloseCode::NORMAL, Some(CloseCode::NORMAL))
        );
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    // 6455-6.1-10, 6455-5.4-07, 6455-7.1.4-02
    #[test]
    fn two_engines_reach_the_same_end_by_any_schedule(
        [of_server, of_client] in [vec(say(), 0..6), vec(say(), 0..6)],
        schedule in vec((0..6_u8, 1..200_usize), 0..60),
        [server_closes, client_closes] in any::<[bool; 2]>(),
    ) {
        let (mut server, mut client) = (End::<Server>::new(&of_server), End::<TestClient>::new(&of_client));
        for (act, len) in schedule {
            match act {
                0 => server.say_next(),
                1 => client.say_next(),
                2 | 3 => server.hear(&mut client.embedder.written, len),
                _ => client.hear(&mut server.embedder.written, len),
            }
        }
        while !(server.script.is_empty() && client.script.is_empty()) {
            server.say_next();
            client.say_next();
        }
        // Pings that still lie on the wire are answered before the Close is sent,
        // unless the Closes cross.
        while !(server.embedder.written.is_empty() && client.embedder.written.is_empty()) {
            server.hear(&mut client.embedder.written, 61);
            client.hear(&mut server.embedder.written, 67);
        }
        if server_closes {
            server.close();
        }
        if client_closes || !server_closes {
            client.close();
        }
        for _ in 0..2 {
            server.hear(&mut client.embedder.written, 100);
            client.hear(&mut server.embedder.written, 100);
        }
        server.check(&of_client, &of_server)?;
        client.check(&of_server, &of_client)?;
    }
}

/// A call to the API, with whatever arguments.
#[derive(Clone, Debug)]
enum Call {
    Receive(Vec<u8>),
    Hear(Say),
    HearClose,
    Say(Say),
    Fragment(Kind, bool, Vec<u8>),
    Head(Kind, bool, u8),
    Pay,
    Transmit(usize),
    Time(u64),
    Close(u16),
    FailWith(u16),
    End(u8),
}

fn call() -> impl Strategy<Value = Call> {
    let kind = || prop::sample::select(vec![Kind::Text, Kind::Binary]);
    let code = || prop_oneof![Just(1000), Just(4000), any::<u16>()];
    prop_oneof![
        1 => vec(any::<u8>(), 0..40).prop_map(Call::Receive),
        8 => say().prop_map(Call::Hear),
        1 => Just(Call::HearClose),
        4 => say().prop_map(Call::Say),
        2 => (kind(), any::<bool>(), vec(any::<u8>(), 0..9)).prop_map(|(kind, last, payload)| Call::Fragment(kind, last, payload)),
        2 => (kind(), any::<bool>(), any::<u8>()).prop_map(|(kind, last, len)| Call::Head(kind, last, len)),
        3 => Just(Call::Pay),
        4 => (0..140_usize).prop_map(Call::Transmit),
        4 => prop_oneof![0..100_000_000_u64, Just(u64::MAX), any::<u64>()].prop_map(Call::Time),
        1 => code().prop_map(Call::Close),
        1 => code().prop_map(Call::FailWith),
        1 => (0..6_u8).prop_map(Call::End),
    ]
}

/// A connection that is called in any order, and all that it wrote.
struct Called<R: Endpoint> {
    connection: Connection<R>,
    input: Vec<u8>,
    out: Vec<u8>,
    unpaid: usize,
}

impl<R: Endpoint> Called<R> {
    fn call(&mut self, call: &Call) -> Result<(), TestCaseError> {
        let mut place = [0; 400];
        match call {
            Call::Receive(bytes) => self.receive(bytes)?,
            Call::Hear(say) => self.receive(&say.bytes_to::<R>())?,
            Call::HearClose => self.receive(&R::from_peer(&[Part::Frame(0x88, b"\x03\xe8bye")]))?,
            Call::Say(say) => {
                let connection = &mut self.connection;
                let result = match say {
                    Say::Text(text, _) => connection.send(text.as_str(), &mut place),
                    Say::Binary(bytes, _) => connection.send(&bytes[..], &mut place),
                    Say::Ping(payload) => connection.ping(payload, &mut place),
                    Say::Pong(payload) => connection.pong(payload, &mut place),
                };
                self.out.extend_from_slice(&place[..result.unwrap_or(0)]);
            }
            Call::Fragment(kind, last, payload) => {
                let result = self.connection.send_fragment(*kind, fin(*last), payload, &mut place);
                self.out.extend_from_slice(&place[..result.unwrap_or(0)]);
            }
            Call::Head(kind, last, len) => {
                if let Ok(head) = self.connection.head(*kind, fin(*last), u64::from(*len)) {
                    prop_assert_eq!(self.unpaid, 0);
                    self.out.extend_from_slice(head.as_bytes());
                    self.unpaid = usize::from(*len);
                }
            }
            Call::Pay => {
                let paid = self.unpaid.div_ceil(2);
                self.out.extend(vec![0; paid]);
                self.unpaid -= paid;
                prop_assert_eq!(self.connection.payload_written(paid as u64), Ok(()));
            }
            Call::Transmit(room) => {
                let mut place = vec![0; *room];
                match self.connection.poll_transmit(&mut place) {
                    Transmit::Bytes(bytes) => {
                        prop_assert_eq!(self.unpaid, 0);
                        self.out.extend_from_slice(bytes);
                    }
                    Transmit::Full { need } => prop_assert!(*room < need && need <= 131),
                    _ => {}
                }
            }
            Call::Time(micros) => {
                let now = Tick::from_micros(*micros);
                let first = self.connection.handle_timeout(now);
                let second = self.connection.handle_timeout(now);
                prop_assert!(first == second || first.is_ok());
            }
            Call::Close(code) => {
                let result = self.connection.close(Some(CloseCode::new(*code)), "bye", &mut place);
                self.out.extend_from_slice(&place[..result.unwrap_or(0)]);
            }
            Call::FailWith(code) => _ = self.connection.fail_with(CloseCode::new(*code)),
            Call::End(0) => _ = self.connection.receive_end(),
            Call::End(1) => _ = self.connection.receive_reset(),
            Call::End(2) => _ = self.connection.abort(),
            Call::End(_) => {}
        }
        Ok(())
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<(), TestCaseError> {
        self.input.extend_from_slice(bytes);
        let mut rest = &mut self.input[..];
        loop {
            let presented = rest.len();
            let Ok(received) = self.connection.receive(rest) else {
                self.input.clear();
                return Ok(());
            };
            rest = received.rest;
            if received.event.is_none() {
                prop_assert!(rest.len() < received.need && received.need <= 131);
                break;
            }
            prop_assert!(rest.len() < presented, "an event consumed nothing");
        }
        let left = rest.len();
        self.input.drain(..self.input.len() - left);
        Ok(())
    }

    /// Whole frames, at most one Close, no data after it, and an end that stays.
    fn check(mut self) -> Result<(), TestCaseError> {
        let state = self.connection.state();
        let is_over = matches!(state, State::Closed | State::Failed);
        let sent = self.connection.send("", &mut [0; 16]);
        prop_assert!(!is_over || sent == Err(sansocket::SendError::Closed));
        // What is left of the last frame, so that `written` finds them all whole.
        self.out.extend(vec![0; self.unpaid]);
        let _ = written::<R>(&self.out);
        let written = frames(&self.out);
        let close = written.iter().position(|frame| frame.first == 0x88);
        let after = &written[close.map_or(written.len(), |close| close + 1)..];
        prop_assert!(
            after.iter().all(|frame| frame.first == 0x8a),
            "only Pongs follow: {:?}",
            after
        );
        Ok(())
    }
}

fn fin(last: bool) -> Fin {
    if last { Fin::Last } else { Fin::More }
}

fn survives<R: Endpoint>(calls: &[Call]) -> Result<(), TestCaseError> {
    let config = Config::new().message_len_max(300).control_frames_max(20);
    let (input, out) = Default::default();
    let mut called = Called { connection: open::<R>(&config), input, out, unpaid: 0 };
    let mut before: Option<(State, Option<Closure>)> = None;
    for call in calls {
        called.call(call)?;
        let (state, closure) = (called.connection.state(), called.connection.closure());
        if let Some((state_before, closure_before)) = before {
            let is_way = state == state_before || rank(state) > rank(state_before);
            prop_assert!(is_way, "{:?} after {:?}", state, state_before);
            // A Close of one's own may still go in the place of one that is owed.
            let may_change = closure_before.is_none() || matches!(call, Call::Close(_));
            prop_assert!(may_change || closure == closure_before, "{:?}", call);
        }
        before = Some((state, closure));
    }
    called.check()
}

/// How far a state is on the way to the end; there is none back.
fn rank(state: State) -> u8 {
    match state {
        State::Open => 0,
        State::CloseSent | State::CloseReceived => 1,
        State::Closed | State::Failed => 2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    // P9
    #[test]
    fn no_calls_and_no_bytes_break_the_engine(calls in vec(call(), 0..40)) {
        survives::<Server>(&calls)?;
        survives::<TestClient>(&calls)?;
    }

    // P9, and the progress of P5: 6455-10.7-01
    #[test]
    fn arbitrary_bytes_are_consumed_or_refused(bytes in vec(any::<u8>(), 0..300), cuts in vec(any::<Index>(), 0..5)) {
        splits_alike::<Server>(&bytes, &cuts)?;
        splits_alike::<TestClient>(&bytes, &cuts)?;
    }
}
