/*
 * An echo server in C11: one thread, epoll, many connections.
 *
 *     echo [ADDRESS:]PORT [MESSAGE_LEN_MAX [FRAGMENTS_MAX]]
 *
 * It shows what an embedder has to do, and no more:
 *
 *   - bounded memory: for each connection a message being put together and the output that one
 *     read can lead to, both as long as MESSAGE_LEN_MAX says; nothing is read before the output
 *     is written, so a peer that does not read stops itself;
 *   - one read buffer for all connections: what does not fit together yet is carried;
 *   - time: a heap of the deadlines that the engine and the writing have;
 *   - an orderly end: flush, half-close, drain, close.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sansocket.h"

enum {
    CONNECTIONS_MAX = 4096,
    HEAD_LEN_MAX = 16 * 1024,
    READ_LEN = 64 * 1024,
    /* An answer to the handshake, and whatever the protocol owes. */
    SLACK = 1024,
    DRAIN_LEN_MAX = 64 * 1024,
};
static const uint64_t SECOND = 1000000;
static const uint64_t WRITE_TIMEOUT = 30 * SECOND;
static const uint64_t DRAIN_TIMEOUT = 2 * SECOND;

/* What is needed until the connection is open. A handshake must not move. */
struct opening {
    sansocket_server_handshake handshake;
    size_t len;
    uint8_t head[HEAD_LEN_MAX];
};

enum stage {
    OPENING, /* the head of the request is read */
    OPEN,    /* frames go both ways, until the engine says that it is over */
    REFUSED, /* HTTP has answered: flush, half-close, drain */
};

struct connection {
    int fd;
    enum stage stage;
    struct opening *opening;
    sansocket_connection websocket;
    sansocket_carry carry;
    sansocket_assembler assembler;
    uint8_t *storage; /* of the assembler */
    uint8_t *out;
    size_t out_start, out_end;
    bool is_half_closed, has_ended;
    size_t drained;
    uint32_t interest;  /* what epoll looks for */
    uint64_t give_up;   /* when writing or draining has taken too long */
    uint64_t deadline;  /* the key in the heap */
    size_t place;       /* in the heap */
};

static int poller, listener;
static size_t message_len_max = 1 << 20, out_size;
static uint32_t fragments_max; /* 0 is the default */
static struct connection *heap[CONNECTIONS_MAX];
static size_t heap_len, connections_max = CONNECTIONS_MAX;
static volatile sig_atomic_t is_stopping;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec / 1000;
}

/* The heap: the earliest deadline is at its root. */

static void put(size_t place, struct connection *connection) {
    heap[place] = connection;
    connection->place = place;
}

static void sift(size_t place, struct connection *connection) {
    while (place > 0 && heap[(place - 1) / 2]->deadline > connection->deadline) {
        put(place, heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (size_t child; (child = 2 * place + 1) < heap_len; place = child) {
        if (child + 1 < heap_len && heap[child + 1]->deadline < heap[child]->deadline) child++;
        if (heap[child]->deadline >= connection->deadline) break;
        put(place, heap[child]);
    }
    put(place, connection);
}

static void set_deadline(struct connection *connection, uint64_t deadline) {
    connection->deadline = deadline;
    sift(connection->place, connection);
}

static void leave_heap(struct connection *connection) {
    struct connection *last = heap[--heap_len];
    if (last != connection) sift(connection->place, last);
}

/* Connections. */

static void drop(struct connection *connection) {
    leave_heap(connection);
    close(connection->fd);
    free(connection->opening);
    free(connection->storage);
    free(connection->out);
    free(connection);
}

static void look_for(struct connection *connection, uint32_t interest) {
    if (connection->interest == interest) return;
    struct epoll_event event = {.events = interest, .data.ptr = connection};
    if (epoll_ctl(poller, EPOLL_CTL_MOD, connection->fd, &event) != 0) die("epoll_ctl");
    connection->interest = interest;
}

static struct connection *new_connection(int fd, uint64_t time) {
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) return NULL;
    connection->fd = fd;
    connection->opening = malloc(sizeof *connection->opening);
    /* Pages that no message needs are never touched. */
    connection->storage = malloc(message_len_max);
    connection->out = malloc(out_size);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (connection->opening == NULL || connection->storage == NULL || connection->out == NULL ||
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) {
        free(connection->opening);
        free(connection->storage);
        free(connection->out);
        free(connection);
        return NULL;
    }
    connection->interest = EPOLLIN;
    connection->give_up = SANSOCKET_NEVER;
    connection->opening->len = 0;
    sansocket_server_handshake_init(&connection->opening->handshake, NULL);
    sansocket_server_handshake_handle_timeout(&connection->opening->handshake, time);
    connection->deadline = time;
    heap_len++;
    sift(heap_len - 1, connection);
    return connection;
}

static void accept_all(uint64_t time) {
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (heap_len == connections_max || new_connection(fd, time) == NULL) close(fd);
    }
}

