/* Commands that are carried out together: in a row, or as transactions that watch keys. */

#include <keyslot.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static keyslot_engine *engine = NULL;

static keyslot_session *new_session(void)
{
    keyslot_session *session = NULL;

    CHECK(keyslot_session_new(engine, &session, NULL) == KEYSLOT_OK);
    return session;
}

static int is_value(const char *key, const char *value)
{
    keyslot_bytes found;
    int is;

    CHECK(keyslot_get(engine, key, strlen(key), &found, NULL) == KEYSLOT_OK);
    is = found.data != NULL && found.len == strlen(value)
         && memcmp(found.data, value, found.len) == 0;
    keyslot_bytes_free(&found);
    return is;
}

static void a_pipeline_answers_each_command(void)
{
    keyslot_session *session = new_session();
    keyslot_pipeline *pipeline = keyslot_pipeline_new();
    const char *set[] = { "SET", "k\0", "1" };
    const size_t lengths[] = { 3, 2, 1 };
    keyslot_error error;
    keyslot_reply *reply;

    reply = keyslot_session_run_pipeline(session, pipeline);
    CHECK(reply->type == KEYSLOT_REPLY_ARRAY && reply->elements == 0);
    keyslot_reply_free(reply);
    CHECK(keyslot_pipeline_add_argv(pipeline, 3, set, lengths, &error) == KEYSLOT_OK);
    reply = keyslot_session_run_pipeline(session, pipeline);
    CHECK(reply->type == KEYSLOT_REPLY_ARRAY && reply->elements == 1);
    keyslot_reply_free(reply);
    CHECK(keyslot_pipeline_add(pipeline, NULL, "INCRBY %b %d", "k\0", (size_t)2, 41) == KEYSLOT_OK);
    CHECK(keyslot_pipeline_add(pipeline, &error, "LPUSH %b x", "k\0", (size_t)2) == KEYSLOT_OK);
    CHECK(keyslot_pipeline_add(pipeline, NULL, "NONE") == KEYSLOT_OK);
    CHECK(keyslot_pipeline_add(pipeline, NULL, "KEYS *") == KEYSLOT_OK);
    CHECK(keyslot_pipeline_add(pipeline, &error, "GET %q", 1) == KEYSLOT_INVALID_ARGUMENT);
    CHECK(keyslot_pipeline_len(pipeline) == 5);
    reply = keyslot_session_run_pipeline(session, pipeline);
    CHECK(reply->type == KEYSLOT_REPLY_ARRAY && reply->elements == 5);
    CHECK(reply->element[0]->type == KEYSLOT_REPLY_STATUS);
    CHECK(reply->element[1]->integer == 42);
    CHECK(reply->element[2]->number == KEYSLOT_WRONG_TYPE);
    CHECK(reply->element[3]->type == KEYSLOT_REPLY_ERROR);
    CHECK(reply->element[4]->elements == 1 && reply->element[4]->element[0]->len == 2);
    keyslot_reply_free(reply);
    CHECK(keyslot_pipeline_clear(pipeline, NULL) == KEYSLOT_OK);
    CHECK(keyslot_pipeline_len(pipeline) == 0);
    keyslot_pipeline_free(pipeline);
    keyslot_session_free(session);
    CHECK(keyslot_del(engine, "k\0", 2, NULL, NULL) == KEYSLOT_OK);
}

static void replies_end_where_the_session_does(void)
{
    keyslot_session *session = new_session();
    keyslot_pipeline *pipeline = keyslot_pipeline_new();
    keyslot_reply *reply;

    CHECK(keyslot_pipeline_add(pipeline, NULL, "QUIT") == KEYSLOT_OK);
    CHECK(keyslot_pipeline_add(pipeline, NULL, "SET k v") == KEYSLOT_OK);
    reply = keyslot_session_run_pipeline(session, pipeline);
    CHECK(reply->type == KEYSLOT_REPLY_ARRAY && reply->elements == 1);
    keyslot_reply_free(reply);
    CHECK(keyslot_session_is_closing(session));
    keyslot_pipeline_free(pipeline);
    keyslot_session_free(session);
}

