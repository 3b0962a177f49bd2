/*
 * keyslot.h - an embeddable Redis-compatible engine: the C interface.
 *
 * Generated from ffi by `KEYSLOT_WRITE_HEADER=1 cargo test -p keyslot-ffi --test header`; do
 * not edit. <keyslot.hpp> has the same for C++17.
 *
 * Conventions, which every function keeps:
 *
 * - Functions that can fail return a keyslot_status, 0 (KEYSLOT_OK) for success, and say why in
 *   their last argument, a keyslot_error that the caller provides; it may be null. Commands return
 *   a reply instead, never null, whose type is KEYSLOT_REPLY_ERROR if something went wrong.
 * - A pointer that leads nowhere is null; every function answers a null that it cannot use with
 *   KEYSLOT_INVALID_ARGUMENT. Where the comment says "unless that is null", a result that is not
 *   wanted need not be taken. After a failure, handles, pointers and lengths that the call would
 *   have given are null or 0, and other results keep what they held.
 * - Keys, values and words are any bytes, given by pointer and length. They are copied if they are
 *   kept: what a caller passes needs to live no longer than the call.
 * - What a function gives to own has one function to free it: keyslot_engine_free,
 *   keyslot_session_free, keyslot_pipeline_free, keyslot_link_free, keyslot_clock_free,
 *   keyslot_reply_free, keyslot_bytes_free. Nothing that keyslot allocated goes to free(), and all of
 *   them ignore null.
 * - Threads: any number of threads may use an engine, a clock or a pipeline at once. A session or a link serves one
 *   call at a time, from any thread; a second one at the same time answers KEYSLOT_IN_USE. A reply
 *   does not change and may be read from any thread. No handle may be freed while another thread
 *   uses it.
 * - The library keeps no state outside its handles, installs no signal handler, starts no thread,
 *   opens no file and no socket, and promises nothing through errno. A fault within it does not
 *   unwind into the caller: it is described on standard error and answered with KEYSLOT_PANIC.
 */

#ifndef KEYSLOT_H
#define KEYSLOT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * The longest text of an error, its final NUL included.
 */
#define KEYSLOT_ERROR_TEXT_MAX 248

/**
 * The most conversions in one format.
 */
#define KEYSLOT_ARGUMENTS_MAX 64

/**
 * What came of a call. A number keeps its meaning for ever. Those from 1 to 999 are the classes
 * of error replies, after the first word of the error's line; those from 1000 on are of this
 * interface.
 */
typedef enum keyslot_status {
    /**
     * The call was carried out.
     */
    KEYSLOT_OK = 0,
    /**
     * `ERR`, the generic class.
     */
    KEYSLOT_ERR = 1,
    /**
     * `WRONGTYPE`: the key holds another type.
     */
    KEYSLOT_WRONG_TYPE = 2,
    /**
     * `OOM`: over `maxmemory`, and nothing may be evicted.
     */
    KEYSLOT_OOM = 3,
    /**
     * `BUSYKEY`: RESTORE or a migration met a key that exists.
     */
    KEYSLOT_BUSY_KEY = 4,
    /**
     * `NOPROTO`: HELLO asked for a protocol that does not exist.
     */
    KEYSLOT_NO_PROTO = 5,
    /**
     * `MOVED`: the slot belongs to another node.
     */
    KEYSLOT_MOVED = 6,
    /**
     * `ASK`: the key may be at the importing node.
     */
    KEYSLOT_ASK = 7,
    /**
     * `TRYAGAIN`: a multi-key command met a slot that is being moved.
     */
    KEYSLOT_TRY_AGAIN = 8,
    /**
     * `CROSSSLOT`: keys of one command are in different slots.
     */
    KEYSLOT_CROSS_SLOT = 9,
    /**
     * `CLUSTERDOWN`: the slot is not served.
     */
    KEYSLOT_CLUSTER_DOWN = 10,
    /**
     * `IOERR`: a migration could not talk to its target.
     */
    KEYSLOT_IO_ERR = 11,
    /**
     * `NOAUTH`: the session has not authenticated.
     */
    KEYSLOT_NO_AUTH = 12,
    /**
     * `WRONGPASS`: name or password is wrong.
     */
    KEYSLOT_WRONG_PASS = 13,
    /**
     * `NOPERM`: the user may not do this.
     */
    KEYSLOT_NO_PERM = 14,
    /**
     * `EXECABORT`: the transaction was refused while it was queued.
     */
    KEYSLOT_EXEC_ABORT = 15,
    /**
     * `NOSCRIPT`: no script has this digest.
     */
    KEYSLOT_NO_SCRIPT = 16,
    /**
     * `BUSY`: a script is running.
     */
    KEYSLOT_BUSY = 17,
    /**
     * `READONLY`: a write at a replica.
     */
    KEYSLOT_READ_ONLY = 18,
    /**
     * `LOADING`: the data is being loaded.
     */
    KEYSLOT_LOADING = 19,
    /**
     * A protocol error: the text is written, then the session is closed.
     */
    KEYSLOT_PROTOCOL = 20,
    /**
     * An error whose class is none of these, as one that came from a peer.
     */
    KEYSLOT_FOREIGN = 21,
    /**
     * An argument is null, too long or out of range; nothing was done.
     */
    KEYSLOT_INVALID_ARGUMENT = 1000,
    /**
     * The session is in the middle of another call; nothing was done.
     */
    KEYSLOT_IN_USE = 1001,
    /**
     * The library met a fault of its own. The engine goes on working; a session that met one
     * answers this to every further call, and can only be freed.
     */
    KEYSLOT_PANIC = 1002,
    /**
     * A typed call got a reply of a shape that it does not know.
     */
    KEYSLOT_UNEXPECTED_REPLY = 1003,
} keyslot_status;

