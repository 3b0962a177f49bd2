/* Every function of keyslot.h, with its errors. Nulls are the Rust tests' as well. */

#include <keyslot.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static keyslot_engine *new_engine(const keyslot_options *options)
{
    keyslot_engine *engine = NULL;
    keyslot_error error;

    if (keyslot_engine_new(options, &engine, &error) != KEYSLOT_OK) {
        fprintf(stderr, "keyslot: %s\n", error.text);
        exit(1);
    }
    return engine;
}

static keyslot_session *new_session(const keyslot_engine *engine)
{
    keyslot_session *session = NULL;

    CHECK(keyslot_session_new(engine, &session, NULL) == KEYSLOT_OK);
    return session;
}

static keyslot_options no_options(void)
{
    keyslot_options options;

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    return options;
}

/* Whether a reply is a text of this type. Frees it. */
static int is_text(keyslot_reply *reply, keyslot_reply_type type, const char *text)
{
    int is = reply->type == type && reply->str != NULL && reply->len == strlen(text)
             && memcmp(reply->str, text, reply->len + 1) == 0;

    keyslot_reply_free(reply);
    return is;
}

/* Whether a reply is an error of this number and line. Frees it. */
static int is_error(keyslot_reply *reply, keyslot_status number, const char *line)
{
    int is_numbered = reply->number == number;

    return is_text(reply, KEYSLOT_REPLY_ERROR, line) && is_numbered;
}

/* Whether a reply is this integer. Frees it. */
static int is_integer(keyslot_reply *reply, int64_t value)
{
    int is = reply->type == KEYSLOT_REPLY_INTEGER && reply->integer == value;

    keyslot_reply_free(reply);
    return is;
}

static void the_library_names_itself_and_its_numbers(void)
{
    CHECK(strcmp(keyslot_version(), KEYSLOT_TEST_VERSION) == 0);
    CHECK(strcmp(keyslot_status_name(KEYSLOT_OK), "OK") == 0);
    CHECK(strcmp(keyslot_status_name(KEYSLOT_WRONG_TYPE), "WRONGTYPE") == 0);
    CHECK(strcmp(keyslot_status_name(KEYSLOT_PANIC), "PANIC") == 0);
    CHECK(strcmp(keyslot_status_name(-7), "UNKNOWN") == 0);
}

static void strings_are_stored_and_copied_out(void)
{
    keyslot_engine *engine = new_engine(NULL);
    keyslot_bytes value;
    keyslot_error error;
    char buffer[8];
    int64_t len;

    CHECK(keyslot_set(engine, "k\0y", 3, "va\0ue", 5, &error) == KEYSLOT_OK);
    CHECK(error.number == KEYSLOT_OK && error.len == 0 && error.text[0] == '\0');
    CHECK(keyslot_get(engine, "k\0y", 3, &value, NULL) == KEYSLOT_OK);
    CHECK(value.len == 5 && memcmp(value.data, "va\0ue", 5) == 0);
    keyslot_bytes_free(&value);
    CHECK(value.data == NULL && value.len == 0);
    keyslot_bytes_free(&value);

    CHECK(keyslot_get(engine, "k", 1, &value, NULL) == KEYSLOT_OK);
    CHECK(value.data == NULL);
    CHECK(keyslot_set(engine, NULL, 0, NULL, 0, NULL) == KEYSLOT_OK);
    CHECK(keyslot_get(engine, "", 0, &value, NULL) == KEYSLOT_OK);
    CHECK(value.data != NULL && value.len == 0);
    keyslot_bytes_free(&value);

    memset(buffer, 'x', sizeof buffer);
    CHECK(keyslot_get_into(engine, "k\0y", 3, buffer, 2, &len, NULL) == KEYSLOT_OK);
    CHECK(len == 5 && memcmp(buffer, "vax", 3) == 0);
    CHECK(keyslot_get_into(engine, "k\0y", 3, buffer, sizeof buffer, &len, NULL) == KEYSLOT_OK);
    CHECK(len == 5 && memcmp(buffer, "va\0uex", 6) == 0);
    CHECK(keyslot_get_into(engine, "none", 4, NULL, 0, &len, NULL) == KEYSLOT_OK);
    CHECK(len == -1);
    keyslot_engine_free(engine);
}

