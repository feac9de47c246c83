// sansocket: a WebSocket engine without sockets, for C.
//
// Made of crates/sansocket-c by cbindgen; do not edit. After a change there:
// HEADER=write cargo test -p sansocket-c --test header
//
// WHAT EVERY CALL ASKS FOR
//
// * A pointer that is not said to be allowed to be NULL must not be. If it is, the call says
//   SANSOCKET_ERROR_NULL and does nothing else. NULL will do for no bytes (a length of 0).
// * Memory has the length that is said, lives during the call, and is used by nobody else
//   meanwhile. Different arguments do not overlap, but for a payload that is lent from the
//   buffer it came in.
// * Objects (structures with the one member `opaque`) are made by their `init` in memory of the
//   caller: on the stack, in another structure, on a heap. They own nothing, so there is nothing
//   to free. `init` again begins anew. One thread at a time may use one.
//
// WHO OWNS WHAT
//
// * The library allocates nothing, and never frees. All memory is the caller's.
// * Nothing of an argument is kept when a call returns, but: an assembler keeps its storage, a
//   handshake the strings of its configuration or request, a request or response the received
//   bytes. Where that is so, it is said.
// * Strings that `const char *` points to are static, and end with a NUL. A `sansocket_str` has
//   a length and no NUL.
//
// WHAT NEVER HAPPENS
//
// * No input makes a call crash, hang, allocate, or unwind into C. If the library had a fault
//   that panics, the process would abort there.
// * No call does I/O, asks the time, or draws random numbers.

#ifndef SANSOCKET_H
#define SANSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


// How many header fields, origins or subprotocols can be given in one call.
#define SANSOCKET_LIST_MAX 16

// A bit of `leniency`: a server takes unmasked frames too, against RFC 6455 section 5.1.
#define SANSOCKET_ACCEPT_UNMASKED 1

// A bit of `leniency`: a length may stand in a longer form than it needs, against RFC 6455
// section 5.2.
#define SANSOCKET_ACCEPT_NON_MINIMAL_LENGTH 2

// A bit of `origin_switches`: a request without `Origin` is refused with 403.
#define SANSOCKET_REFUSE_MISSING_ORIGIN 1

// A bit of `origin_switches`: `Origin: null` is taken under every policy.
#define SANSOCKET_ALLOW_NULL_ORIGIN 2

// The size of a server's handshake, in words of eight bytes.
#define SANSOCKET_SERVER_HANDSHAKE_WORDS 140

// The size of a request, in words of eight bytes.
#define SANSOCKET_REQUEST_WORDS 284

// The size of a client's handshake, in words of eight bytes.
#define SANSOCKET_CLIENT_HANDSHAKE_WORDS 218

// The size of a response, in words of eight bytes.
#define SANSOCKET_RESPONSE_WORDS 268

// The size of a connection, in words of eight bytes.
#define SANSOCKET_CONNECTION_WORDS 58

// The size of an assembler, in words of eight bytes.
#define SANSOCKET_ASSEMBLER_WORDS 8

// The size of a carry, in words of eight bytes.
#define SANSOCKET_CARRY_WORDS 19

// The room that is enough for anything that `sansocket_poll_transmit` has to give, a Ping, a
// Pong or a Close, in bytes.
#define SANSOCKET_CONTROL_FRAME_LEN_MAX 131

// What more than its payload a frame takes at most, in bytes.
#define SANSOCKET_FRAME_HEAD_LEN_MAX 14

// The size of a frame head, in words of eight bytes.
#define SANSOCKET_FRAME_HEAD_WORDS 6

// When a deadline is that does not exist.
#define SANSOCKET_NEVER UINT64_MAX

// What a call says of itself. 0 is success; `sansocket_strerror` has a sentence for each.
//
// After an error of the caller's (`SANSOCKET_ERROR_...`) nothing has changed.
typedef enum {
    // It is done.
    SANSOCKET_OK = 0,
    // The connection failed (RFC 6455 section 7.1.7): the peer broke a rule, or was late.
    // `sansocket_failure_of` says which rule and where. A Close frame that tells the peer is
    // owed: go on with `sansocket_poll_transmit`. Every later receive says the same.
    SANSOCKET_FAILED = 1,
    // The opening handshake failed: the peer broke a rule, or was late. A server answers
    // with what `sansocket_server_handshake_reject` writes and closes; a client closes.
    SANSOCKET_REJECTED = 2,
    // A pointer is NULL that must not be.
    SANSOCKET_ERROR_NULL = 3,
    // An object was not initialised, is another one, or was moved and must not be.
    SANSOCKET_ERROR_OBJECT = 4,
    // A number without a meaning, or an address that is not aligned.
    SANSOCKET_ERROR_ARGUMENT = 5,
    // The room is too small. The length says how much is needed.
    SANSOCKET_ERROR_OUTPUT_TOO_SMALL = 6,
    // A Close frame is sent or owed, or the connection failed: nothing more can be sent.
    SANSOCKET_ERROR_CLOSED = 7,
    // A fragmented message is unfinished; only its next fragment can be sent.
    SANSOCKET_ERROR_MESSAGE_UNDER_WAY = 8,
    // The payload of the last head is not reported written.
    SANSOCKET_ERROR_PAYLOAD_UNWRITTEN = 9,
    // More payload was reported written than the head announced.
    SANSOCKET_ERROR_OVERPAID = 10,
    // A payload of 2^63 bytes or more.
    SANSOCKET_ERROR_PAYLOAD_TOO_LONG = 11,
    // A Ping or Pong has at most 125 bytes of payload.
    SANSOCKET_ERROR_CONTROL_TOO_LONG = 12,
    // What is to be sent as text is not UTF-8.
    SANSOCKET_ERROR_TEXT_NOT_UTF8 = 13,
    // This close code is not to be sent, or not by this role.
    SANSOCKET_ERROR_CLOSE_CODE = 14,
    // A close reason has at most 123 bytes.
    SANSOCKET_ERROR_REASON_TOO_LONG = 15,
    // A close reason needs a code before it.
    SANSOCKET_ERROR_REASON_WITHOUT_CODE = 16,
    // A subprotocol that was not offered, is not a token, or is offered twice.
    SANSOCKET_ERROR_SUBPROTOCOL = 17,
    // A header field whose name is no token, whose value has a control character, or that
    // the handshake sends itself.
    SANSOCKET_ERROR_FIELD = 18,
    // A status that is not to be given here, or a body that it does not allow.
    SANSOCKET_ERROR_REPLY = 19,
    // Not a `ws:` or `wss:` URI.
    SANSOCKET_ERROR_URI = 20,
    // An origin is neither `scheme://host[:port]` nor `null`.
    SANSOCKET_ERROR_ORIGIN = 21,
    // More origins, subprotocols or header fields than there is room for.
    SANSOCKET_ERROR_TOO_MANY = 22,
    // The request does not ask for a WebSocket.
    SANSOCKET_ERROR_NOT_UPGRADE = 23,
    // There is nothing to tell: the connection did not fail, or has not ended.
    SANSOCKET_ERROR_NOTHING = 24,
    // The library contradicts itself. Please report it.
    SANSOCKET_ERROR_INTERNAL = 25,
} sansocket_status;