/**
 * The types of replies, numbered as in hiredis.
 */
typedef enum keyslot_reply_type {
    /**
     * A bulk string: `str`, `len`.
     */
    KEYSLOT_REPLY_STRING = 1,
    /**
     * An array: `elements`, `element`.
     */
    KEYSLOT_REPLY_ARRAY = 2,
    /**
     * An integer: `integer`.
     */
    KEYSLOT_REPLY_INTEGER = 3,
    /**
     * No value.
     */
    KEYSLOT_REPLY_NIL = 4,
    /**
     * A simple string such as `OK`: `str`, `len`.
     */
    KEYSLOT_REPLY_STATUS = 5,
    /**
     * An error: its whole line in `str` and `len`, its number in `number`.
     */
    KEYSLOT_REPLY_ERROR = 6,
    /**
     * A double: `dval`, and its text in `str` and `len`. RESP3 only.
     */
    KEYSLOT_REPLY_DOUBLE = 7,
    /**
     * A boolean: `integer` is 1 or 0. RESP3 only.
     */
    KEYSLOT_REPLY_BOOL = 8,
    /**
     * A map: `elements` is twice the number of pairs, `element` holds keys and values in turn.
     * RESP3 only.
     */
    KEYSLOT_REPLY_MAP = 9,
    /**
     * A set: `elements`, `element`. RESP3 only.
     */
    KEYSLOT_REPLY_SET = 10,
    /**
     * An attribute of another reply, of the form of a map. RESP3 only.
     */
    KEYSLOT_REPLY_ATTR = 11,
    /**
     * An out-of-band push: `elements`, `element`. RESP3 only.
     */
    KEYSLOT_REPLY_PUSH = 12,
    /**
     * An integer of any size: its digits in `str` and `len`. RESP3 only.
     */
    KEYSLOT_REPLY_BIGNUM = 13,
    /**
     * A text with a format: `str`, `len`, `vtype`. RESP3 only.
     */
    KEYSLOT_REPLY_VERB = 14,
} keyslot_reply_type;

/**
 * What C type a conversion takes off the argument list.
 */
typedef enum keyslot_argument_kind {
    /**
     * There is no further conversion, or the next one is not known.
     */
    KEYSLOT_ARGUMENT_END = 0,
    /**
     * `%s`: `const char *`, ended by a NUL.
     */
    KEYSLOT_ARGUMENT_TEXT = 1,
    /**
     * `%b`: `const void *` and `size_t`.
     */
    KEYSLOT_ARGUMENT_BYTES = 2,
    /**
     * `%d`, `%i`: `int`.
     */
    KEYSLOT_ARGUMENT_INT = 3,
    /**
     * `%ld`: `long`.
     */
    KEYSLOT_ARGUMENT_LONG = 4,
    /**
     * `%lld`, `%jd`: `long long`.
     */
    KEYSLOT_ARGUMENT_LONG_LONG = 5,
    /**
     * `%td`, `%zd`: `ptrdiff_t`.
     */
    KEYSLOT_ARGUMENT_PTRDIFF = 6,
    /**
     * `%u`: `unsigned int`.
     */
    KEYSLOT_ARGUMENT_UNSIGNED = 7,
    /**
     * `%lu`: `unsigned long`.
     */
    KEYSLOT_ARGUMENT_UNSIGNED_LONG = 8,
    /**
     * `%llu`, `%ju`: `unsigned long long`.
     */
    KEYSLOT_ARGUMENT_UNSIGNED_LONG_LONG = 9,
    /**
     * `%zu`, `%tu`: `size_t`.
     */
    KEYSLOT_ARGUMENT_SIZE = 10,
    /**
     * `%f`, `%g`: `double`.
     */
    KEYSLOT_ARGUMENT_DOUBLE = 11,
} keyslot_argument_kind;

/**
 * How keys map to slots.
 */
typedef enum keyslot_slot_scheme {
    /**
     * 16,384 slots by CRC16 of the key or its hash tag, as Redis Cluster.
     */
    KEYSLOT_SLOTS_REDIS = 0,
    /**
     * 1,024 slots by CRC32 of the key or its hash tag, as Codis.
     */
    KEYSLOT_SLOTS_CODIS = 1,
} keyslot_slot_scheme;

/**
 * An engine: a keyspace and everything around it. Any number of threads may call it at once.
 */
typedef struct keyslot_engine keyslot_engine;