static void keys_are_counted_and_deleted(void)
{
    keyslot_engine *engine = new_engine(NULL);
    keyslot_error error;
    int64_t value = 0;
    bool flag = true;

    CHECK(keyslot_exists(engine, "n", 1, &flag, NULL) == KEYSLOT_OK && !flag);
    CHECK(keyslot_incrby(engine, "n", 1, 40, &value, NULL) == KEYSLOT_OK && value == 40);
    CHECK(keyslot_incrby(engine, "n", 1, -42, NULL, NULL) == KEYSLOT_OK);
    CHECK(keyslot_incrby(engine, "n", 1, 0, &value, NULL) == KEYSLOT_OK && value == -2);
    CHECK(keyslot_exists(engine, "n", 1, &flag, NULL) == KEYSLOT_OK && flag);

    CHECK(keyslot_incrby(engine, "n", 1, INT64_MIN, &value, &error) == KEYSLOT_ERR);
    CHECK(strcmp(error.text, "ERR increment or decrement would overflow") == 0);
    CHECK(error.len == strlen(error.text) && error.number == KEYSLOT_ERR && value == -2);
    keyslot_set(engine, "s", 1, "text", 4, NULL);
    CHECK(keyslot_incrby(engine, "s", 1, 1, &value, &error) == KEYSLOT_ERR);
    CHECK(strcmp(error.text, "ERR value is not an integer or out of range") == 0);

    CHECK(keyslot_del(engine, "n", 1, &flag, NULL) == KEYSLOT_OK && flag);
    CHECK(keyslot_del(engine, "n", 1, &flag, NULL) == KEYSLOT_OK && !flag);
    CHECK(keyslot_del(engine, "s", 1, NULL, &error) == KEYSLOT_OK);
    CHECK(error.number == KEYSLOT_OK);
    keyslot_engine_free(engine);
}

static void time_is_what_the_clock_by_hand_says(void)
{
    keyslot_clock *clock = keyslot_clock_new(1000000);
    keyslot_options options = no_options();
    keyslot_engine *engine;
    keyslot_error error;
    int64_t value = 0;
    bool flag = false;

    options.manual_clock = clock;
    engine = new_engine(&options);
    CHECK(keyslot_engine_next_expiry_ms(engine, &value, NULL) == KEYSLOT_OK && value == -1);
    CHECK(keyslot_ttl_ms(engine, "k", 1, &value, NULL) == KEYSLOT_OK && value == -2);
    CHECK(keyslot_expire_ms(engine, "k", 1, 5, &flag, NULL) == KEYSLOT_OK && !flag);
    keyslot_set(engine, "k", 1, "v", 1, NULL);
    CHECK(keyslot_ttl_ms(engine, "k", 1, &value, NULL) == KEYSLOT_OK && value == -1);
    CHECK(keyslot_expire_ms(engine, "k", 1, 500, &flag, NULL) == KEYSLOT_OK && flag);
    CHECK(keyslot_engine_next_expiry_ms(engine, &value, NULL) == KEYSLOT_OK);
    CHECK(value >= 0 && value <= 1000500);
    CHECK(keyslot_clock_advance_ms(clock, 200, NULL) == KEYSLOT_OK);
    CHECK(keyslot_ttl_ms(engine, "k", 1, &value, NULL) == KEYSLOT_OK && value == 300);
    CHECK(keyslot_clock_set_unix_ms(clock, 999000, NULL) == KEYSLOT_OK);
    CHECK(keyslot_ttl_ms(engine, "k", 1, &value, NULL) == KEYSLOT_OK && value == 1500);
    CHECK(keyslot_clock_advance_ms(clock, UINT64_MAX, &error) == KEYSLOT_INVALID_ARGUMENT);
    CHECK(strcmp(error.text, "ms is out of range") == 0);

    CHECK(keyslot_set_ttl_ms(engine, "t", 1, "v", 1, 10, NULL) == KEYSLOT_OK);
    CHECK(keyslot_set_ttl_ms(engine, "t", 1, "v", 1, 0, &error) == KEYSLOT_ERR);
    CHECK(strcmp(error.text, "ERR invalid expire time in 'set' command") == 0);
    CHECK(keyslot_expire_ms(engine, "t", 1, -1, &flag, NULL) == KEYSLOT_OK && flag);
    CHECK(keyslot_exists(engine, "t", 1, &flag, NULL) == KEYSLOT_OK && !flag);

    keyslot_clock_advance_ms(clock, 1501, NULL);
    CHECK(keyslot_get_into(engine, "k", 1, NULL, 0, &value, NULL) == KEYSLOT_OK && value == -1);
    CHECK(is_integer(keyslot_engine_command(engine, "EXISTS k"), 0));
    CHECK(keyslot_engine_maintain(engine, 100, &flag, NULL) == KEYSLOT_OK && !flag);
    CHECK(keyslot_engine_maintain(engine, 100, NULL, NULL) == KEYSLOT_OK);
    /* The engine has a hold of its own on the clock. */
    keyslot_clock_free(clock);
    CHECK(keyslot_exists(engine, "k", 1, &flag, NULL) == KEYSLOT_OK && !flag);
    keyslot_engine_free(engine);
}