// What the received bytes are.
typedef enum {
    // The beginning of a head: call again with more bytes.
    SANSOCKET_REQUEST_INCOMPLETE = 0,
    // A request to open a WebSocket.
    SANSOCKET_REQUEST_UPGRADE = 1,
    // A GET that does not ask for a WebSocket: `sansocket_request_refuse` answers it.
    SANSOCKET_REQUEST_PLAIN = 2,
} sansocket_request_kind;

// What the received bytes are.
typedef enum {
    // The beginning of a head: call again with more bytes.
    SANSOCKET_RESPONSE_INCOMPLETE = 0,
    // The server accepts, and its response passed all checks.
    SANSOCKET_RESPONSE_ACCEPTED = 1,
    // Any status but 101: a refusal, a redirect, a page. Its body starts behind the head; no
    // frame ever follows.
    SANSOCKET_RESPONSE_DECLINED = 2,
} sansocket_response_kind;

// What the peer sent.
typedef enum {
    // Nothing whole yet: more bytes are needed.
    SANSOCKET_NOTHING = 0,
    // A piece of a message, or with an assembler a whole message.
    SANSOCKET_DATA = 1,
    // A Ping. Its Pong is owed already, unless that was switched off.
    SANSOCKET_PING = 2,
    // A Pong, whether asked for or not.
    SANSOCKET_PONG = 3,
    // The peer's Close frame, the last event. The reply is owed already, unless that was
    // switched off.
    SANSOCKET_CLOSE = 4,
} sansocket_event_kind;

// What to do for a connection.
typedef enum {
    // Nothing to write; go on.
    SANSOCKET_IDLE = 0,
    // Write these bytes, then ask again.
    SANSOCKET_BYTES = 1,
    // Something is owed that does not fit: the length says how much room it needs.
    SANSOCKET_FULL = 2,
    // Nothing to write. Go on reading: the peer has yet to answer our Close, or to end the
    // transport.
    SANSOCKET_AWAIT_PEER = 3,
    // When everything is written: shut down the sending side of the transport, and go on
    // reading until it ends. Do not close it yet, or unread input resets it before the peer
    // has read why. Said again until then.
    SANSOCKET_HALF_CLOSE = 4,
    // When everything is written: close the transport.
    SANSOCKET_CLOSE_NOW = 5,
} sansocket_transmit;

// Where a connection is on its way from open to closed.
typedef enum {
    // Data may flow both ways.
    SANSOCKET_STATE_OPEN = 0,
    // Our Close is owed or sent, the peer's has not come.
    SANSOCKET_STATE_CLOSE_SENT = 1,
    // The peer's Close has come, ours is still to be sent by the application.
    SANSOCKET_STATE_CLOSE_RECEIVED = 2,
    // Both Close frames are sent or owed, or the transport is gone.
    SANSOCKET_STATE_CLOSED = 3,
    // The connection failed: the Close that says why is owed or sent.
    SANSOCKET_STATE_FAILED = 4,
} sansocket_state;

// Why a connection ended.
typedef enum {
    // The closing handshake was completed: both sides sent Close.
    SANSOCKET_CAUSE_CLOSING_HANDSHAKE = 0,
    // A rule was broken or a deadline passed: see `sansocket_failure_of`.
    SANSOCKET_CAUSE_FAILED = 1,
    // The transport ended between two messages, without the closing handshake.
    SANSOCKET_CAUSE_TRANSPORT_ENDED = 2,
    // The transport ended inside a frame or a message.
    SANSOCKET_CAUSE_TRUNCATED = 3,
    // The transport was reset.
    SANSOCKET_CAUSE_TRANSPORT_RESET = 4,
    // A Close was not answered in time.
    SANSOCKET_CAUSE_CLOSE_TIMEOUT = 5,
    // The application dropped the connection.
    SANSOCKET_CAUSE_ABORTED = 6,
    // Another one, which this version has no number for.
    SANSOCKET_CAUSE_OTHER = 7,
} sansocket_cause;

// Bytes with a length, lent: no NUL ends them, and they are not to be freed. Whose memory
// that is, and for how long, is said where one comes from.
//
// `{NULL, 0}` stands for nothing at all. Those that the library gives are UTF-8, unless it
// says otherwise; those that it takes must be.
typedef struct {
    // The first byte.
    const char *ptr;
    // The number of bytes.
    size_t len;
} sansocket_str;