/* Output. There is room for all that one read can lead to, since nothing is read before the
 * output is empty. */

static uint8_t *room(struct connection *connection) {
    return connection->out + connection->out_end;
}

static size_t room_len(const struct connection *connection) {
    return out_size - connection->out_end;
}

static bool is_written(const struct connection *connection) {
    return connection->out_start == connection->out_end;
}

/* What the protocol owes, behind the output; says what to do when it is written. */
static sansocket_transmit take_owed(struct connection *connection) {
    sansocket_transmit step;
    size_t len;
    do {
        sansocket_poll_transmit(&connection->websocket, room(connection), room_len(connection),
                                &step, &len);
        if (step == SANSOCKET_BYTES) connection->out_end += len;
    } while (step == SANSOCKET_BYTES);
    return step;
}

/* Writes what the socket takes. False if it takes nothing any more. */
static bool flush(struct connection *connection, uint64_t time) {
    while (!is_written(connection)) {
        ssize_t len = send(connection->fd, connection->out + connection->out_start,
                           connection->out_end - connection->out_start, MSG_NOSIGNAL);
        if (len < 0 && errno == EINTR) continue;
        if (len < 0) {
            if (connection->give_up == SANSOCKET_NEVER) connection->give_up = time + WRITE_TIMEOUT;
            return errno == EAGAIN || errno == EWOULDBLOCK;
        }
        connection->out_start += (size_t)len;
        connection->give_up = SANSOCKET_NEVER;
    }
    connection->out_start = connection->out_end = 0;
    return true;
}

/* Input. */

static void echo(struct connection *connection, const sansocket_event *event) {
    size_t len;
    sansocket_status status =
        sansocket_send(&connection->websocket, event->message_kind, event->payload,
                       event->payload_len, room(connection), room_len(connection), &len);
    if (status == SANSOCKET_OK) {
        connection->out_end += len;
    } else if (status != SANSOCKET_ERROR_CLOSED) { /* that is no error: it is closing */
        fprintf(stderr, "send: %s\n", sansocket_strerror(status));
        sansocket_fail(&connection->websocket, 1011);
    }
}

/* Frames. A failure is no reason to leave: its Close is owed, and taken as ever. */
static void receive(struct connection *connection, uint8_t *bytes, size_t len) {
    sansocket_event event;
    while (sansocket_receive_message(&connection->websocket, &connection->carry,
                                     &connection->assembler, bytes, len, &event) == SANSOCKET_OK &&
           event.kind != SANSOCKET_NOTHING) {
        if (event.kind == SANSOCKET_DATA) echo(connection, &event);
        take_owed(connection); /* each Ping has its Pong */
        bytes += event.consumed;
        len -= event.consumed;
    }
}

/* The request is accepted; what came behind its head are frames already. */
static void open_websocket(struct connection *connection, const sansocket_request *request) {
    struct opening *opening = connection->opening;
    size_t len, head_len = sansocket_request_head_len(request);
    sansocket_request_accept(request, NULL, room(connection), room_len(connection), &len);
    connection->out_end += len;

    sansocket_config config;
    sansocket_config_default(&config);
    config.message_len_max = message_len_max;
    config.fragments_max = fragments_max;
    sansocket_server_init(&connection->websocket, &config);
    sansocket_carry_init(&connection->carry);
    sansocket_assembler_init(&connection->assembler, connection->storage, message_len_max);
    connection->stage = OPEN;
    receive(connection, opening->head + head_len, opening->len - head_len);
    connection->opening = NULL;
    free(opening);
}