static void maintenance_goes_by_its_budget(void)
{
    keyslot_clock *clock = keyslot_clock_new(1000);
    keyslot_options options = no_options();
    keyslot_engine *engine;
    bool more = false;
    int number, steps = 0;

    options.manual_clock = clock;
    engine = new_engine(&options);
    for (number = 0; number < 1000; number++) {
        keyslot_set_ttl_ms(engine, &number, sizeof number, "v", 1, 100, NULL);
    }
    keyslot_clock_advance_ms(clock, 101, NULL);
    do {
        CHECK(keyslot_engine_maintain(engine, 100, &more, NULL) == KEYSLOT_OK);
        steps++;
    } while (more && steps < 1000);
    CHECK(!more && steps >= 10);
    keyslot_engine_free(engine);
    keyslot_clock_free(clock);
}

static int clock_reads = 0;
static int clock_frees = 0;

static keyslot_now host_clock(void *data)
{
    keyslot_now now;

    clock_reads++;
    now.unix_ms = *(const uint64_t *)data;
    now.mono_us = 0;
    return now;
}

static void free_host_clock(void *data)
{
    clock_frees++;
    free(data);
}

static void time_is_what_the_host_says(void)
{
    uint64_t *unix_ms = malloc(sizeof *unix_ms);
    keyslot_options options = no_options();
    keyslot_session *session;
    keyslot_engine *engine;

    *unix_ms = 5000;
    options.clock = host_clock;
    options.clock_data = unix_ms;
    options.clock_free = free_host_clock;
    engine = new_engine(&options);
    session = new_session(engine);
    CHECK(keyslot_set_ttl_ms(engine, "k", 1, "v", 1, 1000, NULL) == KEYSLOT_OK);
    CHECK(clock_reads > 0);
    *unix_ms = 6001;
    keyslot_engine_free(engine);
    CHECK(clock_frees == 0);
    CHECK(is_integer(keyslot_session_command(session, "EXISTS k"), 0));
    keyslot_session_free(session);
    CHECK(clock_frees == 1);
}

static void options_are_checked(void)
{
    struct {
        keyslot_options options;
        char beyond[8];
    } longer;
    keyslot_clock *clock = keyslot_clock_new(0);
    keyslot_options options = no_options();
    keyslot_engine *engine;
    keyslot_error error;

    options.size = 0;
    CHECK(keyslot_engine_new(&options, &engine, &error) == KEYSLOT_INVALID_ARGUMENT);
    CHECK(engine == NULL && strcmp(error.text, "size of the options is not set") == 0);
    options = no_options();
    options.shards = 3;
    CHECK(keyslot_engine_new(&options, &engine, &error) == KEYSLOT_INVALID_ARGUMENT);
    options = no_options();
    options.databases = 65536;
    CHECK(keyslot_engine_new(&options, &engine, &error) == KEYSLOT_INVALID_ARGUMENT);
    options = no_options();
    options.scheme = 2;
    CHECK(keyslot_engine_new(&options, &engine, &error) == KEYSLOT_INVALID_ARGUMENT);
    CHECK(strcmp(error.text, "scheme is not known") == 0);
    options = no_options();
    options.manual_clock = clock;
    options.clock = host_clock;
    CHECK(keyslot_engine_new(&options, &engine, &error) == KEYSLOT_INVALID_ARGUMENT);
    CHECK(strcmp(error.text, "the options give two clocks") == 0);
    keyslot_clock_free(clock);

    /* A program that was built with a later header. */
    memset(&longer, 0, sizeof longer);
    longer.options.size = sizeof longer;
    engine = new_engine(&longer.options);
    keyslot_engine_free(engine);
    longer.beyond[7] = 1;
    CHECK(keyslot_engine_new(&longer.options, &engine, &error) == KEYSLOT_INVALID_ARGUMENT);

    options = no_options();
    options.shards = 1;
    options.scheme = KEYSLOT_SLOTS_CODIS;
    options.databases = 1;
    options.seed = 7;
    engine = new_engine(&options);
    CHECK(keyslot_set(engine, "a", 1, "1", 1, NULL) == KEYSLOT_OK);
    keyslot_engine_free(engine);
}