// The two parts of a `ws:` or `wss:` URI that opening a transport needs.
typedef struct {
    // The host, an IPv6 address in its brackets. Borrowed from the URI.
    sansocket_str host;
    // The port: as written, or else 80 or 443.
    uint16_t port;
    // Whether the scheme is `wss`, so that the transport must be TLS.
    bool secure;
} sansocket_uri;

// How to find out that the peer is gone.
typedef uint32_t sansocket_keep_alive;

// Which replies the engine gives by itself.
typedef uint32_t sansocket_replies;

// How a connection behaves. `sansocket_config_default` fills it; then change what you want.
//
// Plain data of the caller's: it is read by `sansocket_server_init` and
// `sansocket_client_init`, and not kept.
typedef struct {
    // The longest message to accept, in bytes; a longer one fails with 1009. Default: 1 MiB.
    uint64_t message_len_max;
    // The longest frame to accept, in bytes of payload; 0 is the limit for messages, which
    // is the default.
    uint64_t frame_len_max;
    // How many fragments a message may have, empty ones included; one more fails with 1008.
    // 0, the default, is 1,024, or one for each KiB of `message_len_max` if that is more.
    uint32_t fragments_max;
    // How many control frames may come in a second without data; one more fails with 1008.
    // Default: 1,024.
    uint32_t control_frames_max;
    // One of `SANSOCKET_KEEP_ALIVE_...`. Default: `SANSOCKET_KEEP_ALIVE_PING`.
    sansocket_keep_alive keep_alive;
    // The silence before a Ping, or the time between two Pongs. Default: 20 s.
    uint32_t keep_alive_interval_ms;
    // The silence after a Ping. Default: 20 s.
    uint32_t keep_alive_timeout_ms;
    // Fail with 1008 when no message came for so long, whatever Pongs came; 0, the default,
    // is never.
    uint32_t message_idle_ms;
    // How long a message may take from its first byte to its last; 0 is for ever. Default:
    // 60 s. A later one fails with 1008.
    uint32_t assembly_timeout_ms;
    // How long to wait for the peer's Close after ours. Default: 5 s.
    uint32_t close_timeout_ms;
    // After how long to begin the closing handshake in any case; 0, the default, is never.
    uint32_t lifetime_ms;
    // One of `SANSOCKET_REPLIES_...`. Default: `SANSOCKET_REPLIES_AUTOMATIC`.
    sansocket_replies replies;
    // Bits of `SANSOCKET_ACCEPT_...`. Default: 0, everything strict.
    uint32_t leniency;
} sansocket_config;

// Whose web pages may connect (RFC 6455 section 10.2).
typedef uint32_t sansocket_origin_policy;

// How a server takes opening handshakes. `sansocket_handshake_config_default` fills it; then
// change what you want. Plain data of the caller's.
typedef struct {
    // The most bytes of a head; beyond it the answer is 431. Default: 16 KiB.
    size_t head_len_max;
    // The most bytes of a request target; beyond it the answer is 414. Default: 8 KiB.
    size_t target_len_max;
    // The most header fields; beyond it the answer is 431. Default, and at most: 64.
    size_t fields_max;
    // The time from the first `sansocket_server_handshake_handle_timeout` to the end of the
    // head; beyond it the answer is 408. Default: 10 s.
    uint32_t deadline_ms;
    // One of `SANSOCKET_ORIGIN_...`. Default: `SANSOCKET_ORIGIN_SAME_HOST`.
    sansocket_origin_policy origin_policy;
    // The origins listed, as `https://example.com`; at most `SANSOCKET_LIST_MAX`. The list is
    // copied; the strings are borrowed, and must live as long as the handshake.
    const sansocket_str *origins;
    // The number of origins listed.
    size_t origins_len;
    // Bits of `SANSOCKET_REFUSE_MISSING_ORIGIN` and `SANSOCKET_ALLOW_NULL_ORIGIN`. Default: 0.
    uint32_t origin_switches;
} sansocket_handshake_config;

// Reads one request for a WebSocket. Memory of the caller's: nothing to free, but it must
// stay where it is from its `init` on (it is checked). Over when the connection is open.
typedef struct {
    uint64_t opaque[SANSOCKET_SERVER_HANDSHAKE_WORDS];
} sansocket_server_handshake;

// A request that passed all checks. Memory of the caller's, on the stack, say: nothing to
// free, may be moved. It borrows the received bytes: valid as long as they stay where and as
// they are.
typedef struct {
    uint64_t opaque[SANSOCKET_REQUEST_WORDS];
} sansocket_request;

// Why an opening handshake failed.
typedef struct {
    // The rule that was broken, as `"host-missing"`: a static string with a NUL. The names are
    // those of `docs/conformance/vectors`.
    const char *rule;
    // The offset of the byte that breaks the form of the head; `SIZE_MAX` if its form is right
    // and its meaning wrong.
    size_t offset;
    // The HTTP status that a server answers; 0 at a client.
    uint16_t status;
} sansocket_rejection;

// A header field of HTTP.
typedef struct {
    // The name, a token.
    sansocket_str name;
    // The value, without control characters.
    sansocket_str value;
} sansocket_field;

// How a server accepts. Plain data of the caller's; nothing of it is kept.
typedef struct {
    // The subprotocol to agree on, one of those offered; `{NULL, 0}` for none.
    sansocket_str subprotocol;
    // Further header fields, such as `Set-Cookie`; at most `SANSOCKET_LIST_MAX`. May be NULL.
    const sansocket_field *fields;
    // Their number.
    size_t fields_len;
} sansocket_accept;

// An HTTP answer in place of a WebSocket. Plain data of the caller's; nothing of it is kept.
typedef struct {
    // The status: 300 to 599 to a request for a WebSocket, 200 to 599 to another.
    uint16_t status;
    // Header fields; at most `SANSOCKET_LIST_MAX`. `Connection: close` and `Content-Length` are
    // added. May be NULL.
    const sansocket_field *fields;
    // Their number.
    size_t fields_len;
    // The body. May be NULL.
    const uint8_t *body;
    // Its length in bytes.
    size_t body_len;
} sansocket_reply;