static void read_head(struct connection *connection) {
    struct opening *opening = connection->opening;
    sansocket_request_kind kind;
    sansocket_request request; /* borrows the head */
    size_t len = 0;
    sansocket_status status = sansocket_server_handshake_receive(
        &opening->handshake, opening->head, opening->len, &kind, &request);
    if (status == SANSOCKET_OK && kind == SANSOCKET_REQUEST_INCOMPLETE) return;
    if (status == SANSOCKET_OK && kind == SANSOCKET_REQUEST_UPGRADE) {
        open_websocket(connection, &request);
        return;
    }
    if (status == SANSOCKET_OK) {
        sansocket_request_refuse(&request, NULL, room(connection), room_len(connection), &len);
    } else {
        sansocket_server_handshake_reject(&opening->handshake, room(connection),
                                          room_len(connection), &len);
    }
    connection->out_end += len;
    connection->stage = REFUSED;
}

/* Reads once, and handles what came. False if the transport is broken. */
static bool read_once(struct connection *connection) {
    static uint8_t shared[READ_LEN];
    struct opening *opening = connection->stage == OPENING ? connection->opening : NULL;
    uint8_t *bytes = opening != NULL ? opening->head + opening->len : shared;
    size_t size = opening != NULL ? HEAD_LEN_MAX - opening->len : READ_LEN;
    ssize_t len = recv(connection->fd, bytes, size, 0);
    if (len < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    connection->has_ended = len == 0;
    if (opening != NULL) {
        if (len == 0) return false; /* nothing to answer */
        opening->len += (size_t)len;
        read_head(connection);
    } else if (connection->stage == REFUSED) {
        connection->drained += (size_t)len;
    } else if (len == 0) {
        sansocket_receive_end(&connection->websocket);
    } else {
        receive(connection, shared, (size_t)len);
    }
    return true;
}

/* The end, and time. */

static void half_close(struct connection *connection) {
    if (!connection->is_half_closed) shutdown(connection->fd, SHUT_WR);
    connection->is_half_closed = true;
}

static uint64_t earlier(uint64_t one, uint64_t other) { return one < other ? one : other; }

/* Flushes, half-closes when all is written, drains for a while. False when it is over. */
static bool settle_refused(struct connection *connection, uint64_t time) {
    if (!flush(connection, time)) return false;
    if (is_written(connection) && !connection->is_half_closed) {
        half_close(connection);
        connection->give_up = time + DRAIN_TIMEOUT;
    }
    set_deadline(connection, connection->give_up);
    return !connection->has_ended && connection->drained < DRAIN_LEN_MAX &&
           time < connection->give_up;
}

static bool settle_open(struct connection *connection, uint64_t time) {
    sansocket_transmit step = take_owed(connection);
    if (!flush(connection, time)) {
        sansocket_receive_reset(&connection->websocket);
        return false;
    }
    uint64_t deadline = connection->give_up;
    if (is_written(connection)) {
        if (step == SANSOCKET_CLOSE_NOW) return false;
        if (step == SANSOCKET_HALF_CLOSE) half_close(connection);
        sansocket_poll_timeout(&connection->websocket, &deadline);
    }
    set_deadline(connection, deadline);
    return time < connection->give_up;
}

static bool settle_opening(struct connection *connection, uint64_t time) {
    sansocket_server_handshake *handshake = &connection->opening->handshake;
    if (is_stopping) return false;
    if (sansocket_server_handshake_handle_timeout(handshake, time) == SANSOCKET_OK) {
        uint64_t deadline;
        sansocket_server_handshake_poll_timeout(handshake, &deadline);
        set_deadline(connection, deadline);
        return true;
    }
    size_t len;
    sansocket_server_handshake_reject(handshake, room(connection), room_len(connection), &len);
    connection->out_end += len;
    connection->stage = REFUSED;
    return settle_refused(connection, time);
}

static bool settle(struct connection *connection, uint64_t time) {
    switch (connection->stage) {
        case OPENING: return settle_opening(connection, time);
        case OPEN: return settle_open(connection, time);
        default: return settle_refused(connection, time);
    }
}

/* Input, then time. Not while there is output: then nothing is read, and what waits there unread
 * may disprove a timeout, so for the engine time stands still. Writing has its own deadline. */
static bool hear(struct connection *connection, uint64_t time) {
    if (!connection->has_ended && !read_once(connection)) return false;
    if (connection->stage == OPEN) sansocket_handle_timeout(&connection->websocket, time);
    return true;
}

/* Once per wake-up of a connection, by the socket or by time: old output, input, new output. */
static void wake(struct connection *connection, uint64_t time) {
    if (!is_written(connection) && !flush(connection, time)) {
        drop(connection);
        return;
    }
    if ((is_written(connection) && !hear(connection, time)) || !settle(connection, time)) {
        drop(connection);
        return;
    }
    if (!is_written(connection)) {
        look_for(connection, EPOLLOUT);
    } else {
        look_for(connection, connection->has_ended ? 0 : EPOLLIN);
    }
}

/* SIGTERM and SIGINT: no newcomers, and a closing handshake with everybody else. */
static void stop(uint64_t time) {
    close(listener);
    listener = -1;
    for (size_t place = heap_len; place-- > 0;) {
        struct connection *connection = heap[place];
        size_t len;
        if (connection->stage == OPEN &&
            sansocket_close(&connection->websocket, 1001, NULL, 0, room(connection),
                            room_len(connection), &len) == SANSOCKET_OK) {
            connection->out_end += len;
        }
        connection->deadline = time; /* all the same, so it stays a heap */
    }
}

static void on_signal(int number) {
    (void)number;
    is_stopping = 1;
}

/* Milliseconds until the next deadline, rounded up. */
static int until_deadline(uint64_t time) {
    if (heap_len == 0 || heap[0]->deadline == SANSOCKET_NEVER) return -1;
    if (heap[0]->deadline <= time) return 0;
    return (int)earlier((heap[0]->deadline - time + 999) / 1000, 3600 * 1000);
}

static void run(const sigset_t *unblocked) {
    struct epoll_event events[64];
    while (listener >= 0 || heap_len > 0) {
        int count = epoll_pwait(poller, events, 64, until_deadline(now()), unblocked);
        uint64_t time = now();
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr != NULL) wake(events[i].data.ptr, time);
        }
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL && listener >= 0) accept_all(time);
        }
        /* Each once: what is due again at once is due at the next wake-up. */
        for (size_t due = heap_len; due > 0 && heap_len > 0 && heap[0]->deadline <= time; due--) {
            wake(heap[0], time);
        }
        if (is_stopping && listener >= 0) stop(time);
    }
}