static void settings_are_read_and_changed(void)
{
    static const char *const settings[] = { "maxmemory", "100mb", "hz", "20" };
    static const char *const wrong[] = { "nosuch", "1" };
    keyslot_options options = no_options();
    keyslot_engine *engine;
    keyslot_bytes value;
    keyslot_error error;
    double figure = 0;
    int frees = clock_frees;

    options.settings = wrong;
    options.settings_count = 1;
    options.clock = host_clock;
    options.clock_data = &options.seed;
    options.clock_free = free_host_clock;
    CHECK(keyslot_engine_new(&options, &engine, &error) == KEYSLOT_ERR);
    CHECK(engine == NULL && error.len > 0 && clock_frees == frees);

    options = no_options();
    options.settings = settings;
    options.settings_count = 2;
    engine = new_engine(&options);
    CHECK(keyslot_engine_config_get(engine, "maxmemory", &value, NULL) == KEYSLOT_OK);
    CHECK(value.len == 9 && memcmp(value.data, "104857600", 9) == 0);
    keyslot_bytes_free(&value);
    CHECK(keyslot_engine_config_set(engine, "maxmemory", "0", NULL) == KEYSLOT_OK);
    CHECK(keyslot_engine_config_get(engine, "maxmemory", &value, NULL) == KEYSLOT_OK);
    CHECK(value.len == 1 && *value.data == '0');
    keyslot_bytes_free(&value);
    CHECK(keyslot_engine_figure(engine, "maxclients", &figure, NULL) == KEYSLOT_OK);
    CHECK(figure == 10000);
    CHECK(keyslot_engine_figure(engine, "nosuch", &figure, NULL) == KEYSLOT_INVALID_ARGUMENT);
    CHECK(keyslot_engine_open_metrics(engine, &value, NULL) == KEYSLOT_OK);
    CHECK(value.len > 6 && memcmp(value.data + value.len - 6, "# EOF\n", 6) == 0);
    keyslot_bytes_free(&value);
    CHECK(keyslot_engine_config_get(engine, "nosuch", &value, NULL) == KEYSLOT_OK);
    CHECK(value.data == NULL);
    CHECK(keyslot_engine_config_set(engine, "nosuch", "1", &error) == KEYSLOT_ERR);
    CHECK(keyslot_engine_config_set(engine, "databases", "1", &error) == KEYSLOT_ERR);
    CHECK(keyslot_engine_config_set(engine, "\xff", "1", &error) == KEYSLOT_INVALID_ARGUMENT);
    CHECK(strcmp(error.text, "name is not UTF-8") == 0);
    keyslot_engine_free(engine);
}

static void words_make_commands(void)
{
    keyslot_engine *engine = new_engine(NULL);
    keyslot_session *session = new_session(engine);
    const char *set[] = { "SET", "k\0", "v\0w" };
    const size_t lengths[] = { 3, 2, 3 };
    const char *get[] = { "GET", "k" };
    keyslot_reply *reply;

    CHECK(is_text(keyslot_engine_command_argv(engine, 3, set, lengths), KEYSLOT_REPLY_STATUS,
                  "OK"));
    reply = keyslot_session_command(session, "GET %b", set[1], lengths[1]);
    CHECK(reply->type == KEYSLOT_REPLY_STRING && reply->len == 3);
    CHECK(memcmp(reply->str, "v\0w", 4) == 0 && reply->number == KEYSLOT_OK);
    keyslot_reply_free(reply);
    reply = keyslot_session_command_argv(session, 2, get, NULL);
    CHECK(reply->type == KEYSLOT_REPLY_NIL && reply->str == NULL && reply->elements == 0);
    keyslot_reply_free(reply);
    CHECK(is_error(keyslot_session_command_argv(session, 1, get, NULL), KEYSLOT_ERR,
                   "ERR wrong number of arguments for 'get' command"));
    CHECK(is_error(keyslot_engine_command_argv(engine, 0, get, NULL), KEYSLOT_INVALID_ARGUMENT,
                   "argc is 0"));
    CHECK(is_error(keyslot_session_command_argv(NULL, 2, get, NULL), KEYSLOT_INVALID_ARGUMENT,
                   "session is null"));
    keyslot_session_free(session);
    keyslot_engine_free(engine);
}

static keyslot_reply *by_list(const keyslot_engine *engine, const char *format, ...)
{
    keyslot_reply *reply;
    va_list list;

    va_start(list, format);
    reply = keyslot_engine_vcommand(engine, format, list);
    va_end(list);
    return reply;
}

