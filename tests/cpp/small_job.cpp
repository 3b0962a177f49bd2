// A small job for an embedded keyslot, in C++17: a cache whose entries expire, a rate limiter, and
// a conversation in RESP, byte for byte. tests/c/small_job.c and the Python test do the same.

#include <keyslot.hpp>

#include <chrono>
#include <exception>
#include <iostream>
#include <string>

#include "../c/check.h"

using namespace std::chrono_literals;

namespace {

/// A cache in front of something slow, whose entries live for half a minute.
class profile_cache {
public:
    explicit profile_cache(const keyslot::engine &engine) : engine_(engine) {}

    std::string find(const std::string &user)
    {
        if (auto known = engine_.get(user)) {
            return *known;
        }
        std::string profile = load(user);
        engine_.set(user, profile, 30s);
        return profile;
    }

    int loads() const { return loads_; }

private:
    std::string load(const std::string &user)
    {
        return "profile of " + user + ", version " + std::to_string(++loads_);
    }

    const keyslot::engine &engine_;
    int loads_ = 0;
};

void a_cache_loads_once_until_its_entry_expires(const keyslot::engine &engine,
                                                keyslot::manual_clock &clock)
{
    profile_cache cache(engine);
    cache.find("ada");
    CHECK(cache.find("ada") == "profile of ada, version 1");
    CHECK(cache.loads() == 1);

    clock.advance(20s);
    CHECK(engine.ttl("ada") == 10s);
    cache.find("ada");
    CHECK(cache.loads() == 1);

    clock.advance(10001ms);
    CHECK(cache.find("ada") == "profile of ada, version 2");
    CHECK(cache.loads() == 2);
}

/// Lets a client do five things a minute.
bool is_allowed(const keyslot::engine &engine, const std::string &client)
{
    const std::string key = "rate:" + client;
    const auto count = engine.incrby(key);
    if (count == 1) {
        engine.expire(key, 1min);
    }
    return count <= 5;
}

void a_rate_limiter_counts_by_the_minute(const keyslot::engine &engine,
                                         keyslot::manual_clock &clock)
{
    for (int number = 0; number < 5; ++number) {
        CHECK(is_allowed(engine, "10.0.0.1"));
    }
    CHECK(!is_allowed(engine, "10.0.0.1"));
    CHECK(is_allowed(engine, "10.0.0.2"));

    clock.advance(60001ms);
    CHECK(is_allowed(engine, "10.0.0.1"));
}

/// What a server does for each of its connections. The pieces are what arrived on the socket;
/// `sent` is what goes back.
void a_conversation_by_bytes(const keyslot::engine &engine)
{
    auto session = engine.session();
    std::string sent;
    for (const char *piece : {"*3\r\n$3\r\nSET\r\n$5\r\ngreet", "\r\n$5\r\nhello\r\n",
                              "GET greet\r\nNOSUCH\r\n", "TTL greet\r\n"}) {
        session.feed(piece);
        sent += session.take_output();
    }
    CHECK(sent == "+OK\r\n$5\r\nhello\r\n"
                  "-ERR unknown command 'NOSUCH', with args beginning with: \r\n"
                  ":-1\r\n");
    CHECK(!session.is_closing());
}

} // namespace

int main()
try {
    keyslot::manual_clock clock(1700000000000ms);
    keyslot::options options;
    options.clock = &clock;
    const keyslot::engine engine(options);

    TEST_WITH(a_cache_loads_once_until_its_entry_expires, engine, clock);
    TEST_WITH(a_rate_limiter_counts_by_the_minute, engine, clock);
    TEST_WITH(a_conversation_by_bytes, engine);
    return checks_failed != 0;
} catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 2;
}