/* As many connections as there may be descriptors, and some for the rest. */
static void raise_limits(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) die("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) die("setrlimit");
    if (limit.rlim_cur < CONNECTIONS_MAX + 16) connections_max = (size_t)limit.rlim_cur - 16;
}

static void listen_on(const char *where) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *colon = strrchr(where, ':');
    char host[64] = "127.0.0.1";
    if (colon != NULL) snprintf(host, sizeof host, "%.*s", (int)(colon - where), where);
    address.sin_port = htons((uint16_t)atoi(colon != NULL ? colon + 1 : where));
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        fprintf(stderr, "not an IPv4 address: %s\n", host);
        exit(2);
    }
    int on = 1;
    socklen_t len = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0) die("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0) die("bind");
    if (listen(listener, 128) != 0) die("listen");
    if (getsockname(listener, (struct sockaddr *)&address, &len) != 0) die("getsockname");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) != 0) die("epoll_ctl");
    printf("ws://%s:%u/\n", host, (unsigned)ntohs(address.sin_port));
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: echo [ADDRESS:]PORT [MESSAGE_LEN_MAX [FRAGMENTS_MAX]]\n");
        return 2;
    }
    if (argc > 2) message_len_max = strtoul(argv[2], NULL, 10);
    if (argc > 3) fragments_max = (uint32_t)strtoul(argv[3], NULL, 10);
    if (message_len_max == 0 || message_len_max > SIZE_MAX / 4) {
        fprintf(stderr, "not a length: %s\n", argv[2]);
        return 2;
    }
    out_size = message_len_max + READ_LEN + SLACK;

    /* Signals come while we wait, and at no other time. */
    sigset_t blocked, unblocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, &unblocked);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    raise_limits();
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) die("epoll_create1");
    listen_on(argv[1]);
    run(&unblocked);
    close(poller);
    return 0;
}