/**
 * A conversation with another node, which a command asked for. The host opens a connection over TCP
 * to `keyslot_link_host` and `keyslot_link_port`. Then, until `keyslot_link_is_closing`:
 * - it calls `keyslot_link_handle_connected` once,
 * - it sends what `keyslot_link_output` gives and says so by `keyslot_link_consume`,
 * - it gives what arrives to `keyslot_link_feed`,
 * - it calls `keyslot_link_poll` when `keyslot_link_descriptor` is readable,
 * - it calls `keyslot_link_handle_timeout` after `keyslot_link_time_left_us`,
 * - it frees the link when the connection could not be made, or has ended: the command that waits
 *   hears of it then.
 *
 * A link that has done its work rests for a while, for the next command. One thread at a time may
 * call it; a call that meets another one in progress answers `KEYSLOT_IN_USE`.
 */
typedef struct keyslot_link keyslot_link;

/**
 * A clock that stands still until it is moved, for tests and replays. Any thread may move it.
 */
typedef struct keyslot_clock keyslot_clock;

/**
 * Commands that wait to be carried out together, by `keyslot_session_run_pipeline` or
 * `keyslot_session_run_transaction`. Any thread may call it; one waits for another.
 */
typedef struct keyslot_pipeline keyslot_pipeline;

/**
 * One conversation with an engine, with its own database, protocol version and name. One thread
 * at a time may call it; a call that meets another one in progress answers `KEYSLOT_IN_USE`.
 */
typedef struct keyslot_session keyslot_session;

/**
 * Why a call failed. The caller provides the room; every call that takes one fills it in, so
 * that `number` is `KEYSLOT_OK` after success.
 */
typedef struct keyslot_error {
    /**
     * The number that the call returned as well.
     */
    enum keyslot_status number;
    /**
     * The length of `text` without its final NUL.
     */
    uint32_t len;
    /**
     * The whole line, such as `ERR value is not an integer or out of range`, ended by a NUL and
     * cut to fit.
     */
    char text[KEYSLOT_ERROR_TEXT_MAX];
} keyslot_error;

/**
 * A reply, or a part of one. Fields that the type does not name are zero. Replies do not change:
 * any number of threads may read one.
 */
typedef struct keyslot_reply {
    /**
     * Which fields are meant.
     */
    enum keyslot_reply_type type;
    /**
     * Of an error, its number; else `KEYSLOT_OK`.
     */
    enum keyslot_status number;
    /**
     * Of an integer or a boolean, its value.
     */
    int64_t integer;
    /**
     * Of a double, its value.
     */
    double dval;
    /**
     * The length of `str`, without the NUL that follows it.
     */
    size_t len;
    /**
     * The text of this reply, or null. It may hold NULs of its own.
     */
    const char *str;
    /**
     * Of a verbatim string, its format of three letters, such as `txt`, and a NUL.
     */
    char vtype[4];
    /**
     * How many parts `element` leads to.
     */
    size_t elements;
    /**
     * The parts, or null if there are none.
     */
    const struct keyslot_reply *const *element;
    /**
     * An attribute that came before this reply, or null.
     */
    const struct keyslot_reply *attribute;
} keyslot_reply;

/**
 * One argument of a format, taken off C's list.
 */
typedef struct keyslot_argument {
    /**
     * Of a text or bytes.
     */
    const void *data;
    /**
     * Of bytes, their length.
     */
    size_t len;
    /**
     * Of an integer; an unsigned one is converted.
     */
    int64_t integer;
    /**
     * Of a double.
     */
    double number;
} keyslot_argument;

/**
 * One reading of a clock.
 */
typedef struct keyslot_now {
    /**
     * Milliseconds since the Unix epoch. Expiry times are on this scale.
     */
    uint64_t unix_ms;
    /**
     * Microseconds on a scale that never goes back. Durations are measured on this scale.
     */
    uint64_t mono_us;
} keyslot_now;

/**
 * Reads a host's clock. It is called on every thread that calls the engine, possibly on several
 * at once, and in the middle of their calls: it must not call the engine, nor throw, nor jump.
 */
typedef struct keyslot_now (*keyslot_clock_function)(void *data);

/**
 * Frees what a host's clock keeps.
 */
typedef void (*keyslot_clock_free_function)(void *data);

/**
 * How an engine is made. Fill it with zeros, set `size` to `sizeof(keyslot_options)`, then set
 * what shall differ from the default: zero stands for the default everywhere. Later versions of
 * the library may know more fields; `size` tells them which ones the caller knows.
 */
typedef struct keyslot_options {
    /**
     * The size of this struct as the caller knows it, in bytes.
     */
    size_t size;
    /**
     * Locks over the keyspace: a power of two, 1 to the number of slots. More locks let more
     * threads work at once; each costs 128 bytes. Default: 1,024.
     */
    size_t shards;
    /**
     * How keys map to slots: a `keyslot_slot_scheme`.
     */
    uint32_t scheme;
    /**
     * Databases that SELECT can choose, 1 to 65,535. Default: 16.
     */
    uint32_t databases;
    /**
     * What chance is derived from. Two engines with the same seed, clock and input give the same
     * output. Default: zero; a host that faces strangers gives a secret.
     */
    uint64_t seed;
    /**
     * A clock that is moved by hand, in place of the operating system's. The engine keeps a hold
     * of its own.
     */
    const struct keyslot_clock *manual_clock;
    /**
     * A clock of the host's, in place of the operating system's.
     */
    keyslot_clock_function clock;
    /**
     * What `clock` is called with.
     */
    void *clock_data;
    /**
     * Called once with `clock_data` when the engine and all its sessions are freed, or null. If
     * the engine cannot be opened, `clock_data` stays the caller's.
     */
    keyslot_clock_free_function clock_free;
    /**
     * Settings by their CONFIG names, applied in order: names and values in turn, each ended by a
     * NUL. Null if there are none.
     */
    const char *const *settings;
    /**
     * How many settings there are: half as many as `settings` leads to texts.
     */
    size_t settings_count;
} keyslot_options;