// Sends one request for a WebSocket, and reads its response. Memory of the caller's: nothing to
// free, but it must stay where it is from its `init` on (it is checked). Over when the
// connection is open.
typedef struct {
    uint64_t opaque[SANSOCKET_CLIENT_HANDSHAKE_WORDS];
} sansocket_client_handshake;

// What a client asks for. All zero but for the URI will do. Plain data of the caller's: the
// structure and its lists are copied; the strings are borrowed, and must live as long as the
// handshake.
typedef struct {
    // The URI, as `ws://example.com/chat`.
    sansocket_str uri;
    // The subprotocols to offer, the favourite first; at most `SANSOCKET_LIST_MAX`. May be NULL.
    const sansocket_str *subprotocols;
    // Their number.
    size_t subprotocols_len;
    // The origin, of clients that act for a web page only; `{NULL, 0}` for none.
    sansocket_str origin;
    // Further header fields, such as `Authorization`; at most `SANSOCKET_LIST_MAX`. May be NULL.
    const sansocket_field *fields;
    // Their number.
    size_t fields_len;
    // The most bytes of a response head, with all interim ones; 0 is 16 KiB.
    size_t head_len_max;
    // The time from the first `sansocket_client_handshake_handle_timeout` to the end of the
    // response head; 0 is 10 s.
    uint32_t deadline_ms;
} sansocket_client_request;

// A response. Memory of the caller's, on the stack, say: nothing to free, may be moved. It
// borrows the received bytes: valid as long as they stay where and as they are.
typedef struct {
    uint64_t opaque[SANSOCKET_RESPONSE_WORDS];
} sansocket_response;

// One open WebSocket connection, of a server or a client. Memory of the caller's.
//
// It may be moved between calls (`memcpy`, `realloc`), has nothing to free, and is over when
// its memory is. One thread at a time may use it; different connections are independent.
typedef struct {
    uint64_t opaque[SANSOCKET_CONNECTION_WORDS];
} sansocket_connection;

// Puts messages together that come in pieces, in storage of the caller's. Memory of the
// caller's: nothing to free, may be moved between calls.
typedef struct {
    uint64_t opaque[SANSOCKET_ASSEMBLER_WORDS];
} sansocket_assembler;

// Carries what one buffer ended with into the next, 130 bytes at most: for buffers that are
// shared by many connections, or lent by a kernel. Memory of the caller's, one for each
// connection: nothing to free, may be moved between calls.
typedef struct {
    uint64_t opaque[SANSOCKET_CARRY_WORDS];
} sansocket_carry;

// What a message is: text or binary.
typedef uint32_t sansocket_message_kind;

// What one receive made of the bytes it was given.
typedef struct {
    // What it is.
    sansocket_event_kind kind;
    // Of `SANSOCKET_DATA`: `SANSOCKET_TEXT` or `SANSOCKET_BINARY`. Otherwise 0.
    sansocket_message_kind message_kind;
    // The payload, unmasked; of `SANSOCKET_CLOSE` the reason, which is UTF-8. NULL if there is
    // none.
    //
    // It is lent, from the buffer that was presented, the carry or the storage of the
    // assembler, and so valid until that buffer is written to or freed, or the next receive
    // with that carry or assembler. The connection may be used meanwhile, to send it back,
    // say. A piece of a text may begin and end inside a character.
    const uint8_t *payload;
    // The length of the payload in bytes.
    size_t payload_len;
    // How many bytes of the buffer are done with. Present the others again: after an event at
    // once, without one when more bytes are behind them. With a carry, all are done with if
    // there is no event.
    size_t consumed;
    // Of `SANSOCKET_NOTHING`: how many bytes must be presented together to make progress, the
    // unconsumed ones included. At most 131. With a carry 0.
    size_t need;
    // Of `SANSOCKET_DATA`: whether the message begins with this piece. Of a whole message,
    // this and the next are true.
    bool starts_message;
    // Of `SANSOCKET_DATA`: whether the message ends with this piece.
    bool ends_message;
    // Of `SANSOCKET_DATA` without an assembler: whether a frame begins with this piece.
    bool starts_frame;
    // Of a piece with `starts_frame`: whether that frame is its message's last (FIN).
    bool fin;
    // Of `SANSOCKET_CLOSE`: the close code, 1005 if the frame has none. Otherwise 0.
    uint16_t close_code;
    // Of a piece with `starts_frame`: the length of the frame's whole payload in bytes.
    uint64_t frame_len;
    // Of `SANSOCKET_DATA` without an assembler: how many bytes of the frame are still to come.
    uint64_t frame_left;
} sansocket_event;

// Whether a fragment is the last of its message.
typedef uint32_t sansocket_fin;

// The head of a frame whose payload the caller writes itself, as with `writev`. Memory of the
// caller's: nothing to free, may be moved between calls.
typedef struct {
    uint64_t opaque[SANSOCKET_FRAME_HEAD_WORDS];
} sansocket_frame_head;

// Why a connection failed.
typedef struct {
    // The rule that was broken, as `"text-not-utf8"`: a static string with a NUL. The names are
    // those of `docs/conformance/vectors`.
    const char *rule;
    // Where the rule stands, as `"RFC 6455 section 8.1"`: a static string with a NUL.
    const char *section;
    // How many bytes of the frame stream came before the first one that cannot be; for a
    // deadline, how many had been consumed.
    uint64_t offset;
    // The close code that tells the peer.
    uint16_t close_code;
} sansocket_failure;

// How a connection ended.
typedef struct {
    // Why. The closure is clean (RFC 6455 section 7.1.4) if it was the closing handshake.
    sansocket_cause cause;
    // The close code to report: that of the peer's Close, 1005 if it had none, 1006 if no
    // Close came.
    uint16_t code;
    // The code that we sent or queued: 1005 for a Close without one, 0 if we sent no Close.
    uint16_t sent;
} sansocket_closure;