static void formats_make_commands(void)
{
    keyslot_engine *engine = new_engine(NULL);
    char many[4 * (KEYSLOT_ARGUMENTS_MAX + 2)] = "MGET";
    int number;

    CHECK(is_text(keyslot_engine_command(engine, "PING a%sb%b", "x y", "\0", (size_t)0),
                  KEYSLOT_REPLY_STRING, "ax yb"));
    CHECK(is_text(keyslot_engine_command(engine, "PING %d,%i,%hd,%hhd,%ld,%lld,%jd,%zd,%td", -1,
                                         2, 3, 4, -5L, -6LL, (intmax_t)7, (ptrdiff_t)8,
                                         (ptrdiff_t)-9),
                  KEYSLOT_REPLY_STRING, "-1,2,3,4,-5,-6,7,8,-9"));
    CHECK(is_text(keyslot_engine_command(engine, "PING %u,%hu,%hhu,%lu,%llu,%ju,%zu", ~0u, 1u, 2u,
                                         3ul, ~0ull, (uintmax_t)4, (size_t)5),
                  KEYSLOT_REPLY_STRING, "4294967295,1,2,3,18446744073709551615,4,5"));
    CHECK(is_text(keyslot_engine_command(engine, "PING %f,%.3f,%lf,%g,%d%%", 0.1, 2.0, -1.5,
                                         0.1, 100),
                  KEYSLOT_REPLY_STRING, "0.100000,2.000,-1.500000,0.1,100%"));
    CHECK(is_text(by_list(engine, "PING %s", ""), KEYSLOT_REPLY_STRING, ""));
    CHECK(is_error(keyslot_engine_command(engine, "GET %q", 1), KEYSLOT_INVALID_ARGUMENT,
                   "the format has an unknown conversion at byte 4"));
    CHECK(is_error(keyslot_engine_command(engine, "GET %s", (const char *)NULL),
                   KEYSLOT_INVALID_ARGUMENT, "the argument of a %s is null"));
    CHECK(is_error(keyslot_engine_command(engine, " "), KEYSLOT_INVALID_ARGUMENT,
                   "the format holds no word"));
    CHECK(is_error(keyslot_engine_command(engine, NULL), KEYSLOT_INVALID_ARGUMENT,
                   "format is null"));
    for (number = 0; number <= KEYSLOT_ARGUMENTS_MAX; number++) {
        strcat(many, " %d");
    }
    CHECK(is_error(keyslot_engine_command(engine, many, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                          0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                          0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                          0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
                   KEYSLOT_INVALID_ARGUMENT, "the format has more than 64 conversions"));
    keyslot_engine_free(engine);
}

static void replies_are_trees(void)
{
    keyslot_engine *engine = new_engine(NULL);
    keyslot_session *session = new_session(engine);
    const keyslot_reply *part;
    keyslot_reply *reply;
    size_t place;

    CHECK(is_text(keyslot_session_command(session, "MSET a 1 b 2"), KEYSLOT_REPLY_STATUS, "OK"));
    reply = keyslot_session_command(session, "MGET a none b");
    CHECK(reply->type == KEYSLOT_REPLY_ARRAY && reply->elements == 3);
    CHECK(reply->str == NULL && reply->attribute == NULL);
    CHECK(strcmp(reply->element[0]->str, "1") == 0 && strcmp(reply->element[2]->str, "2") == 0);
    CHECK(reply->element[1]->type == KEYSLOT_REPLY_NIL);
    keyslot_reply_free(reply);

    reply = keyslot_session_command(session, "SCAN 0 COUNT 100");
    CHECK(reply->elements == 2 && reply->element[0]->type == KEYSLOT_REPLY_STRING);
    CHECK(reply->element[1]->type == KEYSLOT_REPLY_ARRAY && reply->element[1]->elements == 2);
    for (place = 0; place < reply->element[1]->elements; place++) {
        part = reply->element[1]->element[place];
        CHECK(part->type == KEYSLOT_REPLY_STRING && (*part->str == 'a' || *part->str == 'b'));
    }
    keyslot_reply_free(reply);

    reply = keyslot_session_command(session, "KEYS nothing*");
    CHECK(reply->type == KEYSLOT_REPLY_ARRAY && reply->elements == 0 && reply->element == NULL);
    keyslot_reply_free(reply);
    keyslot_session_free(session);
    keyslot_engine_free(engine);
}

static void a_session_speaks_the_version_it_chose(void)
{
    keyslot_engine *engine = new_engine(NULL);
    keyslot_session *session = new_session(engine);
    keyslot_reply *reply;
    const char *output;
    size_t len;

    reply = keyslot_session_command(session, "HELLO 2");
    CHECK(reply->type == KEYSLOT_REPLY_ARRAY && reply->elements == 14);
    keyslot_reply_free(reply);
    reply = keyslot_session_command(session, "HELLO 3");
    CHECK(reply->type == KEYSLOT_REPLY_MAP && reply->elements == 14);
    CHECK(reply->elements == 14 && strcmp(reply->element[4]->str, "proto") == 0
          && reply->element[5]->integer == 3);
    keyslot_reply_free(reply);
    /* The bytes of the same session are RESP3 as well, and the other way round. */
    keyslot_session_feed(session, "GET none\r\nHELLO 2\r\n", 19, NULL);
    keyslot_session_output(session, &output, &len, NULL);
    CHECK(len > 3 && memcmp(output, "_\r\n", 3) == 0);
    reply = keyslot_session_command(session, "HELLO");
    CHECK(reply->type == KEYSLOT_REPLY_ARRAY);
    keyslot_reply_free(reply);
    CHECK(is_error(keyslot_session_command(session, "HELLO 4"), KEYSLOT_NO_PROTO,
                   "NOPROTO unsupported protocol version"));
    keyslot_session_free(session);
    keyslot_engine_free(engine);
}

/* The answer of a session to DEBUG PROTOCOL. */
static keyslot_reply *example(const keyslot_session *session, const char *type)
{
    return keyslot_session_command(session, "DEBUG PROTOCOL %s", type);
}

static void every_type_has_its_shape(void)
{
    static const char *const settings[] = { "enable-debug-command", "yes" };
    keyslot_options options = no_options();
    keyslot_session *session;
    keyslot_engine *engine;
    keyslot_reply *reply;

    options.settings = settings;
    options.settings_count = 1;
    engine = new_engine(&options);
    session = new_session(engine);
    CHECK(is_text(example(session, "double"), KEYSLOT_REPLY_STRING, "3.141"));
    CHECK(is_integer(example(session, "true"), 1));
    reply = example(session, "map");
    CHECK(reply->type == KEYSLOT_REPLY_ARRAY && reply->elements == 6);
    keyslot_reply_free(reply);

    keyslot_reply_free(keyslot_session_command(session, "HELLO 3"));
    reply = example(session, "double");
    CHECK(reply->dval == 3.141);
    CHECK(is_text(reply, KEYSLOT_REPLY_DOUBLE, "3.141"));
    reply = example(session, "true");
    CHECK(reply->type == KEYSLOT_REPLY_BOOL && reply->integer == 1 && reply->str == NULL);
    keyslot_reply_free(reply);
    reply = example(session, "set");
    CHECK(reply->type == KEYSLOT_REPLY_SET && reply->elements == 3);
    CHECK(reply->elements == 3 && reply->element[2]->integer == 2);
    keyslot_reply_free(reply);
    reply = example(session, "map");
    CHECK(reply->type == KEYSLOT_REPLY_MAP && reply->elements == 6);
    CHECK(reply->elements == 6 && reply->element[2]->integer == 1
          && reply->element[3]->type == KEYSLOT_REPLY_BOOL && reply->element[3]->integer == 1);
    keyslot_reply_free(reply);
    reply = example(session, "verbatim");
    CHECK(strcmp(reply->vtype, "txt") == 0);
    CHECK(is_text(reply, KEYSLOT_REPLY_VERB, "This is a verbatim\nstring"));
    CHECK(is_text(example(session, "bignum"), KEYSLOT_REPLY_BIGNUM,
                  "1234567999999999999999999999999999999"));
    reply = example(session, "attrib");
    CHECK(reply->attribute != NULL && reply->attribute->type == KEYSLOT_REPLY_ATTR
          && reply->attribute->elements == 2
          && reply->attribute->element[1]->element[1]->integer == 90);
    CHECK(is_text(reply, KEYSLOT_REPLY_STRING, "Some real reply following the attribute"));
    /* A push and a reply: two answers to one command. */
    reply = example(session, "push");
    CHECK(reply->type == KEYSLOT_REPLY_ARRAY && reply->elements == 2);
    CHECK(reply->elements == 2 && reply->element[0]->type == KEYSLOT_REPLY_PUSH
          && reply->element[1]->type == KEYSLOT_REPLY_STRING);
    keyslot_reply_free(reply);
    reply = keyslot_session_command(session, "CLIENT REPLY OFF");
    CHECK(reply->type == KEYSLOT_REPLY_NIL);
    keyslot_reply_free(reply);
    keyslot_session_free(session);
    keyslot_engine_free(engine);
}

static void sessions_have_a_database_each(void)
{
    keyslot_engine *engine = new_engine(NULL);
    keyslot_session *one = new_session(engine);
    keyslot_session *other = new_session(engine);
    keyslot_reply *reply;

    CHECK(keyslot_session_id(one) != keyslot_session_id(other));
    CHECK(keyslot_session_set_peer(one, "10.0.0.9:5", "10.0.0.1:6379", NULL) == KEYSLOT_OK);
    reply = keyslot_session_command(one, "CLIENT INFO");
    CHECK(reply->str != NULL && strstr(reply->str, "addr=10.0.0.9:5 ") != NULL);
    keyslot_reply_free(reply);
    CHECK(is_text(keyslot_session_command(one, "SELECT 5"), KEYSLOT_REPLY_STATUS, "OK"));
    CHECK(is_text(keyslot_session_command(one, "SET k five"), KEYSLOT_REPLY_STATUS, "OK"));
    CHECK(is_integer(keyslot_session_command(other, "EXISTS k"), 0));
    CHECK(is_error(keyslot_session_command(other, "SELECT 16"), KEYSLOT_ERR,
                   "ERR DB index is out of range"));
    keyslot_engine_free(engine);
    CHECK(is_text(keyslot_session_command(one, "GET k"), KEYSLOT_REPLY_STRING, "five"));
    keyslot_session_free(one);
    keyslot_session_free(other);
}

static void bytes_go_in_and_come_out(void)
{
    keyslot_engine *engine = new_engine(NULL);
    keyslot_session *session = new_session(engine);
    keyslot_error error;
    const char *output;
    size_t len;

    CHECK(keyslot_session_feed(session, "PING\r\nPI", 8, NULL) == KEYSLOT_OK);
    CHECK(keyslot_session_output(session, &output, &len, NULL) == KEYSLOT_OK);
    CHECK(len == 7 && memcmp(output, "+PONG\r\n", 7) == 0);
    CHECK(keyslot_session_consume(session, 8, &error) == KEYSLOT_INVALID_ARGUMENT);
    CHECK(strcmp(error.text, "len is more than the output holds") == 0);
    CHECK(keyslot_session_consume(session, 1, NULL) == KEYSLOT_OK);
    CHECK(keyslot_session_feed(session, "NG\r\n", 4, NULL) == KEYSLOT_OK);
    CHECK(keyslot_session_output(session, &output, &len, NULL) == KEYSLOT_OK);
    CHECK(len == 13 && memcmp(output, "PONG\r\n+PONG\r\n", 13) == 0);
    CHECK(keyslot_session_consume(session, 13, NULL) == KEYSLOT_OK);
    CHECK(keyslot_session_output(session, &output, &len, NULL) == KEYSLOT_OK && len == 0);
    CHECK(!keyslot_session_is_closing(session));
    CHECK(keyslot_session_feed(session, "*1\r\n!\r\n", 7, NULL) == KEYSLOT_OK);
    CHECK(keyslot_session_is_closing(session));
    CHECK(keyslot_session_output(session, &output, &len, NULL) == KEYSLOT_OK);
    CHECK(len == 44 && memcmp(output, "-ERR Protocol error: expected '$', got '!'", 42) == 0);
    keyslot_session_free(session);
    keyslot_engine_free(engine);
}

/* Whether a descriptor can be read from by now. */
static int is_readable(int descriptor)
{
    struct pollfd one = { .fd = descriptor, .events = POLLIN };

    return poll(&one, 1, 0) == 1;
}

static void a_session_is_told_of_what_others_have_for_it(void)
{
    keyslot_engine *engine = NULL;
    keyslot_session *waiting, *other;
    const char *output;
    size_t len;
    int descriptor = -1;

    CHECK(keyslot_engine_new(NULL, &engine, NULL) == KEYSLOT_OK);
    waiting = new_session(engine);
    other = new_session(engine);
    CHECK(keyslot_session_time_left_us(waiting) == -1);
    CHECK(keyslot_session_descriptor(waiting, &descriptor, NULL) == KEYSLOT_OK);
    CHECK(keyslot_session_feed(waiting, "BLPOP q 100\r\n", 13, NULL) == KEYSLOT_OK);
    CHECK(keyslot_session_time_left_us(waiting) > 0);
    CHECK(keyslot_session_handle_timeout(waiting, NULL) == KEYSLOT_OK);
    CHECK(!is_readable(descriptor));
    CHECK(keyslot_session_feed(other, "RPUSH q a\r\n", 11, NULL) == KEYSLOT_OK);
    CHECK(is_readable(descriptor));
    CHECK(keyslot_session_poll(waiting, NULL) == KEYSLOT_OK);
    CHECK(!is_readable(descriptor));
    CHECK(keyslot_session_output(waiting, &output, &len, NULL) == KEYSLOT_OK);
    CHECK(len == 18 && memcmp(output, "*2\r\n$1\r\nq\r\n$1\r\na\r\n", 18) == 0);
    keyslot_session_free(other);
    keyslot_session_free(waiting);
    keyslot_engine_free(engine);
}

static void a_large_value_passes_whole(void)
{
    const size_t large = (size_t)10 << 20;
    keyslot_engine *engine = new_engine(NULL);
    char *value = malloc(large);
    keyslot_bytes found;
    keyslot_reply *reply;

    memset(value, 'v', large);
    CHECK(keyslot_set(engine, "k", 1, value, large, NULL) == KEYSLOT_OK);
    CHECK(keyslot_get(engine, "k", 1, &found, NULL) == KEYSLOT_OK);
    CHECK(found.len == large && memcmp(found.data, value, large) == 0);
    keyslot_bytes_free(&found);
    reply = keyslot_engine_command(engine, "GET k");
    CHECK(reply->len == large && memcmp(reply->str, value, large) == 0);
    keyslot_reply_free(reply);
    free(value);
    keyslot_engine_free(engine);
}

static void *count_up(void *engine)
{
    int number;

    for (number = 0; number < 10000; number++) {
        keyslot_incrby(engine, "n", 1, 1, NULL, NULL);
    }
    return NULL;
}

static void threads_share_an_engine(void)
{
    keyslot_engine *engine = new_engine(NULL);
    pthread_t threads[4];
    int64_t sum = 0;
    int number;

    for (number = 0; number < 4; number++) {
        CHECK(pthread_create(&threads[number], NULL, count_up, engine) == 0);
    }
    for (number = 0; number < 4; number++) {
        pthread_join(threads[number], NULL);
    }
    CHECK(keyslot_incrby(engine, "n", 1, 0, &sum, NULL) == KEYSLOT_OK && sum == 40000);
    keyslot_engine_free(engine);
}

/* A session whose clock calls it: the only way for one thread to meet itself in a session. */
static keyslot_session *reentered = NULL;
static keyslot_status reentry = KEYSLOT_OK;

static keyslot_now reentrant_clock(void *data)
{
    keyslot_now now = { 1000, 0 };

    (void)data;
    if (reentered != NULL) {
        reentry = keyslot_session_feed(reentered, "PING\r\n", 6, NULL);
    }
    return now;
}

static void a_session_in_use_answers_so(void)
{
    keyslot_options options = no_options();
    keyslot_engine *engine;

    options.clock = reentrant_clock;
    engine = new_engine(&options);
    reentered = new_session(engine);
    CHECK(is_text(keyslot_session_command(reentered, "SET k v PX 5"), KEYSLOT_REPLY_STATUS, "OK"));
    CHECK(reentry == KEYSLOT_IN_USE);
    CHECK(keyslot_session_feed(reentered, "", 0, NULL) == KEYSLOT_OK);
    keyslot_session_free(reentered);
    reentered = NULL;
    keyslot_engine_free(engine);
}

static void a_failure_leaves_no_result(void)
{
    keyslot_engine *engine = (keyslot_engine *)&checks_failed;
    keyslot_session *session = (keyslot_session *)&checks_failed;
    keyslot_bytes value = { (char *)&checks_failed, 1 };
    const char *output = "x";
    size_t len = 1;
    int64_t found = 1;
    keyslot_error error;

    CHECK(keyslot_session_new(NULL, &session, &error) == KEYSLOT_INVALID_ARGUMENT);
    CHECK(session == NULL && strcmp(error.text, "engine is null") == 0);
    CHECK(keyslot_engine_new(NULL, NULL, &error) == KEYSLOT_INVALID_ARGUMENT);
    CHECK(error.number == KEYSLOT_INVALID_ARGUMENT && error.len == strlen(error.text));
    CHECK(keyslot_get(NULL, "k", 1, &value, NULL) == KEYSLOT_INVALID_ARGUMENT);
    CHECK(value.data == NULL && value.len == 0);
    CHECK(keyslot_get_into(NULL, "k", 1, NULL, 0, &found, NULL) == KEYSLOT_INVALID_ARGUMENT);
    CHECK(found == -1);
    CHECK(keyslot_session_output(NULL, &output, &len, NULL) == KEYSLOT_INVALID_ARGUMENT);
    CHECK(output == NULL && len == 0);
    CHECK(keyslot_engine_new(NULL, &engine, NULL) == KEYSLOT_OK);
    CHECK(keyslot_set(engine, NULL, 1, "v", 1, &error) == KEYSLOT_INVALID_ARGUMENT);
    CHECK(strcmp(error.text, "key is null") == 0);
    keyslot_engine_free(engine);
    keyslot_engine_free(NULL);
    keyslot_session_free(NULL);
    keyslot_clock_free(NULL);
    keyslot_reply_free(NULL);
    keyslot_bytes_free(NULL);
}

/* Runs last: the other tests have used the whole library by then. */
static void signal_handlers_are_left_alone(void)
{
#ifndef KEYSLOT_TEST_SANITIZED
    static const int numbers[] = { SIGPIPE, SIGSEGV, SIGBUS, SIGABRT, SIGINT, SIGTERM };
    struct sigaction action;
    size_t place;

    for (place = 0; place < sizeof numbers / sizeof *numbers; place++) {
        CHECK(sigaction(numbers[place], NULL, &action) == 0);
        CHECK(action.sa_handler == SIG_DFL);
    }
#else
    /* Sanitizers have handlers of their own. */
    CHECK(signal(SIGPIPE, SIG_DFL) == SIG_DFL);
#endif
}

int main(void)
{
    TEST(the_library_names_itself_and_its_numbers);
    TEST(strings_are_stored_and_copied_out);
    TEST(keys_are_counted_and_deleted);
    TEST(time_is_what_the_clock_by_hand_says);
    TEST(maintenance_goes_by_its_budget);
    TEST(time_is_what_the_host_says);
    TEST(options_are_checked);
    TEST(settings_are_read_and_changed);
    TEST(words_make_commands);
    TEST(formats_make_commands);
    TEST(replies_are_trees);
    TEST(a_session_speaks_the_version_it_chose);
    TEST(every_type_has_its_shape);
    TEST(sessions_have_a_database_each);
    TEST(bytes_go_in_and_come_out);
    TEST(a_session_is_told_of_what_others_have_for_it);
    TEST(a_large_value_passes_whole);
    TEST(threads_share_an_engine);
    TEST(a_session_in_use_answers_so);
    TEST(a_failure_leaves_no_result);
    TEST(signal_handlers_are_left_alone);
    return checks_failed != 0;
}