/**
 * Bytes that the caller owns and frees with `keyslot_bytes_free`.
 */
typedef struct keyslot_bytes {
    /**
     * The bytes, which may hold NULs and end without one. Null if there is no value at all; not
     * null for an empty value.
     */
    char *data;
    /**
     * How many bytes there are.
     */
    size_t len;
} keyslot_bytes;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes a clock that stands at `unix_ms`, in milliseconds since the Unix epoch. Give it to
 * engines in `keyslot_options`, move it, and free it with `keyslot_clock_free` at any time:
 * engines keep a hold of their own.
 */
struct keyslot_clock *keyslot_clock_new(uint64_t unix_ms);

/**
 * Frees a clock. Null is ignored.
 */
void keyslot_clock_free(struct keyslot_clock *clock);

/**
 * Moves both scales of a clock forward by `ms` milliseconds.
 */
enum keyslot_status keyslot_clock_advance_ms(const struct keyslot_clock *clock,
                                             uint64_t ms,
                                             struct keyslot_error *error);

/**
 * Sets the wall clock, backwards too; the monotonic scale does not move.
 */
enum keyslot_status keyslot_clock_set_unix_ms(const struct keyslot_clock *clock,
                                              uint64_t unix_ms,
                                              struct keyslot_error *error);

/**
 * Carries out one command on database 0, in a session of its own that ends with it, and returns
 * its reply in the shapes of RESP2. `argv` holds `argc` words, the command's name first, and
 * `argvlen` their lengths; if `argvlen` is null, each word ends at its NUL. The reply is never
 * null: what goes wrong is a reply of type `KEYSLOT_REPLY_ERROR`, a bad argument included. Free it
 * with `keyslot_reply_free`.
 */
struct keyslot_reply *keyslot_engine_command_argv(const struct keyslot_engine *engine,
                                                  size_t argc,
                                                  const char *const *argv,
                                                  const size_t *argvlen);

/**
 * Carries out one command in a session, like `keyslot_engine_command_argv`, and returns its reply
 * in the shapes of the version that the session speaks: RESP2 until `HELLO 3`. Nothing is added
 * to the session's output.
 */
struct keyslot_reply *keyslot_session_command_argv(const struct keyslot_session *session,
                                                   size_t argc,
                                                   const char *const *argv,
                                                   const size_t *argvlen);

/**
 * Carries out the command that a format and its arguments make, like
 * `keyslot_engine_command_argv`. Programs call `keyslot_engine_command`.
 */
struct keyslot_reply *keyslot_engine_command_format(const struct keyslot_engine *engine,
                                                    const char *format,
                                                    const struct keyslot_argument *arguments,
                                                    size_t count);

/**
 * Carries out the command that a format and its arguments make, like
 * `keyslot_session_command_argv`. Programs call `keyslot_session_command`.
 */
struct keyslot_reply *keyslot_session_command_format(const struct keyslot_session *session,
                                                     const char *format,
                                                     const struct keyslot_argument *arguments,
                                                     size_t count);

/**
 * Opens an empty engine with `options`, or with the defaults if that is null, and puts it into
 * `engine`. Free it with `keyslot_engine_free`. `KEYSLOT_ERR` with the text of CONFIG SET if a
 * setting does not exist or does not fit.
 */
enum keyslot_status keyslot_engine_new(const struct keyslot_options *options,
                                       struct keyslot_engine **engine,
                                       struct keyslot_error *error);

/**
 * Gives up an engine. Its sessions may outlive this call: what they share is freed with the last
 * of them. Null is ignored.
 */
void keyslot_engine_free(struct keyslot_engine *engine);

/**
 * Does work that is due: deletes up to `budget` expired keys, and frees about as much of what
 * waits to be freed. Puts into `more`, unless that is null, whether there is more to do at once.
 * A host calls this from time to time, ten times a second say; a budget of 1,000 takes well under
 * a millisecond. Keys that are expired are never seen, whether or not this is called.
 */
enum keyslot_status keyslot_engine_maintain(const struct keyslot_engine *engine,
                                            size_t budget,
                                            bool *more,
                                            struct keyslot_error *error);

/**
 * Puts into `unix_ms` when the next key expires, in milliseconds since the Unix epoch, or an
 * earlier time; -1 if nothing expires.
 */
enum keyslot_status keyslot_engine_next_expiry_ms(const struct keyslot_engine *engine,
                                                  int64_t *unix_ms,
                                                  struct keyslot_error *error);

/**
 * Changes a setting by its CONFIG name, protected ones too. `name` and `value` end at their NULs.
 * `KEYSLOT_ERR` with the text of CONFIG SET if the setting does not exist, does not fit, or may
 * only be chosen when the engine is opened.
 */