// Not at all.
#define SANSOCKET_KEEP_ALIVE_OFF 0

// A Ping after an interval of silence; no Pong within the timeout fails with 1011.
#define SANSOCKET_KEEP_ALIVE_PING 1

// An unasked-for Pong after each interval, as a one-way heartbeat.
#define SANSOCKET_KEEP_ALIVE_PONG 2

// A Pong for each Ping, a Close for the peer's Close.
#define SANSOCKET_REPLIES_AUTOMATIC 0

// A Close for the peer's Close; Pings are left to the application.
#define SANSOCKET_REPLIES_CLOSE_ONLY 1

// None: the application must answer both.
#define SANSOCKET_REPLIES_MANUAL 2

// Pages from the host and port that the request names.
#define SANSOCKET_ORIGIN_SAME_HOST 0

// The origins listed.
#define SANSOCKET_ORIGIN_LIST 1

// Every well-formed origin: for a rule of your own, by `sansocket_request_origin`.
#define SANSOCKET_ORIGIN_ANY 2

// A text message, UTF-8.
#define SANSOCKET_TEXT 1

// A binary message.
#define SANSOCKET_BINARY 2

// More fragments follow.
#define SANSOCKET_MORE 0

// It is the last.
#define SANSOCKET_LAST 1

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// What a status means, in English: one line without a full stop.
//
// The string is static: it lives for ever, and is not to be freed. Never NULL, whatever
// the number.
const char *sansocket_strerror(int32_t status);

// Parses a URI (RFC 6455 section 3) into `parts`, which borrow from it.
//
// `SANSOCKET_ERROR_URI` if it is none.
sansocket_status sansocket_uri_parse(sansocket_str uri, sansocket_uri *parts);

// Fills `config` with the defaults.
sansocket_status sansocket_config_default(sansocket_config *config);

// Fills `config` with the defaults.
sansocket_status sansocket_handshake_config_default(sansocket_handshake_config *config);

// Makes a handshake that waits for a request. `config` may be NULL for the defaults.
sansocket_status sansocket_server_handshake_init(sansocket_server_handshake *handshake,
                                                 const sansocket_handshake_config *config);

// Reads the head at the start of the `len` bytes at `received`: all bytes received so far,
// from the first one. Bytes that earlier calls saw are not looked at again.
//
// `kind` says what they are. If it is not `SANSOCKET_REQUEST_INCOMPLETE`, the request is in
// `request`, and borrows `received`. `SANSOCKET_REJECTED` when a rule is broken, and ever
// after: write what `sansocket_server_handshake_reject` gives, then close.
sansocket_status sansocket_server_handshake_receive(sansocket_server_handshake *handshake,
                                                    const uint8_t *received,
                                                    size_t len,
                                                    sansocket_request_kind *kind,
                                                    sansocket_request *request);

// Writes to `at_us` when `sansocket_server_handshake_handle_timeout` wants to be called; see
// `sansocket_poll_timeout`.
sansocket_status sansocket_server_handshake_poll_timeout(sansocket_server_handshake *handshake,
                                                         uint64_t *at_us);

// Takes the time. The first call starts the deadline, which covers the whole head.
// `SANSOCKET_REJECTED` when it is over.
sansocket_status sansocket_server_handshake_handle_timeout(sansocket_server_handshake *handshake,
                                                           uint64_t now_us);

// Writes the answer to a request that was `SANSOCKET_REJECTED` to the start of `out`; 512 bytes
// of room are enough. Close the transport behind it, and read nothing more.
// `SANSOCKET_ERROR_NOTHING` if nothing was rejected.
sansocket_status sansocket_server_handshake_reject(sansocket_server_handshake *handshake,
                                                   uint8_t *out,
                                                   size_t out_size,
                                                   size_t *len);

// Writes to `rejection` why the request was `SANSOCKET_REJECTED`; `SANSOCKET_ERROR_NOTHING` if it
// was not.
sansocket_status sansocket_server_handshake_rejection(sansocket_server_handshake *handshake,
                                                      sansocket_rejection *rejection);

// The path of the request, percent-escapes untouched; at least `/`.
sansocket_str sansocket_request_path(const sansocket_request *request);

// The query of the request without its `?`; `{NULL, 0}` if it was absent or empty.
sansocket_str sansocket_request_query(const sansocket_request *request);

// The host that was asked for, without port, an IPv6 address in its brackets.
sansocket_str sansocket_request_host(const sansocket_request *request);

// The origin of the page that asks, which the policy allows; `{NULL, 0}` if the request names
// none, or does not ask for a WebSocket.
sansocket_str sansocket_request_origin(const sansocket_request *request);

// The subprotocol that is offered at this place, from 0, the client's favourite first;
// `{NULL, 0}` behind the last.
sansocket_str sansocket_request_subprotocol(const sansocket_request *request, size_t index);

// The value of a header field with this name, whatever its case, the one at this place of them,
// from 0; `{NULL, 0}` behind the last. It may be other bytes than UTF-8.
sansocket_str sansocket_request_field(const sansocket_request *request,
                                      sansocket_str name,
                                      size_t index);

// The length of the head, in bytes from the first one received: what is behind it is the
// frame stream once the request is accepted, and to be dropped if it is not. 0 if there is no
// request.
size_t sansocket_request_head_len(const sansocket_request *request);

