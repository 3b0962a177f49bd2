/* How a host in C carries links, so that MIGRATE reaches other nodes: one thread with poll. The target
 * is another engine, served over loopback by a thread for each connection. */

#include <keyslot.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

enum { LINKS_MAX = 8, READ_BYTES = 16384 };

/* ---- A server ---- */

struct server {
    keyslot_engine *engine;
    int listener;
    int port;
    pthread_t thread;
};

struct conversation {
    keyslot_engine *engine;
    int connection;
};

static void *converse(void *data)
{
    struct conversation *own = data;
    keyslot_session *session = NULL;
    char input[READ_BYTES];
    ssize_t got;

    CHECK(keyslot_session_new(own->engine, &session, NULL) == KEYSLOT_OK);
    while (!keyslot_session_is_closing(session)
           && (got = read(own->connection, input, sizeof input)) > 0) {
        const char *output;
        size_t len;

        keyslot_session_feed(session, input, (size_t)got, NULL);
        keyslot_session_output(session, &output, &len, NULL);
        while (len > 0 && (got = write(own->connection, output, len)) > 0) {
            keyslot_session_consume(session, (size_t)got, NULL);
            keyslot_session_output(session, &output, &len, NULL);
        }
    }
    keyslot_session_free(session);
    close(own->connection);
    free(own);
    return NULL;
}

static void *listen_on(void *data)
{
    struct server *server = data;
    int connection;

    while ((connection = accept(server->listener, NULL, NULL)) >= 0) {
        struct conversation *own = malloc(sizeof *own);
        pthread_t thread;

        own->engine = server->engine;
        own->connection = connection;
        CHECK(pthread_create(&thread, NULL, converse, own) == 0);
        pthread_detach(thread);
    }
    return NULL;
}

static void start(struct server *server)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(keyslot_engine_new(NULL, &server->engine, NULL) == KEYSLOT_OK);
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(server->listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(server->listener, 8) == 0);
    CHECK(getsockname(server->listener, (struct sockaddr *)&address, &len) == 0);
    server->port = ntohs(address.sin_port);
    CHECK(pthread_create(&server->thread, NULL, listen_on, server) == 0);
}

static void stop(struct server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
}

/* ---- A carrier of links ---- */

struct wire {
    keyslot_link *link;
    int connection;
    int is_connected;
};

struct carrier {
    keyslot_engine *engine;
    struct wire wires[LINKS_MAX];
    size_t count;
    int end[2];
    pthread_t thread;
};

/* Begins to connect. Returns -1 if no address takes it. */
static int begin_to_connect(const keyslot_link *link)
{
    struct addrinfo hints, *found = NULL, *next;
    char port[8];
    int connection = -1;

    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    snprintf(port, sizeof port, "%u", (unsigned)keyslot_link_port(link));
    if (getaddrinfo(keyslot_link_host(link), port, &hints, &found) != 0) {
        return -1;
    }
    for (next = found; next != NULL && connection < 0; next = next->ai_next) {
        connection = socket(next->ai_family, next->ai_socktype, next->ai_protocol);
        fcntl(connection, F_SETFL, O_NONBLOCK);
        if (connect(connection, next->ai_addr, next->ai_addrlen) != 0 && errno != EINPROGRESS) {
            close(connection);
            connection = -1;
        }
    }
    freeaddrinfo(found);
    return connection;
}

static void open_all(struct carrier *carrier)
{
    keyslot_link *link;

    while (carrier->count < LINKS_MAX && keyslot_engine_poll_link(carrier->engine, &link, NULL) == 0
           && link != NULL) {
        struct wire *wire = &carrier->wires[carrier->count];

        wire->link = link;
        wire->is_connected = 0;
        wire->connection = begin_to_connect(link);
        if (wire->connection < 0) {
            keyslot_link_free(link);
        } else {
            carrier->count++;
        }
    }
}

/* Sends and receives what is possible now. Returns whether the connection goes on. */
static int move(struct wire *wire, short ready)
{
    char input[READ_BYTES];
    const char *output;
    size_t len;
    ssize_t done;

    if (!wire->is_connected && ready != 0) {
        int fault = 0;
        socklen_t size = sizeof fault;

        getsockopt(wire->connection, SOL_SOCKET, SO_ERROR, &fault, &size);
        if (fault != 0) {
            return 0;
        }
        wire->is_connected = 1;
        keyslot_link_handle_connected(wire->link, NULL);
    }
    if (ready & (POLLIN | POLLHUP | POLLERR)) {
        done = read(wire->connection, input, sizeof input);
        if (done == 0 || (done < 0 && errno != EAGAIN)) {
            return 0;
        }
        if (done > 0) {
            keyslot_link_feed(wire->link, input, (size_t)done, NULL);
        }
    }
    while (wire->is_connected) {
        keyslot_link_output(wire->link, &output, &len, NULL);
        if (len == 0) {
            break;
        }
        done = send(wire->connection, output, len, MSG_NOSIGNAL);
        if (done < 0) {
            return errno == EAGAIN;
        }
        keyslot_link_consume(wire->link, (size_t)done, NULL);
    }
    return 1;
}

static void end_wire(struct carrier *carrier, size_t place)
{
    keyslot_link_free(carrier->wires[place].link);
    close(carrier->wires[place].connection);
    carrier->wires[place] = carrier->wires[--carrier->count];
}