enum keyslot_status keyslot_engine_config_set(const struct keyslot_engine *engine,
                                              const char *name,
                                              const char *value,
                                              struct keyslot_error *error);

/**
 * Puts into `value` the value of a setting, by its CONFIG name; free it with
 * `keyslot_bytes_free`. If there is no such setting, `value->data` is null.
 */
enum keyslot_status keyslot_engine_config_get(const struct keyslot_engine *engine,
                                              const char *name,
                                              struct keyslot_bytes *value,
                                              struct keyslot_error *error);

/**
 * Puts into `value` a figure of the engine by its name, such as `keyspace_hits`,
 * `used_memory_bytes` or `connected_clients`: those that `keyslot_engine_open_metrics` prints
 * without labels, without `keyslot_` and `_total`. Looks at each lock of the engine once.
 */
enum keyslot_status keyslot_engine_figure(const struct keyslot_engine *engine,
                                          const char *name,
                                          double *value,
                                          struct keyslot_error *error);

/**
 * Puts into `text` all figures of the engine as a monitoring system reads them, in the format of
 * OpenMetrics 1.0; free it with `keyslot_bytes_free`.
 */
enum keyslot_status keyslot_engine_open_metrics(const struct keyslot_engine *engine,
                                                struct keyslot_bytes *text,
                                                struct keyslot_error *error);

/**
 * The version of the library, such as `0.1.0`. The text lives as long as the library.
 */
const char *keyslot_version(void);

/**
 * Moves `format` behind its next conversion and returns what that takes off the argument list.
 * Programs call `keyslot_session_command`, which calls this.
 */
enum keyslot_argument_kind keyslot_format_next(const char **format);

/**
 * Puts into `descriptor` one that `poll` or `epoll` find readable while commands wait for a link;
 * then call `keyslot_engine_poll_link` until there is none. It is the engine's: do not read from it
 * and do not close it. By asking for it a host promises to open links; without it such commands
 * answer `IOERR`. A bad argument where the system has no such descriptors.
 */
enum keyslot_status keyslot_engine_link_descriptor(const struct keyslot_engine *engine,
                                                   int *descriptor,
                                                   struct keyslot_error *error);

/**
 * Takes the promise to open links back: commands that wait for one fail, and later ones answer
 * `IOERR`, until the descriptor is asked for again. A host frees the links that it has first.
 */
enum keyslot_status keyslot_engine_decline_links(const struct keyslot_engine *engine,
                                                 struct keyslot_error *error);

/**
 * Puts into `link` the next one that is to be opened, or null if there is none. Free it with
 * `keyslot_link_free`.
 */
enum keyslot_status keyslot_engine_poll_link(const struct keyslot_engine *engine,
                                             struct keyslot_link **link,
                                             struct keyslot_error *error);

/**
 * Ends and frees a link that no thread is in. Null is ignored.
 */
void keyslot_link_free(struct keyslot_link *link);

/**
 * The host to connect to, a name or an address that ends at its NUL and lives as long as the link;
 * null for null.
 */
const char *keyslot_link_host(const struct keyslot_link *link);

/**
 * The port to connect to; 0 for null.
 */
uint16_t keyslot_link_port(const struct keyslot_link *link);

/**
 * Puts into `descriptor` one that is readable when a command has something for a link that rests;
 * then call `keyslot_link_poll`. It stays the link's: do not read from it and do not close it.
 */
enum keyslot_status keyslot_link_descriptor(const struct keyslot_link *link,
                                            int *descriptor,
                                            struct keyslot_error *error);

/**
 * Takes note that the connection is there.
 */
enum keyslot_status keyslot_link_handle_connected(const struct keyslot_link *link,
                                                  struct keyslot_error *error);

/**
 * Puts into `data` and `len` what is to be sent. The bytes are the link's; they stay until the next
 * call for it.
 */
enum keyslot_status keyslot_link_output(const struct keyslot_link *link,
                                        const char **data,
                                        size_t *len,
                                        struct keyslot_error *error);

/**
 * Forgets the first `len` bytes of the output, which have been sent. More than there are is a bad
 * argument, and forgets nothing.
 */
enum keyslot_status keyslot_link_consume(const struct keyslot_link *link,
                                         size_t len,
                                         struct keyslot_error *error);

/**
 * Takes bytes that arrived, in pieces of any size.
 */
enum keyslot_status keyslot_link_feed(const struct keyslot_link *link,
                                      const void *data,
                                      size_t len,
                                      struct keyslot_error *error);

/**
 * Takes up what a command has left for a link that rests.
 */
enum keyslot_status keyslot_link_poll(const struct keyslot_link *link, struct keyslot_error *error);

/**
 * For how many microseconds a host may sleep before it calls `keyslot_link_handle_timeout`; -1 for
 * as long as it likes, for null, and for a link that cannot be called.
 */
int64_t keyslot_link_time_left_us(const struct keyslot_link *link);

/**
 * Gives the other side up if it was silent for too long, or ends the link's rest. Calling it early
 * does nothing.
 */
enum keyslot_status keyslot_link_handle_timeout(const struct keyslot_link *link,
                                                struct keyslot_error *error);