// Accepts: writes the response to the start of `out`. Then make the connection by
// `sansocket_server_init`; frames may follow the response at once. `accept` may be NULL for
// neither subprotocol nor fields.
//
// Errors: `SANSOCKET_ERROR_NOT_UPGRADE`, `SANSOCKET_ERROR_SUBPROTOCOL`, `SANSOCKET_ERROR_FIELD`,
// `SANSOCKET_ERROR_TOO_MANY`, `SANSOCKET_ERROR_OUTPUT_TOO_SMALL`: 256 bytes of room are enough
// without `accept`.
sansocket_status sansocket_request_accept(const sansocket_request *request,
                                          const sansocket_accept *accept,
                                          uint8_t *out,
                                          size_t out_size,
                                          size_t *len);

// Answers with something else than a WebSocket: writes the whole response to the start of
// `out`. Close the transport behind it. For a request that is `SANSOCKET_REQUEST_PLAIN`, `reply`
// may be NULL: then it is told that this is a WebSocket server (426).
//
// Errors: `SANSOCKET_ERROR_REPLY`, `SANSOCKET_ERROR_FIELD`, `SANSOCKET_ERROR_TOO_MANY`,
// `SANSOCKET_ERROR_OUTPUT_TOO_SMALL`.
sansocket_status sansocket_request_refuse(const sansocket_request *request,
                                          const sansocket_reply *reply,
                                          uint8_t *out,
                                          size_t out_size,
                                          size_t *len);

// Makes a handshake for `request`. `nonce` points to 16 bytes, which are copied: random, and
// drawn anew for each attempt (RFC 6455 section 4.1).
//
// Errors: `SANSOCKET_ERROR_URI`, `SANSOCKET_ERROR_SUBPROTOCOL`, `SANSOCKET_ERROR_ORIGIN`,
// `SANSOCKET_ERROR_FIELD`, `SANSOCKET_ERROR_TOO_MANY`.
sansocket_status sansocket_client_handshake_init(sansocket_client_handshake *handshake,
                                                 const sansocket_client_request *request,
                                                 const uint8_t *nonce);

// Writes the request to the start of `out`. Nothing more may be sent until the response is
// accepted. `SANSOCKET_ERROR_OUTPUT_TOO_SMALL` says how much room it needs.
sansocket_status sansocket_client_handshake_write(sansocket_client_handshake *handshake,
                                                  uint8_t *out,
                                                  size_t out_size,
                                                  size_t *len);

// Reads the head at the start of the `len` bytes at `received`: all bytes received so far,
// from the first one. Bytes that earlier calls saw are not looked at again.
//
// `kind` says what they are. If it is not `SANSOCKET_RESPONSE_INCOMPLETE`, the response is in
// `response`, and borrows `received`. `SANSOCKET_REJECTED` when a rule is broken, and ever
// after: close the transport.
sansocket_status sansocket_client_handshake_receive(sansocket_client_handshake *handshake,
                                                    const uint8_t *received,
                                                    size_t len,
                                                    sansocket_response_kind *kind,
                                                    sansocket_response *response);

// The transport ended. `SANSOCKET_REJECTED` if it ended before the head did.
sansocket_status sansocket_client_handshake_receive_end(sansocket_client_handshake *handshake);

// Writes to `at_us` when `sansocket_client_handshake_handle_timeout` wants to be called; see
// `sansocket_poll_timeout`.
sansocket_status sansocket_client_handshake_poll_timeout(sansocket_client_handshake *handshake,
                                                         uint64_t *at_us);

// Takes the time. The first call starts the deadline, which covers the whole response head.
// `SANSOCKET_REJECTED` when it is over.
sansocket_status sansocket_client_handshake_handle_timeout(sansocket_client_handshake *handshake,
                                                           uint64_t now_us);

// Writes to `rejection` why the response was `SANSOCKET_REJECTED`; `SANSOCKET_ERROR_NOTHING` if it
// was not.
sansocket_status sansocket_client_handshake_rejection(sansocket_client_handshake *handshake,
                                                      sansocket_rejection *rejection);

// The status of the response; 0 if there is none.
uint16_t sansocket_response_status(const sansocket_response *response);

// The agreed subprotocol, one of those offered; `{NULL, 0}` for none.
sansocket_str sansocket_response_subprotocol(const sansocket_response *response);

// The value of a header field with this name, whatever its case, the one at this place of them,
// from 0; `{NULL, 0}` behind the last. It may be other bytes than UTF-8.
sansocket_str sansocket_response_field(const sansocket_response *response,
                                       sansocket_str name,
                                       size_t index);

// The length of the head and of all interim ones, in bytes from the first one received: the
// frames, or the body of a response that declines, start behind it. 0 if there is none.
size_t sansocket_response_head_len(const sansocket_response *response);

// Makes a server's connection in `connection`, whose opening handshake is over: the response
// of `sansocket_request_accept` is written, or was by other code.
//
// `config` may be NULL for the defaults; it is not kept.
sansocket_status sansocket_server_init(sansocket_connection *connection,
                                       const sansocket_config *config);

// Makes a client's connection in `connection`, whose opening handshake is over: a
// `sansocket_response` was `SANSOCKET_RESPONSE_ACCEPTED`, or other code vouches for it.
//
// `config` may be NULL for the defaults; it is not kept. `seed` points to 32 bytes, which are
// copied: random, secret, and new for each connection (RFC 6455 section 5.3), as from
// `getrandom`. The masking keys are made of them.
sansocket_status sansocket_client_init(sansocket_connection *connection,
                                       const sansocket_config *config,
                                       const uint8_t *seed);

// Makes an assembler over `storage_len` bytes at `storage`, for messages that are no longer;
// what is in them does not matter.
//
// The storage stays the caller's to free. It belongs to the assembler until then: it must
// live and stay where it is as long as the assembler is used, and the caller may only read
// there, a message that a receive lent from it. A message that comes in one piece is lent from
// where it lies, and never stored.
sansocket_status sansocket_assembler_init(sansocket_assembler *assembler,
                                          uint8_t *storage,
                                          size_t storage_len);

// Makes a carry that carries nothing.
sansocket_status sansocket_carry_init(sansocket_carry *carry);

