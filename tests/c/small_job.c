/* A small job for an embedded keyslot, in C: a cache whose entries expire, a rate limiter, and a
 * conversation in RESP, byte for byte. tests/cpp/small_job.cpp and the Python test do the same. */

#include <keyslot.h>

#include <stdlib.h>
#include <string.h>

#include "check.h"

static keyslot_clock *clock_by_hand;
static keyslot_engine *engine;

/* Leaves the program with a reason if a call failed. */
static void must(keyslot_status status, const keyslot_error *error)
{
    if (status != KEYSLOT_OK) {
        fprintf(stderr, "keyslot: %s\n", error->text);
        exit(1);
    }
}

/* The slow source that the cache stands in front of. */
static int loads = 0;

static void load_profile(const char *user, char *profile, size_t capacity)
{
    loads++;
    snprintf(profile, capacity, "profile of %s, version %d", user, loads);
}

/* Asks the cache first; what it does not have is loaded, and kept for half a minute. */
static void find_profile(const char *user, char *profile, size_t capacity)
{
    keyslot_error error;
    int64_t len;

    must(keyslot_get_into(engine, user, strlen(user), profile, capacity - 1, &len, &error),
         &error);
    if (len >= 0) {
        profile[(size_t)len < capacity ? (size_t)len : capacity - 1] = '\0';
        return;
    }
    load_profile(user, profile, capacity);
    must(keyslot_set_ttl_ms(engine, user, strlen(user), profile, strlen(profile), 30000, &error),
         &error);
}

static void a_cache_loads_once_until_its_entry_expires(void)
{
    char profile[64];
    int64_t ttl_ms;

    find_profile("ada", profile, sizeof profile);
    find_profile("ada", profile, sizeof profile);
    CHECK(loads == 1);
    CHECK(strcmp(profile, "profile of ada, version 1") == 0);

    keyslot_clock_advance_ms(clock_by_hand, 20000, NULL);
    keyslot_ttl_ms(engine, "ada", 3, &ttl_ms, NULL);
    CHECK(ttl_ms == 10000);
    find_profile("ada", profile, sizeof profile);
    CHECK(loads == 1);

    keyslot_clock_advance_ms(clock_by_hand, 10001, NULL);
    find_profile("ada", profile, sizeof profile);
    CHECK(loads == 2);
    CHECK(strcmp(profile, "profile of ada, version 2") == 0);
}

/* Lets a client do five things a minute. */
static int is_allowed(keyslot_session *session, const char *client)
{
    keyslot_reply *count = keyslot_session_command(session, "INCR rate:%s", client);
    int allowed = count->type == KEYSLOT_REPLY_INTEGER && count->integer <= 5;

    if (count->integer == 1) {
        keyslot_reply_free(keyslot_session_command(session, "EXPIRE rate:%s %d", client, 60));
    }
    keyslot_reply_free(count);
    return allowed;
}

static void a_rate_limiter_counts_by_the_minute(void)
{
    keyslot_session *session;
    keyslot_error error;
    int number;

    must(keyslot_session_new(engine, &session, &error), &error);
    for (number = 0; number < 5; number++) {
        CHECK(is_allowed(session, "10.0.0.1"));
    }
    CHECK(!is_allowed(session, "10.0.0.1"));
    CHECK(is_allowed(session, "10.0.0.2"));

    keyslot_clock_advance_ms(clock_by_hand, 60001, NULL);
    CHECK(is_allowed(session, "10.0.0.1"));
    keyslot_session_free(session);
}

/* What a server does for each of its connections. The pieces are what arrived on the socket;
 * `sent` is what goes back. */
static void a_conversation_by_bytes(void)
{
    static const char *const pieces[] = {
        "*3\r\n$3\r\nSET\r\n$5\r\ngreet", "\r\n$5\r\nhello\r\n", "GET greet\r\nNOSUCH\r\n",
        "TTL greet\r\n",
    };
    static const char expected[] = "+OK\r\n$5\r\nhello\r\n"
                                   "-ERR unknown command 'NOSUCH', with args beginning with: \r\n"
                                   ":-1\r\n";
    char sent[256] = "";
    keyslot_session *session;
    keyslot_error error;
    size_t number;

    must(keyslot_session_new(engine, &session, &error), &error);
    for (number = 0; number < sizeof pieces / sizeof *pieces; number++) {
        const char *output;
        size_t len;

        must(keyslot_session_feed(session, pieces[number], strlen(pieces[number]), &error),
             &error);
        must(keyslot_session_output(session, &output, &len, &error), &error);
        strncat(sent, output, len);
        must(keyslot_session_consume(session, len, &error), &error);
    }
    CHECK(strcmp(sent, expected) == 0);
    CHECK(!keyslot_session_is_closing(session));
    keyslot_session_free(session);
}

int main(void)
{
    keyslot_options options;
    keyslot_error error;

    clock_by_hand = keyslot_clock_new(1700000000000);
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.manual_clock = clock_by_hand;
    must(keyslot_engine_new(&options, &engine, &error), &error);

    TEST(a_cache_loads_once_until_its_entry_expires);
    TEST(a_rate_limiter_counts_by_the_minute);
    TEST(a_conversation_by_bytes);

    keyslot_engine_free(engine);
    keyslot_clock_free(clock_by_hand);
    return checks_failed != 0;
}