/**
 * Whether the host shall end the connection. True too for null and for a link that cannot be called.
 */
bool keyslot_link_is_closing(const struct keyslot_link *link);

/**
 * Makes an empty pipeline. Free it with `keyslot_pipeline_free`.
 */
struct keyslot_pipeline *keyslot_pipeline_new(void);

/**
 * Frees a pipeline that no thread uses. Null is ignored.
 */
void keyslot_pipeline_free(struct keyslot_pipeline *pipeline);

/**
 * Adds a command, whose words are given as to `keyslot_session_command_argv` and copied.
 */
enum keyslot_status keyslot_pipeline_add_argv(const struct keyslot_pipeline *pipeline,
                                              size_t argc,
                                              const char *const *argv,
                                              const size_t *argvlen,
                                              struct keyslot_error *error);

/**
 * Adds the command that a format and its arguments make. Programs call `keyslot_pipeline_add`.
 */
enum keyslot_status keyslot_pipeline_add_format(const struct keyslot_pipeline *pipeline,
                                                const char *format,
                                                const struct keyslot_argument *arguments,
                                                size_t count,
                                                struct keyslot_error *error);

/**
 * How many commands a pipeline holds; 0 for null.
 */
size_t keyslot_pipeline_len(const struct keyslot_pipeline *pipeline);

/**
 * Forgets all commands of a pipeline, and keeps its memory for others.
 */
enum keyslot_status keyslot_pipeline_clear(const struct keyslot_pipeline *pipeline,
                                           struct keyslot_error *error);

/**
 * Carries out the commands of a pipeline in a session, one after the other, and returns an array of
 * their replies, as `keyslot_session_command_argv` would have returned each. Commands of others may
 * come in between. Replies are missing at the end if a command ended the session. The pipeline keeps
 * its commands.
 */
struct keyslot_reply *keyslot_session_run_pipeline(const struct keyslot_session *session,
                                                   const struct keyslot_pipeline *pipeline);

/**
 * Carries out the commands of a pipeline in a session as a transaction, MULTI and EXEC included: no
 * other caller sees a part of it, and none comes between. Returns an array of their replies; a nil
 * if a key that the session watches has changed; or an error if a command was refused when it was
 * queued, and puts its number, counted from 0, into `refused` unless that is null, else -1. Nothing
 * was done in the last two cases. No key is watched any longer. The pipeline keeps its commands.
 */
struct keyslot_reply *keyslot_session_run_transaction(const struct keyslot_session *session,
                                                      const struct keyslot_pipeline *pipeline,
                                                      int64_t *refused);

/**
 * Lets a session watch a key until its next transaction, which is not carried out if the key changes
 * by then. May be called for several keys. `KEYSLOT_MOVED` and its like in a cluster.
 */
enum keyslot_status keyslot_session_watch(const struct keyslot_session *session,
                                          const void *key,
                                          size_t key_len,
                                          struct keyslot_error *error);

/**
 * Lets a session watch no key any longer.
 */
enum keyslot_status keyslot_session_unwatch(const struct keyslot_session *session,
                                            struct keyslot_error *error);

/**
 * Frees a reply with all of its parts. Give it what a command call returned, never a part of it.
 * Null is ignored.
 */
void keyslot_reply_free(struct keyslot_reply *reply);

/**
 * Opens a session of `engine` and puts it into `session`. Free it with `keyslot_session_free`;
 * it may outlive the engine's handle.
 */
enum keyslot_status keyslot_session_new(const struct keyslot_engine *engine,
                                        struct keyslot_session **session,
                                        struct keyslot_error *error);

/**
 * Ends and frees a session that no thread is in. Null is ignored.
 */
void keyslot_session_free(struct keyslot_session *session);

/**
 * Takes bytes that arrived, in pieces of any size, and carries out every request that they
 * complete. The replies are appended to the output. A protocol error is written to the output
 * and closes the session; the call itself succeeds.
 */
enum keyslot_status keyslot_session_feed(const struct keyslot_session *session,
                                         const void *data,
                                         size_t len,
                                         struct keyslot_error *error);

/**
 * Puts into `data` and `len` what is to be sent and was not consumed yet. The bytes are the
 * session's; they stay until the next call that feeds, consumes or frees it.
 */
enum keyslot_status keyslot_session_output(const struct keyslot_session *session,
                                           const char **data,
                                           size_t *len,
                                           struct keyslot_error *error);

/**
 * Forgets the first `len` bytes of the output, which have been sent. More than there are is a
 * bad argument, and forgets nothing.
 */
enum keyslot_status keyslot_session_consume(const struct keyslot_session *session,
                                            size_t len,
                                            struct keyslot_error *error);

/**
 * Adds to the output what others have for the session, such as messages of channels that it
 * listens to and the answer to a command in which it waits.
 */
enum keyslot_status keyslot_session_poll(const struct keyslot_session *session,
                                         struct keyslot_error *error);

/**
 * Puts into `descriptor` one that `poll` or `epoll` find readable while others have something for
 * the session; then call `keyslot_session_poll`. It stays the session's: do not read from it and do
 * not close it. A bad argument
 * where the system has no such descriptors.
 */
