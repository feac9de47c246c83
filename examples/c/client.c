/*
 * A client in C11: sends each line of the standard input as a text message, and prints what
 * comes. At the end of the input it closes, and waits for what is still to come.
 *
 *     client ws://HOST[:PORT]/PATH
 *
 * Exit status 0 if the connection was closed cleanly.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sansocket.h"

enum { INPUT_LEN = 64 * 1024, LINE_LEN_MAX = 16 * 1024, MESSAGE_LEN_MAX = 1 << 20 };

static int transport;
static sansocket_connection websocket;
static sansocket_assembler assembler;
static uint8_t storage[MESSAGE_LEN_MAX], input[INPUT_LEN];
static size_t input_len;

static void die(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void check(const char *what, sansocket_status status) {
    if (status != SANSOCKET_OK) die(what, sansocket_strerror(status));
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static void draw(uint8_t *random, size_t len) {
    if (getrandom(random, len, 0) != (ssize_t)len) die("getrandom", strerror(errno));
}

/* Milliseconds until a deadline, rounded up, for `poll`. */
static int until(uint64_t deadline) {
    uint64_t time = now();
    if (deadline == SANSOCKET_NEVER) return -1;
    if (deadline <= time) return 0;
    return (int)((deadline - time + 999) / 1000);
}

static void connect_to(sansocket_str text) {
    sansocket_uri uri;
    check("the address", sansocket_uri_parse(text, &uri));
    if (uri.secure) die("the address", "there is no TLS here");
    char host[256], port[8];
    bool is_ipv6 = uri.host.ptr[0] == '[';
    snprintf(host, sizeof host, "%.*s", (int)(uri.host.len - 2 * is_ipv6), uri.host.ptr + is_ipv6);
    snprintf(port, sizeof port, "%u", (unsigned)uri.port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int error = getaddrinfo(host, port, &hints, &found);
    if (error != 0) die(host, gai_strerror(error));
    transport = -1;
    for (struct addrinfo *each = found; each != NULL && transport < 0; each = each->ai_next) {
        transport = socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC, 0);
        if (transport >= 0 && connect(transport, each->ai_addr, each->ai_addrlen) != 0) {
            close(transport);
            transport = -1;
        }
    }
    freeaddrinfo(found);
    if (transport < 0) die(host, strerror(errno));
}

/* False if the transport takes nothing any more. */
static bool write_all(const uint8_t *bytes, size_t len) {
    while (len > 0) {
        ssize_t written = send(transport, bytes, len, MSG_NOSIGNAL);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        bytes += written;
        len -= (size_t)written;
    }
    return true;
}

/* What comes next, behind what is there. 0 at the end of the transport. */
static size_t read_more(void) {
    ssize_t len = recv(transport, input + input_len, sizeof input - input_len, 0);
    if (len < 0 && errno != EINTR) return 0;
    input_len += len > 0 ? (size_t)len : 0;
    return len < 0 ? 1 : (size_t)len;
}

/* The opening handshake. Frames that came with the response stay in the input. */
static void open_websocket(sansocket_str uri) {
    static sansocket_client_handshake handshake;
    static sansocket_response response;
    sansocket_client_request request = {.uri = uri};
    sansocket_response_kind kind = SANSOCKET_RESPONSE_INCOMPLETE;
    uint8_t nonce[16], seed[32], out[4096];
    size_t len;
    draw(nonce, sizeof nonce);
    draw(seed, sizeof seed);
    check("the request", sansocket_client_handshake_init(&handshake, &request, nonce));
    check("the request", sansocket_client_handshake_write(&handshake, out, sizeof out, &len));
    if (!write_all(out, len)) die("the request", strerror(errno));
    while (kind == SANSOCKET_RESPONSE_INCOMPLETE) {
        uint64_t deadline;
        check("the response", sansocket_client_handshake_handle_timeout(&handshake, now()));
        check("the response", sansocket_client_handshake_poll_timeout(&handshake, &deadline));
        struct pollfd ready = {.fd = transport, .events = POLLIN};
        if (poll(&ready, 1, until(deadline)) <= 0) continue;
        if (read_more() == 0) {
            check("the response", sansocket_client_handshake_receive_end(&handshake));
        }
        sansocket_status status = sansocket_client_handshake_receive(&handshake, input, input_len,
                                                                     &kind, &response);
        if (status == SANSOCKET_REJECTED) {
            sansocket_rejection rejection;
            sansocket_client_handshake_rejection(&handshake, &rejection);
            die("the response", rejection.rule);
        }
        check("the response", status);
    }
    if (kind == SANSOCKET_RESPONSE_DECLINED) {
        fprintf(stderr, "declined with %u\n", (unsigned)sansocket_response_status(&response));
        exit(1);
    }
    size_t head_len = sansocket_response_head_len(&response);
    input_len -= head_len;
    memmove(input, input + head_len, input_len);
    check("the connection", sansocket_client_init(&websocket, NULL, seed));
    check("the storage", sansocket_assembler_init(&assembler, storage, sizeof storage));
}