// Decodes the next event of the `len` bytes at `buf`, in place: payloads are unmasked where
// they lie. One event a call; call again with what was not consumed until there is
// `SANSOCKET_NOTHING`, and take `sansocket_poll_transmit` after each.
//
// Unconsumed bytes (130 at most, once there is `SANSOCKET_NOTHING`) are presented again, with
// more behind them. Any split of the stream gives the same events, but for the borders of
// pieces. The buffer stays the caller's, and nothing is kept of it.
//
// `SANSOCKET_FAILED` when the peer broke a rule, and ever after: the valid bytes before were
// delivered, the rest is to be thrown away (`event` says that it is consumed), and the Close
// is owed.
sansocket_status sansocket_receive(sansocket_connection *connection,
                                   uint8_t *buf,
                                   size_t len,
                                   sansocket_event *event);

// `sansocket_receive` over buffers that are not presented again: without an event, all of
// `buf` is consumed, and the beginning of a header or control frame is in `carry`.
sansocket_status sansocket_receive_carried(sansocket_connection *connection,
                                           sansocket_carry *carry,
                                           uint8_t *buf,
                                           size_t len,
                                           sansocket_event *event);

// `sansocket_receive`, but `SANSOCKET_DATA` is a whole message: pieces are put together in
// `assembler`. `carry` may be NULL; if not, it is `sansocket_receive_carried`.
//
// A message that does not fit the assembler fails the connection with 1009
// (`SANSOCKET_FAILED`), where it becomes too long. Give the assembler as much storage as
// `message_len_max` allows; then that is told at the header.
sansocket_status sansocket_receive_message(sansocket_connection *connection,
                                           sansocket_carry *carry,
                                           sansocket_assembler *assembler,
                                           uint8_t *buf,
                                           size_t len,
                                           sansocket_event *event);

// Encodes what the protocol owes, to the start of `out`: the latest Pong, a keep-alive Ping,
// the Close; as many as there is room for. `step` says what to do, `len` how many bytes were
// written, or are needed (`SANSOCKET_FULL`). `SANSOCKET_CONTROL_FRAME_LEN_MAX` bytes of room
// are always enough for one frame.
//
// Take it after each event and before waiting, until there are no more `SANSOCKET_BYTES`.
sansocket_status sansocket_poll_transmit(sansocket_connection *connection,
                                         uint8_t *out,
                                         size_t out_size,
                                         sansocket_transmit *step,
                                         size_t *len);

// Encodes a whole message as one frame to the start of `out`; `len` says how many bytes to
// write. The payload is copied, a client's masked in the same pass; it may be lent from an
// event, and must not overlap `out`.
//
// Errors, with which nothing has changed: `SANSOCKET_ERROR_TEXT_NOT_UTF8`,
// `SANSOCKET_ERROR_CLOSED`, `SANSOCKET_ERROR_MESSAGE_UNDER_WAY` between fragments,
// `SANSOCKET_ERROR_PAYLOAD_UNWRITTEN` behind a head, `SANSOCKET_ERROR_OUTPUT_TOO_SMALL`, where
// `len` says how much room is needed: at most `SANSOCKET_FRAME_HEAD_LEN_MAX` more than the
// payload.
sansocket_status sansocket_send(sansocket_connection *connection,
                                sansocket_message_kind kind,
                                const uint8_t *payload,
                                size_t payload_len,
                                uint8_t *out,
                                size_t out_size,
                                size_t *len);

// Encodes one fragment of a message (RFC 6455 section 5.4) to the start of `out`; the first
// begins the message, the one with `SANSOCKET_LAST` ends it. A fragment of a text may end
// inside a character. Control frames may go between fragments, other messages may not.
//
// Errors as of `sansocket_send`; `SANSOCKET_ERROR_MESSAGE_UNDER_WAY` also if `kind` is not that
// of the message.
sansocket_status sansocket_send_fragment(sansocket_connection *connection,
                                         sansocket_message_kind kind,
                                         sansocket_fin fin,
                                         const uint8_t *payload,
                                         size_t payload_len,
                                         uint8_t *out,
                                         size_t out_size,
                                         size_t *len);

// Encodes a Ping with at most 125 bytes of payload to the start of `out`. Keep-alive needs no
// call: see `sansocket_config`.
//
// Errors as of `sansocket_send`; `SANSOCKET_ERROR_CONTROL_TOO_LONG`.
sansocket_status sansocket_ping(sansocket_connection *connection,
                                const uint8_t *payload,
                                size_t payload_len,
                                uint8_t *out,
                                size_t out_size,
                                size_t *len);

// Encodes a Pong with at most 125 bytes of payload to the start of `out`. Pings are answered
// without it, unless that was switched off.
//
// Errors as of `sansocket_ping`.
sansocket_status sansocket_pong(sansocket_connection *connection,
                                const uint8_t *payload,
                                size_t payload_len,
                                uint8_t *out,
                                size_t out_size,
                                size_t *len);

// Encodes a Close frame to the start of `out`: begins the closing handshake, or completes it
// in place of the automatic reply, as long as that was not taken. `code` 0 is none; then the
// reason must be empty. The reason is UTF-8 of at most 123 bytes.
//
// Go on with `sansocket_poll_transmit`, which says what to do with the transport.
//
// Errors: `SANSOCKET_ERROR_CLOSED` if a Close was sent, or the connection failed;
// `SANSOCKET_ERROR_CLOSE_CODE`, `SANSOCKET_ERROR_REASON_TOO_LONG`,
// `SANSOCKET_ERROR_REASON_WITHOUT_CODE`, `SANSOCKET_ERROR_TEXT_NOT_UTF8`,
// `SANSOCKET_ERROR_OUTPUT_TOO_SMALL`, `SANSOCKET_ERROR_PAYLOAD_UNWRITTEN`.
sansocket_status sansocket_close(sansocket_connection *connection,
                                 uint16_t code,
                                 const uint8_t *reason,
                                 size_t reason_len,
                                 uint8_t *out,
                                 size_t out_size,
                                 size_t *len);