enum keyslot_status keyslot_session_descriptor(const struct keyslot_session *session,
                                               int *descriptor,
                                               struct keyslot_error *error);

/**
 * For how many microseconds a host may sleep before it calls `keyslot_session_handle_timeout`; -1
 * for as long as it likes, for null, and for a session that cannot be called.
 */
int64_t keyslot_session_time_left_us(const struct keyslot_session *session);

/**
 * Ends the session's wait if it has waited long enough, or the session if it was silent for too
 * long. Calling it early does nothing.
 */
enum keyslot_status keyslot_session_handle_timeout(const struct keyslot_session *session,
                                                   struct keyslot_error *error);

/**
 * Whether the host shall end the conversation once the output is sent. True too for null and
 * for a session that cannot be called.
 */
bool keyslot_session_is_closing(const struct keyslot_session *session);

/**
 * The number of a session, unique within its engine, as CLIENT ID prints it; 0 for null and for a
 * session that cannot be called.
 */
uint64_t keyslot_session_id(const struct keyslot_session *session);

/**
 * Says where the client is and where it came to, as `ip:port`, or `path:0` of a Unix socket, for
 * CLIENT LIST to show. Both texts end at their NULs. A session of which it is not said counts as
 * local.
 */
enum keyslot_status keyslot_session_set_peer(const struct keyslot_session *session,
                                             const char *peer,
                                             const char *local,
                                             struct keyslot_error *error);

/**
 * The word for a status number, such as `WRONGTYPE`; `UNKNOWN` for a number that has no meaning.
 * The text lives as long as the library.
 */
const char *keyslot_status_name(int32_t number);

/**
 * Frees the bytes that `value` leads to, not `value` itself, and leaves null in it. Null, there
 * or in place of `value`, is ignored.
 */
void keyslot_bytes_free(struct keyslot_bytes *value);

/**
 * Puts into `value` a copy of the string at a key; free it with `keyslot_bytes_free`. If there is
 * no such key, `value->data` is null. `KEYSLOT_WRONG_TYPE` if the key holds another type.
 */
enum keyslot_status keyslot_get(const struct keyslot_engine *engine,
                                const void *key,
                                size_t key_len,
                                struct keyslot_bytes *value,
                                struct keyslot_error *error);

/**
 * Copies the string at a key into `buffer`, as much of it as `capacity` bytes hold, without a NUL
 * after it. Puts its whole length into `len`, -1 if there is no such key or the call fails; more
 * than `capacity` says that the rest is missing. `buffer` may be null if `capacity` is 0.
 * `KEYSLOT_WRONG_TYPE` if the key holds another type.
 */
enum keyslot_status keyslot_get_into(const struct keyslot_engine *engine,
                                     const void *key,
                                     size_t key_len,
                                     void *buffer,
                                     size_t capacity,
                                     int64_t *len,
                                     struct keyslot_error *error);

/**
 * Stores a string, over whatever the key held. The key does not expire.
 */
enum keyslot_status keyslot_set(const struct keyslot_engine *engine,
                                const void *key,
                                size_t key_len,
                                const void *value,
                                size_t value_len,
                                struct keyslot_error *error);

/**
 * Stores a string, over whatever the key held, that expires in `ttl_ms` milliseconds.
 * `KEYSLOT_ERR` if `ttl_ms` is not positive or too large.
 */
enum keyslot_status keyslot_set_ttl_ms(const struct keyslot_engine *engine,
                                       const void *key,
                                       size_t key_len,
                                       const void *value,
                                       size_t value_len,
                                       int64_t ttl_ms,
                                       struct keyslot_error *error);

/**
 * Deletes a key. Puts into `removed`, unless that is null, whether there was one.
 */
enum keyslot_status keyslot_del(const struct keyslot_engine *engine,
                                const void *key,
                                size_t key_len,
                                bool *removed,
                                struct keyslot_error *error);

/**
 * Puts into `exists` whether there is such a key.
 */
enum keyslot_status keyslot_exists(const struct keyslot_engine *engine,
                                   const void *key,
                                   size_t key_len,
                                   bool *exists,
                                   struct keyslot_error *error);

/**
 * Adds `by` to the integer at a key, which counts as 0 if there is no such key, and puts the sum
 * into `value`, unless that is null. `KEYSLOT_ERR` if the key holds no integer or the sum
 * overflows, `KEYSLOT_WRONG_TYPE` if it holds another type.
 */
enum keyslot_status keyslot_incrby(const struct keyslot_engine *engine,
                                   const void *key,
                                   size_t key_len,
                                   int64_t by,
                                   int64_t *value,
                                   struct keyslot_error *error);

/**
 * Lets a key expire in `ttl_ms` milliseconds, or deletes it if that is not positive. Puts into
 * `found`, unless that is null, whether there was such a key.
 */
enum keyslot_status keyslot_expire_ms(const struct keyslot_engine *engine,
                                      const void *key,
                                      size_t key_len,
                                      int64_t ttl_ms,
                                      bool *found,
                                      struct keyslot_error *error);

/**
 * Puts into `ttl_ms` in how many milliseconds a key expires: -1 if it does not expire, -2 if
 * there is no such key.
 */