/* Prints what is whole, and keeps the rest. A failure leaves only the loop: its Close is owed. */
static void receive(void) {
    sansocket_event event;
    size_t done = 0;
    while (sansocket_receive_message(&websocket, NULL, &assembler, input + done, input_len - done,
                                     &event) == SANSOCKET_OK) {
        done += event.consumed;
        if (event.kind == SANSOCKET_NOTHING) break;
        if (event.kind == SANSOCKET_DATA) {
            fwrite(event.payload_len != 0 ? (const char *)event.payload : "", 1,
                   event.payload_len, stdout);
            putchar('\n');
        }
    }
    fflush(stdout);
    /* When the connection failed, `event` says that all is consumed. */
    if (event.kind == SANSOCKET_NOTHING && event.need == 0) done = input_len;
    input_len -= done;
    memmove(input, input + done, input_len);
}

/* Writes what is owed. False when the connection is over. */
static bool settle(void) {
    sansocket_transmit step;
    do {
        uint8_t out[SANSOCKET_CONTROL_FRAME_LEN_MAX];
        size_t len;
        check("transmit", sansocket_poll_transmit(&websocket, out, sizeof out, &step, &len));
        if (step == SANSOCKET_BYTES && !write_all(out, len)) sansocket_receive_reset(&websocket);
    } while (step == SANSOCKET_BYTES);
    if (step == SANSOCKET_HALF_CLOSE) shutdown(transport, SHUT_WR);
    return step != SANSOCKET_CLOSE_NOW;
}

static void send_line(const char *line, size_t len) {
    static uint8_t out[LINE_LEN_MAX + SANSOCKET_FRAME_HEAD_LEN_MAX];
    size_t out_len;
    sansocket_status status = sansocket_send(&websocket, SANSOCKET_TEXT, (const uint8_t *)line,
                                             len, out, sizeof out, &out_len);
    if (status == SANSOCKET_ERROR_CLOSED) return;
    check("the line", status);
    if (!write_all(out, out_len)) sansocket_receive_reset(&websocket);
}

/* The lines that are whole; at the end of the input, the rest and a Close. */
static bool read_lines(void) {
    static char lines[LINE_LEN_MAX];
    static size_t lines_len;
    ssize_t len = read(STDIN_FILENO, lines + lines_len, sizeof lines - lines_len);
    if (len < 0) return errno == EINTR;
    lines_len += (size_t)len;
    char *line = lines, *end;
    while ((end = memchr(line, '\n', lines_len - (size_t)(line - lines))) != NULL) {
        send_line(line, (size_t)(end - line));
        line = end + 1;
    }
    lines_len -= (size_t)(line - lines);
    memmove(lines, line, lines_len);
    if (lines_len == sizeof lines) die("the line", "too long");
    if (len > 0) return true;
    if (lines_len > 0) send_line(lines, lines_len);
    uint8_t out[SANSOCKET_CONTROL_FRAME_LEN_MAX];
    size_t out_len;
    if (sansocket_close(&websocket, 1000, NULL, 0, out, sizeof out, &out_len) == SANSOCKET_OK &&
        !write_all(out, out_len)) {
        sansocket_receive_reset(&websocket);
    }
    return false;
}

static void talk(void) {
    struct pollfd ready[2] = {{.fd = transport, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    receive(); /* what came with the response */
    while (settle()) {
        uint64_t deadline;
        check("time", sansocket_poll_timeout(&websocket, &deadline));
        if (poll(ready, 2, until(deadline)) > 0) {
            if (ready[0].revents != 0 && read_more() == 0) {
                sansocket_receive_end(&websocket);
                ready[0].fd = -1;
            }
            receive();
            if (ready[1].revents != 0 && !read_lines()) ready[1].fd = -1;
        }
        /* A failure is told by what is owed now. */
        sansocket_handle_timeout(&websocket, now());
    }
}

static int report(void) {
    sansocket_closure closure;
    uint8_t text[256];
    size_t len;
    if (sansocket_failure_text(&websocket, text, sizeof text, &len) == SANSOCKET_OK) {
        fprintf(stderr, "failed: %.*s\n", (int)len, (const char *)text);
        return 1;
    }
    check("the end", sansocket_closure_of(&websocket, &closure));
    fprintf(stderr, "closed with %u\n", (unsigned)closure.code);
    return closure.cause == SANSOCKET_CAUSE_CLOSING_HANDSHAKE ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: client ws://HOST[:PORT]/PATH\n");
        return 2;
    }
    sansocket_str uri = {argv[1], strlen(argv[1])};
    connect_to(uri);
    open_websocket(uri);
    talk();
    close(transport);
    return report();
}