static void a_transaction_is_done_or_undone_by_a_watched_key(void)
{
    keyslot_session *session = new_session();
    keyslot_pipeline *pipeline = keyslot_pipeline_new();
    keyslot_reply *reply;
    int64_t refused = 7;

    CHECK(keyslot_set(engine, "a", 1, "1", 1, NULL) == KEYSLOT_OK);
    CHECK(keyslot_pipeline_add(pipeline, NULL, "INCR a") == KEYSLOT_OK);
    CHECK(keyslot_pipeline_add(pipeline, NULL, "LPUSH a x") == KEYSLOT_OK);
    CHECK(keyslot_pipeline_add(pipeline, NULL, "SET b %s", "done") == KEYSLOT_OK);
    reply = keyslot_session_run_transaction(session, pipeline, &refused);
    CHECK(reply->type == KEYSLOT_REPLY_ARRAY && reply->elements == 3 && refused == -1);
    CHECK(reply->element[0]->integer == 2);
    CHECK(reply->element[1]->number == KEYSLOT_WRONG_TYPE);
    keyslot_reply_free(reply);
    CHECK(is_value("a", "2") && is_value("b", "done"));

    CHECK(keyslot_session_watch(session, "a", 1, NULL) == KEYSLOT_OK);
    CHECK(keyslot_session_watch(session, "b", 1, NULL) == KEYSLOT_OK);
    CHECK(keyslot_set(engine, "b", 1, "changed", 7, NULL) == KEYSLOT_OK);
    reply = keyslot_session_run_transaction(session, pipeline, NULL);
    CHECK(reply->type == KEYSLOT_REPLY_NIL);
    keyslot_reply_free(reply);
    CHECK(is_value("a", "2") && is_value("b", "changed"));

    CHECK(keyslot_session_watch(session, "a", 1, NULL) == KEYSLOT_OK);
    CHECK(keyslot_set(engine, "a", 1, "5", 1, NULL) == KEYSLOT_OK);
    CHECK(keyslot_session_unwatch(session, NULL) == KEYSLOT_OK);
    reply = keyslot_session_run_transaction(session, pipeline, NULL);
    CHECK(reply->type == KEYSLOT_REPLY_ARRAY);
    keyslot_reply_free(reply);
    CHECK(is_value("a", "6"));
    keyslot_pipeline_free(pipeline);
    keyslot_session_free(session);
}

static void a_refused_command_undoes_its_transaction(void)
{
    keyslot_session *session = new_session();
    keyslot_pipeline *pipeline = keyslot_pipeline_new();
    keyslot_reply *reply;
    int64_t refused = -1;

    CHECK(keyslot_set(engine, "a", 1, "1", 1, NULL) == KEYSLOT_OK);
    CHECK(keyslot_pipeline_add(pipeline, NULL, "INCR a") == KEYSLOT_OK);
    CHECK(keyslot_pipeline_add(pipeline, NULL, "GET") == KEYSLOT_OK);
    reply = keyslot_session_run_transaction(session, pipeline, &refused);
    CHECK(reply->type == KEYSLOT_REPLY_ERROR && reply->number == KEYSLOT_ERR && refused == 1);
    CHECK(strcmp(reply->str, "ERR wrong number of arguments for 'get' command") == 0);
    keyslot_reply_free(reply);
    CHECK(is_value("a", "1"));
    /* The session is as before. */
    reply = keyslot_session_command(session, "INCR a");
    CHECK(reply->type == KEYSLOT_REPLY_INTEGER && reply->integer == 2);
    keyslot_reply_free(reply);
    keyslot_pipeline_free(pipeline);
    keyslot_session_free(session);
}

enum { THREADS = 4, STEPS = 300 };

/* Adds 1 to a number that it reads first, STEPS times, and tries again when another thread was
 * quicker. */
static void *add_by_watching(void *ignored)
{
    keyslot_session *session = new_session();
    keyslot_pipeline *pipeline = keyslot_pipeline_new();
    int done = 0;

    (void)ignored;
    while (done < STEPS) {
        keyslot_reply *reply;
        long value = 0;

        keyslot_session_watch(session, "n", 1, NULL);
        reply = keyslot_session_command(session, "GET n");
        if (reply->type == KEYSLOT_REPLY_STRING) {
            value = strtol(reply->str, NULL, 10);
        }
        keyslot_reply_free(reply);
        keyslot_pipeline_clear(pipeline, NULL);
        keyslot_pipeline_add(pipeline, NULL, "SET n %ld", value + 1);
        keyslot_pipeline_add(pipeline, NULL, "RPUSH seen %ld", value);
        reply = keyslot_session_run_transaction(session, pipeline, NULL);
        if (reply->type == KEYSLOT_REPLY_ARRAY) {
            done++;
        } else if (reply->type != KEYSLOT_REPLY_NIL) {
            done = STEPS + 1;
        }
        keyslot_reply_free(reply);
    }
    keyslot_pipeline_free(pipeline);
    keyslot_session_free(session);
    return done == STEPS ? ignored : NULL;
}

static void threads_that_watch_lose_no_step(void)
{
    pthread_t threads[THREADS];
    keyslot_reply *reply;
    void *whole;
    int number;

    for (number = 0; number < THREADS; number++) {
        CHECK(pthread_create(&threads[number], NULL, add_by_watching, engine) == 0);
    }
    for (number = 0; number < THREADS; number++) {
        CHECK(pthread_join(threads[number], &whole) == 0 && whole == engine);
    }
    CHECK(is_value("n", "1200"));
    reply = keyslot_engine_command(engine, "LLEN seen");
    CHECK(reply->integer == THREADS * STEPS);
    keyslot_reply_free(reply);
}

int main(void)
{
    CHECK(keyslot_engine_new(NULL, &engine, NULL) == KEYSLOT_OK);
    TEST(a_pipeline_answers_each_command);
    TEST(replies_end_where_the_session_does);
    TEST(a_transaction_is_done_or_undone_by_a_watched_key);
    TEST(a_refused_command_undoes_its_transaction);
    TEST(threads_that_watch_lose_no_step);
    keyslot_engine_free(engine);
    return checks_failed != 0;
}