enum keyslot_status keyslot_ttl_ms(const struct keyslot_engine *engine,
                                   const void *key,
                                   size_t key_len,
                                   int64_t *ttl_ms,
                                   struct keyslot_error *error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

/*
 * Commands by format. Words are separated by spaces, before anything is filled in, so that an
 * argument is never split:
 *
 *     keyslot_reply *reply = keyslot_session_command(session, "SET %s %b EX %d", key, value,
 *                                                    value_len, 60);
 *
 *   %s                   const char *, ended by a NUL
 *   %b                   const void * and size_t: bytes of any kind
 *   %d %i %u             int, unsigned int; with hh, h, l, ll, j, z, t as in printf
 *   %f %.Nf              double, 6 or N digits after the point
 *   %g                   double, as many digits as it takes to read it back exactly
 *   %%                   a percent sign
 *
 * A format holds at most KEYSLOT_ARGUMENTS_MAX conversions; longer commands go by
 * keyslot_session_command_argv. These functions are here because C alone can take a va_list apart.
 */

/* Takes the arguments of `format` off `list`. Returns how many there are. */
static inline size_t keyslot_arguments_collect(const char *format, va_list list,
                                               keyslot_argument *arguments)
{
    size_t count = 0;
    keyslot_argument_kind kind;

    while (count < KEYSLOT_ARGUMENTS_MAX
           && (kind = keyslot_format_next(&format)) != KEYSLOT_ARGUMENT_END) {
        keyslot_argument *argument = &arguments[count++];
        argument->data = NULL;
        argument->len = 0;
        argument->integer = 0;
        argument->number = 0;
        switch (kind) {
        case KEYSLOT_ARGUMENT_END: break;
        case KEYSLOT_ARGUMENT_TEXT: argument->data = va_arg(list, const char *); break;
        case KEYSLOT_ARGUMENT_BYTES:
            argument->data = va_arg(list, const void *);
            argument->len = va_arg(list, size_t);
            break;
        case KEYSLOT_ARGUMENT_INT: argument->integer = va_arg(list, int); break;
        case KEYSLOT_ARGUMENT_LONG: argument->integer = va_arg(list, long); break;
        case KEYSLOT_ARGUMENT_LONG_LONG: argument->integer = va_arg(list, long long); break;
        case KEYSLOT_ARGUMENT_PTRDIFF: argument->integer = va_arg(list, ptrdiff_t); break;
        case KEYSLOT_ARGUMENT_UNSIGNED:
            argument->integer = (int64_t)va_arg(list, unsigned int);
            break;
        case KEYSLOT_ARGUMENT_UNSIGNED_LONG:
            argument->integer = (int64_t)va_arg(list, unsigned long);
            break;
        case KEYSLOT_ARGUMENT_UNSIGNED_LONG_LONG:
            argument->integer = (int64_t)va_arg(list, unsigned long long);
            break;
        case KEYSLOT_ARGUMENT_SIZE: argument->integer = (int64_t)va_arg(list, size_t); break;
        case KEYSLOT_ARGUMENT_DOUBLE: argument->number = va_arg(list, double); break;
        }
    }
    return count;
}

/* Like keyslot_engine_command, with the arguments in a list. */
static inline keyslot_reply *keyslot_engine_vcommand(const keyslot_engine *engine,
                                                     const char *format, va_list list)
{
    keyslot_argument arguments[KEYSLOT_ARGUMENTS_MAX];
    size_t count = keyslot_arguments_collect(format, list, arguments);
    return keyslot_engine_command_format(engine, format, arguments, count);
}

/* Carries out a command on database 0, and returns its reply as keyslot_engine_command_argv. */
static inline keyslot_reply *keyslot_engine_command(const keyslot_engine *engine,
                                                    const char *format, ...)
{
    va_list list;
    keyslot_reply *reply;
    va_start(list, format);
    reply = keyslot_engine_vcommand(engine, format, list);
    va_end(list);
    return reply;
}

/* Like keyslot_session_command, with the arguments in a list. */
static inline keyslot_reply *keyslot_session_vcommand(const keyslot_session *session,
                                                      const char *format, va_list list)
{
    keyslot_argument arguments[KEYSLOT_ARGUMENTS_MAX];
    size_t count = keyslot_arguments_collect(format, list, arguments);
    return keyslot_session_command_format(session, format, arguments, count);
}

/* Carries out a command in a session, and returns its reply as keyslot_session_command_argv. */
static inline keyslot_reply *keyslot_session_command(const keyslot_session *session,
                                                     const char *format, ...)
{
    va_list list;
    keyslot_reply *reply;
    va_start(list, format);
    reply = keyslot_session_vcommand(session, format, list);
    va_end(list);
    return reply;
}

/* Adds a command to a pipeline. `error` may be null. */
static inline keyslot_status keyslot_pipeline_add(const keyslot_pipeline *pipeline,
                                                  keyslot_error *error, const char *format, ...)
{
    keyslot_argument arguments[KEYSLOT_ARGUMENTS_MAX];
    size_t count;
    va_list list;
    va_start(list, format);
    count = keyslot_arguments_collect(format, list, arguments);
    va_end(list);
    return keyslot_pipeline_add_format(pipeline, format, arguments, count, error);
}

#endif /* KEYSLOT_H */
