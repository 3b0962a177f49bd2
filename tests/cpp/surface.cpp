// Everything in keyslot.hpp, with its exceptions. What lies beneath is tested in tests/c.

#include <keyslot.hpp>

#include <atomic>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "../c/check.h"

using namespace std::chrono_literals;
using namespace std::string_view_literals;

namespace {

// Handles own what they hold: they move, and are not copied.
template <typename Handle>
constexpr bool only_moves = std::is_nothrow_move_constructible_v<Handle> &&
    std::is_nothrow_move_assignable_v<Handle> && !std::is_copy_constructible_v<Handle> &&
    !std::is_copy_assignable_v<Handle>;
static_assert(only_moves<keyslot::engine> && only_moves<keyslot::session>);
static_assert(only_moves<keyslot::reply> && only_moves<keyslot::manual_clock>);

/// The number of the error that a call throws; KEYSLOT_OK if it throws none.
template <typename Call>
keyslot_status thrown(Call call, std::string_view line = {})
{
    try {
        call();
    } catch (const keyslot::error &error) {
        CHECK(line.empty() || line == error.what());
        return error.number();
    }
    return KEYSLOT_OK;
}

void strings_come_back_as_they_went_in()
{
    keyslot::engine engine;
    CHECK(!engine.get("k"));
    engine.set("k", "v\0w"sv);
    CHECK(engine.get("k") == "v\0w"sv);
    engine.set("", "");
    CHECK(engine.get("") == "");
    engine.set(std::string_view(), std::string_view());
    CHECK(engine.get({}) == "");
    for (std::size_t length : {511u, 512u, 513u, 1u << 20}) {
        const std::string value(length, 'x');
        engine.set("long", value);
        CHECK(engine.get("long") == value);
    }
}

void keys_are_counted_deleted_and_expire()
{
    keyslot::manual_clock clock(1s);
    keyslot::options options;
    options.clock = &clock;
    keyslot::engine engine(options);

    CHECK(engine.incrby("n") == 1);
    CHECK(engine.incrby("n", -43) == -42);
    CHECK(engine.exists("n"));
    CHECK(engine.ttl("n") == keyslot::forever);
    CHECK(!engine.next_expiry());
    CHECK(engine.expire("n", 2s));
    CHECK(engine.ttl("n") == 2s);
    CHECK(engine.next_expiry() && *engine.next_expiry() <= 3s);
    CHECK(!engine.expire("none", 2s));
    CHECK(!engine.ttl("none"));
    engine.set("t", "v", 1min);
    CHECK(engine.ttl("t") == 60s);
    CHECK(engine.del("t"));
    CHECK(!engine.del("t"));
    clock.advance(2001ms);
    CHECK(!engine.exists("n"));
    CHECK(!engine.maintain());
    clock.set(1h);
    engine.set("t", "v", 1s);
    CHECK(engine.next_expiry() && *engine.next_expiry() <= 1h + 1s);
}

void errors_are_thrown()
{
    keyslot::engine engine;
    engine.set("s", "text");
    CHECK(thrown([&] { engine.incrby("s"); }, "ERR value is not an integer or out of range") ==
          KEYSLOT_ERR);
    CHECK(thrown([&] { engine.set("s", "v", 0ms); },
                 "ERR invalid expire time in 'set' command") == KEYSLOT_ERR);
    keyslot::options options;
    options.shards = 3;
    CHECK(thrown([&] { keyslot::engine refused(options); }) == KEYSLOT_INVALID_ARGUMENT);
    CHECK(thrown([&] { engine.session().consume(1); },
                 "len is more than the output holds") == KEYSLOT_INVALID_ARGUMENT);
}

void commands_take_texts_and_integers()
{
    keyslot::engine engine;
    const std::string value("v\0w x"sv);
    CHECK(engine.command("SET", std::string("k"), value, "PX"sv, 5000).text() == "OK");
    CHECK(engine.command("GET", "k").text() == value);
    CHECK(engine.command("INCRBY", "n", -5L).integer() == -5);
    CHECK(engine.command("INCRBY", "n", std::uint8_t{200}).integer() == 195);
    const std::vector<std::string> words{"MSET", "a", "1", "b", ""};
    CHECK(engine.command_range(words).text() == "OK");
    CHECK(engine.command_range({"GET", "b"}).text().empty());
    CHECK(engine.command_range({"SET", std::string_view(), "empty"}).text() == "OK");
    CHECK(engine.get("") == "empty");
    CHECK(engine.command_range(std::vector<std::string>()).number() == KEYSLOT_INVALID_ARGUMENT);

    const auto missing = engine.command("NOSUCH");
    CHECK(missing.is_error() && missing.number() == KEYSLOT_ERR);
    CHECK(thrown([&] { missing.check(); }) == KEYSLOT_ERR);
    CHECK(thrown([&] { engine.command("GET").check(); },
                 "ERR wrong number of arguments for 'get' command") == KEYSLOT_ERR);
    CHECK(engine.command("GET", "a").check().text() == "1");
}

void replies_are_walked_over()
{
    keyslot::engine engine;
    engine.command("MSET", "a", "1", "b", "2");
    auto reply = engine.command("MGET", "a", "none", "b");
    CHECK(reply.type() == KEYSLOT_REPLY_ARRAY && reply.size() == 3);
    std::string seen;
    for (const auto part : reply) {
        seen += part.is_nil() ? "-" : part.text();
    }
    CHECK(seen == "1-2");
    CHECK(reply[2].text() == "2" && reply.at(0).text() == "1");
    bool out_of_range = false;
    try {
        reply.at(3);
    } catch (const std::out_of_range &) {
        out_of_range = true;
    }
    CHECK(out_of_range);

    // A reply keeps its parts where they are when it moves.
    const auto part = reply[0];
    auto moved = std::move(reply);
    CHECK(part.text() == "1" && moved.size() == 3 && !moved.attribute());
    moved = engine.command("KEYS", "nothing");
    CHECK(moved.size() == 0 && moved.begin() == moved.end());
}

void sessions_speak_bytes_and_commands()
{
    std::optional<keyslot::session> session;
    {
        keyslot::engine engine;
        session = engine.session();
        CHECK(keyslot::session(engine).id() != session->id());
    }
    // The session outlives the engine's handle.
    session->feed("PING\r\nPI");
    CHECK(session->output() == "+PONG\r\n");
    session->consume(1);
    session->feed("NG\r\n");
    CHECK(session->take_output() == "PONG\r\n+PONG\r\n");
    CHECK(session->output().empty());
    CHECK(session->command("SELECT", 3).text() == "OK");
    CHECK(session->command_range({"SET", "k", "v"}).text() == "OK");
    session->feed("GET k\r\n");
    CHECK(session->take_output() == "$1\r\nv\r\n");
    session->set_peer("10.0.0.9:5", "10.0.0.1:6379");
    CHECK(session->command("CLIENT", "INFO").text().find("addr=10.0.0.9:5 ") != std::string::npos);
    session->feed("*1\r\n!\r\n");
    CHECK(session->is_closing());
}

void resp3_has_maps()
{
    keyslot::engine engine;
    auto session = engine.session();
    const auto hello = session.command("HELLO", 3);
    CHECK(hello.type() == KEYSLOT_REPLY_MAP && hello.size() == 14);
    CHECK(session.command("GET", "none").is_nil());
}

void settings_are_read_and_changed()
{
    keyslot::options options;
    options.settings = {{"maxmemory", "100mb"}, {"hz", "20"}};
    const keyslot::engine engine(options);
    CHECK(engine.config_get("maxmemory") == "104857600");
    engine.config_set("hz", "30");
    CHECK(engine.config_get("hz") == "30");
    CHECK(!engine.config_get("nosuch"));
    CHECK(engine.figure("maxclients") == 10000);
    CHECK(engine.open_metrics().find("\nkeyslot_connected_clients ") != std::string::npos);
    CHECK(thrown([&] { engine.config_set("nosuch", "1"); }) == KEYSLOT_ERR);
    options.settings = {{"nosuch", "1"}};
    auto counted = std::make_shared<int>(0);
    options.read_clock = [counted] { return keyslot_now{std::uint64_t(++*counted), 0}; };
    CHECK(thrown([&] { keyslot::engine refused(options); }) == KEYSLOT_ERR);
    options = {};
    CHECK(counted.use_count() == 1);
}

void a_function_can_be_the_clock()
{
    auto unix_ms = std::make_shared<std::atomic<std::uint64_t>>(1000);
    {
        keyslot::options options;
        options.read_clock = [unix_ms] { return keyslot_now{*unix_ms, 0}; };
        keyslot::engine engine(options);
        options = {};
        CHECK(unix_ms.use_count() == 2);
        engine.set("k", "v", 1s);
        *unix_ms = 2001;
        CHECK(!engine.exists("k"));
    }
    CHECK(unix_ms.use_count() == 1);
}

void threads_share_an_engine()
{
    const keyslot::engine engine;
    std::vector<std::thread> threads;
    for (int number = 0; number < 4; ++number) {
        threads.emplace_back([&engine] {
            for (int turn = 0; turn < 5000; ++turn) {
                engine.incrby("n");
            }
        });
    }
    for (auto &thread : threads) {
        thread.join();
    }
    CHECK(engine.get("n") == "20000");
}

void pipelines_answer_each_command()
{
    keyslot::engine engine;
    keyslot::session session = engine.session();
    keyslot::pipeline pipeline;
    pipeline.add("SET", "k", 1).add("LPUSH", std::string("k"), "x").add_range({"GET", "k"});
    CHECK(pipeline.size() == 3);
    const keyslot::reply replies = session.run(pipeline);
    CHECK(replies.size() == 3 && replies[0].text() == "OK" && replies[2].text() == "1");
    CHECK(replies[1].number() == KEYSLOT_WRONG_TYPE);
    keyslot::pipeline moved = std::move(pipeline);
    moved.clear();
    CHECK(moved.size() == 0 && session.run(moved).size() == 0);
}

void transactions_are_whole_or_nothing()
{
    keyslot::engine engine;
    keyslot::session session = engine.session();
    keyslot::pipeline pipeline;
    pipeline.add("INCR", "n").add("INCR", "n");
    auto done = session.transact(pipeline);
    CHECK(done && done->size() == 2 && (*done)[1].integer() == 2);
    session.watch("n");
    engine.set("n", "7");
    CHECK(!session.transact(pipeline));
    CHECK(engine.get("n") == "7");
    session.watch("n");
    engine.set("n", "8");
    session.unwatch();
    CHECK(session.transact(pipeline) && engine.get("n") == "10");
    pipeline.add("NONE");
    CHECK(thrown([&] { session.transact(pipeline); }) == KEYSLOT_ERR);
    CHECK(engine.get("n") == "10");
}

void a_transaction_tries_again_until_no_key_changed()
{
    const keyslot::engine engine;
    std::vector<std::thread> threads;
    std::atomic<int> tries{0};
    for (int number = 0; number < 4; ++number) {
        threads.emplace_back([&engine, &tries] {
            keyslot::session session = engine.session();
            for (int turn = 0; turn < 300; ++turn) {
                session.transaction({"n"}, [&](keyslot::session &own, keyslot::pipeline &pipeline) {
                    ++tries;
                    const keyslot::reply value = own.command("GET", "n");
                    const long before = value.is_nil() ? 0 : std::stol(std::string(value.text()));
                    pipeline.add("SET", "n", before + 1);
                });
            }
        });
    }
    for (auto &thread : threads) {
        thread.join();
    }
    CHECK(engine.get("n") == "1200" && tries >= 1200);

    keyslot::session session = engine.session();
    bool is_thrown = false;
    try {
        session.transaction({"n"}, [](keyslot::session &, keyslot::pipeline &pipeline) {
            pipeline.add("SET", "n", 0);
            throw std::runtime_error("no");
        });
    } catch (const std::runtime_error &) {
        is_thrown = true;
    }
    engine.set("n", "changed");
    keyslot::pipeline pipeline;
    pipeline.add("GET", "n");
    CHECK(is_thrown && session.transact(pipeline).has_value());
}

void a_link_says_what_migrate_has_to_say()
{
    const keyslot::engine engine;
    const keyslot::engine target;
    engine.set("k", "v");
    CHECK(engine.link_descriptor() >= 0 && !engine.poll_link());
    keyslot::session session = engine.session();
    session.feed("MIGRATE somewhere 7000 k 0 1000\r\n");
    {
        std::optional<keyslot::link> link = engine.poll_link();
        CHECK(link && std::string_view(link->host()) == "somewhere" && link->port() == 7000);
        CHECK(link->time_left() && *link->time_left() <= 1s && link->descriptor() >= 0);
        keyslot::session other = target.session();
        link->handle_connected();
        while (!link->output().empty()) {
            other.feed(link->output());
            link->consume(link->output().size());
            link->feed(other.take_output());
        }
        session.poll();
        CHECK(session.take_output() == "+OK\r\n");
        CHECK(target.get("k") == "v" && !engine.exists("k"));
        session.feed("SET k w\r\nMIGRATE somewhere 7000 k 0 1000\r\n");
        link->poll();
        CHECK(!link->output().empty() && !link->is_closing());
        link->handle_timeout();
    }
    // A link that had rested may have died long ago, so the command asks for another one.
    CHECK(engine.poll_link() && !engine.poll_link());
    session.poll();
    CHECK(session.take_output().find("-IOERR") != std::string::npos);
    engine.decline_links();
    session.feed("MIGRATE somewhere 7000 k 0 1000\r\n");
    CHECK(session.take_output().find("-IOERR the host opens no connections") == 0);
}

} // namespace

int main()
try {
    TEST(strings_come_back_as_they_went_in);
    TEST(keys_are_counted_deleted_and_expire);
    TEST(errors_are_thrown);
    TEST(commands_take_texts_and_integers);
    TEST(replies_are_walked_over);
    TEST(sessions_speak_bytes_and_commands);
    TEST(resp3_has_maps);
    TEST(settings_are_read_and_changed);
    TEST(a_function_can_be_the_clock);
    TEST(threads_share_an_engine);
    TEST(pipelines_answer_each_command);
    TEST(transactions_are_whole_or_nothing);
    TEST(a_transaction_tries_again_until_no_key_changed);
    TEST(a_link_says_what_migrate_has_to_say);
    return checks_failed != 0;
} catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 2;
}