// Makes the head of a frame of a message, whose payload of `payload_len` bytes the caller
// writes behind it: its bytes go to `out`, which has room for `SANSOCKET_FRAME_HEAD_LEN_MAX`,
// and `len` says how many they are. A client masks the payload with
// `sansocket_frame_head_mask` before it writes it.
//
// A head is a debt: no other frame is given until `sansocket_payload_written` was told of the
// whole payload. That a text payload is UTF-8, and that each head's ends between characters,
// is the caller's promise here.
//
// Errors as of `sansocket_send_fragment`, but for the text; `SANSOCKET_ERROR_PAYLOAD_TOO_LONG`.
sansocket_status sansocket_send_head(sansocket_connection *connection,
                                     sansocket_message_kind kind,
                                     sansocket_fin fin,
                                     uint64_t payload_len,
                                     sansocket_frame_head *head,
                                     uint8_t *out,
                                     size_t out_size,
                                     size_t *len);

// Masks the next `len` bytes of the payload in place, if it is a client's; a server's stay as
// they are. The pieces must come in order, each once.
sansocket_status sansocket_frame_head_mask(sansocket_frame_head *head,
                                           uint8_t *piece,
                                           size_t len);

// `len` bytes of the payload of the last head were written.
//
// `SANSOCKET_ERROR_OVERPAID` if that is more than was left of it.
sansocket_status sansocket_payload_written(sansocket_connection *connection, uint64_t len);

// Writes to `at_us` when `sansocket_handle_timeout` wants to be called: the earliest of all
// deadlines, on the clock of the caller; 0 for at once; `SANSOCKET_NEVER` if there is none.
//
// 0 says that something waits for a time: call `sansocket_handle_timeout`, then ask again.
sansocket_status sansocket_poll_timeout(const sansocket_connection *connection,
                                        uint64_t *at_us);

// Lets time pass: it is `now_us`, in microseconds of any clock that does not go back, from
// any beginning.
//
// Call it once per wake-up, after the input that was there was received. Early, late and
// repeated calls do no harm. `SANSOCKET_FAILED` when a deadline passed that fails the
// connection; its Close is owed.
sansocket_status sansocket_handle_timeout(sansocket_connection *connection,
                                          uint64_t now_us);

// The transport ended: no byte will follow. With a carry or unconsumed bytes, they are lost.
//
// A Close that is still owed is given by `sansocket_poll_transmit`, since a peer that stopped
// sending may still read.
sansocket_status sansocket_receive_end(sansocket_connection *connection);

// The transport was reset, or can no longer be written.
sansocket_status sansocket_receive_reset(sansocket_connection *connection);

// Gives the connection up at once: no Close frame, nothing more is owed.
sansocket_status sansocket_abort(sansocket_connection *connection);

// Fails the connection for a reason of the application's own: a Close with `code` is owed, and
// nothing more is delivered. A code that this role may not send is replaced by 1011. For a
// closing handshake there is `sansocket_close`.
sansocket_status sansocket_fail(sansocket_connection *connection,
                                uint16_t code);

// Writes to `state` where the connection is on its way from open to closed.
sansocket_status sansocket_state_of(const sansocket_connection *connection,
                                    sansocket_state *state);

// Writes to `failure` why the connection failed; `SANSOCKET_ERROR_NOTHING` if it did not.
sansocket_status sansocket_failure_of(sansocket_connection *connection,
                                      sansocket_failure *failure);

// Writes why the connection failed as a sentence for a log, UTF-8 without a NUL, to the start
// of `out`, and its length to `len`. 256 bytes are enough. `SANSOCKET_ERROR_NOTHING` if it did
// not fail.
sansocket_status sansocket_failure_text(sansocket_connection *connection,
                                        uint8_t *out,
                                        size_t out_size,
                                        size_t *len);

// Writes to `closure` how the connection ended; `SANSOCKET_ERROR_NOTHING` while its transport is
// still of use.
sansocket_status sansocket_closure_of(const sansocket_connection *connection,
                                      sansocket_closure *closure);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SANSOCKET_H */

// The sizes that this header promises are those that the library was made with.
#if defined(__cplusplus) && __cplusplus >= 201103L
#define SANSOCKET_STATIC_ASSERT(condition) static_assert(condition, #condition)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define SANSOCKET_STATIC_ASSERT(condition) _Static_assert(condition, #condition)
#else
#define SANSOCKET_STATIC_ASSERT(condition)
#endif
SANSOCKET_STATIC_ASSERT(sizeof(sansocket_connection) == 8 * SANSOCKET_CONNECTION_WORDS);
SANSOCKET_STATIC_ASSERT(sizeof(sansocket_assembler) == 8 * SANSOCKET_ASSEMBLER_WORDS);
SANSOCKET_STATIC_ASSERT(sizeof(sansocket_carry) == 8 * SANSOCKET_CARRY_WORDS);
SANSOCKET_STATIC_ASSERT(sizeof(sansocket_frame_head) == 8 * SANSOCKET_FRAME_HEAD_WORDS);
SANSOCKET_STATIC_ASSERT(sizeof(sansocket_server_handshake) == 8 * SANSOCKET_SERVER_HANDSHAKE_WORDS);
SANSOCKET_STATIC_ASSERT(sizeof(sansocket_client_handshake) == 8 * SANSOCKET_CLIENT_HANDSHAKE_WORDS);
SANSOCKET_STATIC_ASSERT(sizeof(sansocket_request) == 8 * SANSOCKET_REQUEST_WORDS);
SANSOCKET_STATIC_ASSERT(sizeof(sansocket_response) == 8 * SANSOCKET_RESPONSE_WORDS);
#undef SANSOCKET_STATIC_ASSERT