static void *carry(void *data)
{
    struct carrier *carrier = data;
    struct pollfd files[2 + 2 * LINKS_MAX];
    size_t place;

    memset(files, 0, sizeof files);
    files[0].fd = carrier->end[0];
    keyslot_engine_link_descriptor(carrier->engine, &files[1].fd, NULL);
    files[0].events = files[1].events = POLLIN;
    for (;;) {
        int64_t sleep_us = -1;

        for (place = 0; place < carrier->count; place++) {
            struct wire *wire = &carrier->wires[place];
            int64_t left_us = keyslot_link_time_left_us(wire->link);
            const char *output;
            size_t len;

            keyslot_link_output(wire->link, &output, &len, NULL);
            keyslot_link_descriptor(wire->link, &files[2 + 2 * place].fd, NULL);
            files[2 + 2 * place].events = POLLIN;
            files[3 + 2 * place].fd = wire->connection;
            files[3 + 2 * place].events = POLLIN;
            if (len > 0 || !wire->is_connected) {
                files[3 + 2 * place].events |= POLLOUT;
            }
            if (left_us >= 0 && (sleep_us < 0 || left_us < sleep_us)) {
                sleep_us = left_us;
            }
        }
        poll(files, (nfds_t)(2 + 2 * carrier->count),
             sleep_us < 0 ? -1 : (int)(sleep_us / 1000 + 1));
        if (files[0].revents) {
            break;
        }
        /* From the last to the first: one that ends is replaced by the last. */
        for (place = carrier->count; place-- > 0;) {
            struct wire *wire = &carrier->wires[place];

            keyslot_link_handle_timeout(wire->link, NULL);
            if (files[2 + 2 * place].revents) {
                keyslot_link_poll(wire->link, NULL);
            }
            if (!move(wire, files[3 + 2 * place].revents) || keyslot_link_is_closing(wire->link)) {
                end_wire(carrier, place);
            }
        }
        if (files[1].revents) {
            open_all(carrier);
        }
    }
    while (carrier->count > 0) {
        end_wire(carrier, carrier->count - 1);
    }
    keyslot_engine_decline_links(carrier->engine, NULL);
    return NULL;
}

static void start_carrier(struct carrier *carrier, keyslot_engine *engine)
{
    int descriptor;

    carrier->engine = engine;
    carrier->count = 0;
    CHECK(pipe(carrier->end) == 0);
    /* From here on commands may ask for links. */
    CHECK(keyslot_engine_link_descriptor(engine, &descriptor, NULL) == KEYSLOT_OK);
    CHECK(descriptor >= 0);
    CHECK(pthread_create(&carrier->thread, NULL, carry, carrier) == 0);
}

static void stop_carrier(struct carrier *carrier)
{
    CHECK(write(carrier->end[1], "x", 1) == 1);
    pthread_join(carrier->thread, NULL);
    close(carrier->end[0]);
    close(carrier->end[1]);
}

/* ---- The tests ---- */

static int answers(keyslot_reply *reply, const char *text)
{
    int is = reply->str != NULL && strcmp(reply->str, text) == 0;

    if (!is) {
        printf("  %s\n", reply->str != NULL ? reply->str : "no text");
    }
    keyslot_reply_free(reply);
    return is;
}

static void keys_move_to_another_engine(void)
{
    struct server server;
    struct carrier carrier;
    keyslot_engine *engine;
    keyslot_reply *reply;
    size_t large = 300000;
    char *value = malloc(large);

    memset(value, 'v', large);
    start(&server);
    CHECK(keyslot_engine_new(NULL, &engine, NULL) == KEYSLOT_OK);
    start_carrier(&carrier, engine);
    CHECK(keyslot_set(engine, "a", 1, value, large, NULL) == KEYSLOT_OK);
    CHECK(keyslot_set(engine, "b", 1, "2", 1, NULL) == KEYSLOT_OK);
    CHECK(answers(keyslot_engine_command(engine, "MIGRATE 127.0.0.1 %d %s 0 5000 KEYS a b none",
                                         server.port, ""),
                  "OK"));
    CHECK(answers(keyslot_engine_command(engine, "MIGRATE 127.0.0.1 %d none 0 5000", server.port),
                  "NOKEY"));
    reply = keyslot_engine_command(engine, "DBSIZE");
    CHECK(reply->integer == 0);
    keyslot_reply_free(reply);
    reply = keyslot_engine_command(server.engine, "GET a");
    CHECK(reply->len == large && memcmp(reply->str, value, large) == 0);
    keyslot_reply_free(reply);
    stop_carrier(&carrier);
    CHECK(answers(keyslot_engine_command(engine, "MIGRATE 127.0.0.1 %d b 0 100", server.port),
                  "NOKEY"));
    stop(&server);
    keyslot_engine_free(engine);
    keyslot_engine_free(server.engine);
    free(value);
}

static void who_cannot_be_reached_is_told(void)
{
    struct server server;
    struct carrier carrier;
    keyslot_engine *engine;

    start(&server);
    stop(&server);
    CHECK(keyslot_engine_new(NULL, &engine, NULL) == KEYSLOT_OK);
    CHECK(keyslot_set(engine, "a", 1, "1", 1, NULL) == KEYSLOT_OK);
    start_carrier(&carrier, engine);
    CHECK(answers(keyslot_engine_command(engine, "MIGRATE 127.0.0.1 %d a 0 1000", server.port),
                  "IOERR error or timeout writing to target instance"));
    stop_carrier(&carrier);
    CHECK(answers(keyslot_engine_command(engine, "MIGRATE 127.0.0.1 %d a 0 1000", server.port),
                  "IOERR the host opens no connections to other instances"));
    keyslot_engine_free(engine);
    keyslot_engine_free(server.engine);
}

int main(void)
{
    TEST(keys_move_to_another_engine);
    TEST(who_cannot_be_reached_is_told);
    return checks_failed != 0;
}
