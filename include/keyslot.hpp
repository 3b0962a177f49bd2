// keyslot.hpp - an embeddable Redis-compatible engine: C++17 classes over keyslot.h.
//
// Everything here owns what it holds, moves, and cannot be copied. What keyslot.h answers with a
// number is thrown here as a keyslot::error. An error reply to a command is a reply, as it may be
// one part of many; reply::check throws it. What keyslot.h says about threads holds here as well.

#ifndef KEYSLOT_HPP
#define KEYSLOT_HPP

#include <keyslot.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace keyslot {

/// A call that failed: its number, and its whole line as what().
class error : public std::runtime_error {
public:
    error(keyslot_status number, const std::string &line)
        : std::runtime_error(line), number_(number)
    {
    }

    keyslot_status number() const noexcept { return number_; }

private:
    keyslot_status number_;
};

/// The time to live of a key that does not expire.
inline constexpr std::chrono::milliseconds forever = std::chrono::milliseconds::max();

namespace detail {

/// Calls a function of keyslot.h with room for an error, and throws that.
template <typename Function, typename... Arguments>
void call(Function function, Arguments... arguments)
{
    keyslot_error failure;
    if (function(arguments..., &failure) != KEYSLOT_OK) {
        throw error(failure.number, std::string(failure.text, failure.len));
    }
}

template <auto Free>
struct deleter {
    template <typename Handle>
    void operator()(Handle *handle) const noexcept
    {
        Free(handle);
    }
};

/// The text of one word of a command.
template <typename Word>
std::string text_of(const Word &word)
{
    if constexpr (std::is_convertible_v<const Word &, std::string_view>) {
        return std::string(std::string_view(word));
    } else {
        static_assert(std::is_integral_v<Word> && !std::is_same_v<Word, bool>,
                      "a word is a text or an integer");
        return std::to_string(word);
    }
}

} // namespace detail

/// One reply or part of a reply, which somebody else owns.
class reply_view {
public:
    explicit reply_view(const keyslot_reply *reply) noexcept : reply_(reply) {}

    keyslot_reply_type type() const noexcept { return reply_->type; }
    bool is_nil() const noexcept { return type() == KEYSLOT_REPLY_NIL; }
    bool is_error() const noexcept { return type() == KEYSLOT_REPLY_ERROR; }

    /// Of an error its number, else KEYSLOT_OK.
    keyslot_status number() const noexcept { return reply_->number; }
    /// The text of a string, status, error, double, big number or verbatim string; else empty.
    std::string_view text() const noexcept
    {
        return reply_->str ? std::string_view(reply_->str, reply_->len) : std::string_view();
    }
    /// The value of an integer or a boolean; else 0.
    std::int64_t integer() const noexcept { return reply_->integer; }
    /// The value of a double; else 0.
    double number_double() const noexcept { return reply_->dval; }
    /// The format of a verbatim string, such as "txt".
    std::string_view format() const noexcept { return reply_->vtype; }
    /// The attribute that came before this reply, if there is one.
    std::optional<reply_view> attribute() const noexcept
    {
        return reply_->attribute ? std::optional(reply_view(reply_->attribute)) : std::nullopt;
    }

    /// How many parts there are. A map has two for each pair.
    std::size_t size() const noexcept { return reply_->elements; }
    /// A part, from 0 to size() - 1.
    reply_view operator[](std::size_t place) const noexcept
    {
        return reply_view(reply_->element[place]);
    }
    /// A part; throws std::out_of_range if there is none.
    reply_view at(std::size_t place) const
    {
        if (place >= size()) {
            throw std::out_of_range("the reply has no such part");
        }
        return (*this)[place];
    }

    /// Throws the error that this reply is, if it is one. Returns itself.
    const reply_view &check() const
    {
        if (is_error()) {
            throw error(number(), std::string(text()));
        }
        return *this;
    }

    /// The C struct, for what is not covered here.
    const keyslot_reply *get() const noexcept { return reply_; }

    /// Walks over the parts.
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = reply_view;
        using difference_type = std::ptrdiff_t;
        using pointer = const reply_view *;
        using reference = reply_view;

        explicit iterator(const keyslot_reply *const *at) noexcept : at_(at) {}
        reply_view operator*() const noexcept { return reply_view(*at_); }
        iterator &operator++() noexcept
        {
            ++at_;
            return *this;
        }
        iterator operator++(int) noexcept { return iterator(at_++); }
        bool operator==(const iterator &other) const noexcept { return at_ == other.at_; }
        bool operator!=(const iterator &other) const noexcept { return at_ != other.at_; }

    private:
        const keyslot_reply *const *at_;
    };

    iterator begin() const noexcept { return iterator(reply_->element); }
    iterator end() const noexcept
    {
        return iterator(size() ? reply_->element + size() : reply_->element);
    }

protected:
    const keyslot_reply *reply_;
};

/// A reply with all of its parts. Views of it are good as long as it lives.
class reply : public reply_view {
public:
    /// Takes over what a command of keyslot.h returned.
    explicit reply(keyslot_reply *owned) noexcept : reply_view(owned), owned_(owned) {}

    reply(reply &&other) noexcept = default;
    reply &operator=(reply &&other) noexcept = default;

    /// Throws the error that this reply is, if it is one. Returns itself.
    const reply &check() const &
    {
        reply_view::check();
        return *this;
    }
    reply check() &&
    {
        reply_view::check();
        return std::move(*this);
    }

private:
    std::unique_ptr<keyslot_reply, detail::deleter<keyslot_reply_free>> owned_;
};

/// A clock that stands still until it is moved.
class manual_clock {
public:
    explicit manual_clock(std::chrono::milliseconds since_epoch = {})
        : clock_(keyslot_clock_new(static_cast<std::uint64_t>(since_epoch.count())))
    {
    }

    /// Moves both scales forward.
    void advance(std::chrono::milliseconds by)
    {
        detail::call(keyslot_clock_advance_ms, clock_.get(),
                     static_cast<std::uint64_t>(by.count()));
    }
    /// Sets the wall clock, backwards too.
    void set(std::chrono::milliseconds since_epoch)
    {
        detail::call(keyslot_clock_set_unix_ms, clock_.get(),
                     static_cast<std::uint64_t>(since_epoch.count()));
    }

    const keyslot_clock *get() const noexcept { return clock_.get(); }

private:
    std::unique_ptr<keyslot_clock, detail::deleter<keyslot_clock_free>> clock_;
};

/// How an engine is made. Zero stands for the default.
struct options {
    std::size_t shards = 0;
    std::size_t databases = 0;
    std::uint64_t seed = 0;
    /// A clock moved by hand, which need not outlive the engine.
    const manual_clock *clock = nullptr;
    /// A clock of the host's, called from every thread that calls the engine. It must not throw.
    std::function<keyslot_now()> read_clock = nullptr;
    /// Settings by their CONFIG names, applied in order.
    std::vector<std::pair<std::string, std::string>> settings = {};
};

namespace detail {

using clock_function = std::function<keyslot_now()>;

inline keyslot_now read_clock(void *data) noexcept
{
    return (*static_cast<clock_function *>(data))();
}

inline void free_clock(void *data) noexcept
{
    delete static_cast<clock_function *>(data);
}

/// Calls `give` with a command given as any mix of texts and integers: how many words, where they
/// are and how long.
template <typename Give, typename... Words>
auto with_words(Give give, const Words &...words)
{
    const std::array<std::string, sizeof...(Words)> texts{text_of(words)...};
    std::array<const char *, sizeof...(Words)> starts{};
    std::array<std::size_t, sizeof...(Words)> lengths{};
    for (std::size_t place = 0; place < texts.size(); ++place) {
        starts[place] = texts[place].data();
        lengths[place] = texts[place].size();
    }
    return give(texts.size(), starts.data(), lengths.data());
}

/// The same with a command given as a range of texts.
template <typename Give, typename Range>
auto with_range(Give give, const Range &words)
{
    std::vector<const char *> starts;
    std::vector<std::size_t> lengths;
    for (std::string_view word : words) {
        // A view without bytes may be null, which is no word to C.
        starts.push_back(word.empty() ? "" : word.data());
        lengths.push_back(word.size());
    }
    return give(starts.size(), starts.data(), lengths.data());
}

/// What carries out a command of `handle` by a function of keyslot.h.
template <typename Handle>
auto caller(keyslot_reply *(*call)(const Handle *, std::size_t, const char *const *,
                                   const std::size_t *),
            const Handle *handle)
{
    return [=](std::size_t count, const char *const *starts, const std::size_t *lengths) {
        return reply(call(handle, count, starts, lengths));
    };
}

} // namespace detail

/// Commands that wait to be carried out together, by session::run or session::transact.
class pipeline {
public:
    pipeline() : pipeline_(keyslot_pipeline_new()) {}

    /// Adds a command; its words are texts and integers. Returns itself.
    template <typename... Words>
    pipeline &add(const Words &...words)
    {
        static_assert(sizeof...(Words) > 0, "a command has a name");
        detail::with_words(adder(), words...);
        return *this;
    }
    /// Adds a command whose words stand in a container. Returns itself.
    template <typename Range = std::initializer_list<std::string_view>>
    pipeline &add_range(const Range &words)
    {
        detail::with_range(adder(), words);
        return *this;
    }

    /// How many commands wait.
    std::size_t size() const noexcept { return keyslot_pipeline_len(get()); }
    /// Forgets all commands.
    void clear() { detail::call(keyslot_pipeline_clear, get()); }

    const keyslot_pipeline *get() const noexcept { return pipeline_.get(); }

private:
    auto adder()
    {
        return [this](std::size_t count, const char *const *starts, const std::size_t *lengths) {
            detail::call(keyslot_pipeline_add_argv, get(), count, starts, lengths);
        };
    }

    std::unique_ptr<keyslot_pipeline, detail::deleter<keyslot_pipeline_free>> pipeline_;
};

/// A connection to another node that a command such as MIGRATE asked for. keyslot_link says how a host
/// carries it; the command that waits hears of it when it is destroyed.
class link {
public:
    /// Takes over what keyslot_engine_poll_link gave.
    explicit link(keyslot_link *owned) noexcept : link_(owned) {}

    /// The host to connect to, a name or an address.
    const char *host() const noexcept { return keyslot_link_host(get()); }
    /// The port to connect to.
    std::uint16_t port() const noexcept { return keyslot_link_port(get()); }
    /// A descriptor that is readable when a command has something for a link that rests.
    int descriptor() const
    {
        int found = -1;
        detail::call(keyslot_link_descriptor, get(), &found);
        return found;
    }
    /// Takes note that the connection is there.
    void handle_connected() { detail::call(keyslot_link_handle_connected, get()); }
    /// What is to be sent. Good until the next call.
    std::string_view output() const
    {
        const char *data = nullptr;
        std::size_t len = 0;
        detail::call(keyslot_link_output, get(), &data, &len);
        return len ? std::string_view(data, len) : std::string_view();
    }
    /// Forgets the first bytes of the output, which have been sent.
    void consume(std::size_t len) { detail::call(keyslot_link_consume, get(), len); }
    /// Takes bytes that arrived.
    void feed(std::string_view input)
    {
        detail::call(keyslot_link_feed, get(), static_cast<const void *>(input.data()),
                     input.size());
    }
    /// Takes up what a command has left for a link that rests.
    void poll() { detail::call(keyslot_link_poll, get()); }
    /// For how long a host may sleep before it calls handle_timeout; nothing for as long as it likes.
    std::optional<std::chrono::microseconds> time_left() const noexcept
    {
        const std::int64_t left_us = keyslot_link_time_left_us(get());
        return left_us < 0 ? std::nullopt : std::optional(std::chrono::microseconds(left_us));
    }
    /// Gives the other side up if it was silent for too long, or ends the link's rest.
    void handle_timeout() { detail::call(keyslot_link_handle_timeout, get()); }
    /// Whether the host shall end the connection.
    bool is_closing() const noexcept { return keyslot_link_is_closing(get()); }

    const keyslot_link *get() const noexcept { return link_.get(); }

private:
    std::unique_ptr<keyslot_link, detail::deleter<keyslot_link_free>> link_;
};

class session;

/// An engine. Any number of threads may call it at once.
class engine {
public:
    explicit engine(const options &chosen = {})
    {
        keyslot_options raw{};
        raw.size = sizeof raw;
        raw.shards = chosen.shards;
        raw.databases = chosen.databases;
        raw.seed = chosen.seed;
        raw.manual_clock = chosen.clock ? chosen.clock->get() : nullptr;
        std::vector<const char *> settings;
        for (const auto &[name, value] : chosen.settings) {
            settings.push_back(name.c_str());
            settings.push_back(value.c_str());
        }
        raw.settings = settings.data();
        raw.settings_count = chosen.settings.size();
        std::unique_ptr<detail::clock_function> clock;
        if (chosen.read_clock) {
            clock = std::make_unique<detail::clock_function>(chosen.read_clock);
            raw.clock = detail::read_clock;
            raw.clock_data = clock.get();
            raw.clock_free = detail::free_clock;
        }
        keyslot_engine *opened = nullptr;
        detail::call(keyslot_engine_new, &raw, &opened);
        // The engine frees it from here on.
        static_cast<void>(clock.release());
        engine_.reset(opened);
    }

    /// A copy of the string at a key, or none.
    std::optional<std::string> get(std::string_view key) const
    {
        std::array<char, 512> room;
        std::int64_t len = 0;
        detail::call(keyslot_get_into, engine_.get(), data(key), key.size(),
                     static_cast<void *>(room.data()), room.size(), &len);
        if (len < 0) {
            return std::nullopt;
        }
        if (static_cast<std::size_t>(len) <= room.size()) {
            return std::string(room.data(), static_cast<std::size_t>(len));
        }
        return get_long(key);
    }

    /// Stores a string that does not expire.
    void set(std::string_view key, std::string_view value) const
    {
        detail::call(keyslot_set, engine_.get(), data(key), key.size(), data(value),
                     value.size());
    }
    /// Stores a string that expires.
    void set(std::string_view key, std::string_view value, std::chrono::milliseconds ttl) const
    {
        detail::call(keyslot_set_ttl_ms, engine_.get(), data(key), key.size(), data(value),
                     value.size(), std::int64_t{ttl.count()});
    }
    /// Deletes a key; returns whether there was one.
    bool del(std::string_view key) const
    {
        bool removed = false;
        detail::call(keyslot_del, engine_.get(), data(key), key.size(), &removed);
        return removed;
    }
    /// Whether there is such a key.
    bool exists(std::string_view key) const
    {
        bool found = false;
        detail::call(keyslot_exists, engine_.get(), data(key), key.size(), &found);
        return found;
    }
    /// Adds to the integer at a key, and returns the sum.
    std::int64_t incrby(std::string_view key, std::int64_t by = 1) const
    {
        std::int64_t sum = 0;
        detail::call(keyslot_incrby, engine_.get(), data(key), key.size(), by, &sum);
        return sum;
    }
    /// Lets a key expire; returns whether there was one.
    bool expire(std::string_view key, std::chrono::milliseconds ttl) const
    {
        bool found = false;
        detail::call(keyslot_expire_ms, engine_.get(), data(key), key.size(),
                     std::int64_t{ttl.count()}, &found);
        return found;
    }
    /// How long a key has to live: `forever` if it does not expire, none if there is no such key.
    std::optional<std::chrono::milliseconds> ttl(std::string_view key) const
    {
        std::int64_t left = 0;
        detail::call(keyslot_ttl_ms, engine_.get(), data(key), key.size(), &left);
        if (left == -2) {
            return std::nullopt;
        }
        return left == -1 ? forever : std::chrono::milliseconds(left);
    }

    /// Carries out a command on database 0; its words are texts and integers.
    template <typename... Words>
    reply command(const Words &...words) const
    {
        static_assert(sizeof...(Words) > 0, "a command has a name");
        return detail::with_words(detail::caller(keyslot_engine_command_argv, get()), words...);
    }
    /// Carries out a command on database 0, whose words stand in a container.
    template <typename Range = std::initializer_list<std::string_view>>
    reply command_range(const Range &words) const
    {
        return detail::with_range(detail::caller(keyslot_engine_command_argv, get()), words);
    }

    /// The value of a setting by its CONFIG name; none if there is no such setting.
    std::optional<std::string> config_get(const std::string &name) const
    {
        keyslot_bytes value;
        detail::call(keyslot_engine_config_get, get(), name.c_str(), &value);
        return copy_and_free(&value);
    }
    /// Changes a setting by its CONFIG name.
    void config_set(const std::string &name, const std::string &value) const
    {
        detail::call(keyslot_engine_config_set, get(), name.c_str(), value.c_str());
    }

    /// A figure of the engine by its name, such as `keyspace_hits`.
    double figure(const std::string &name) const
    {
        double value = 0;
        detail::call(keyslot_engine_figure, get(), name.c_str(), &value);
        return value;
    }

    /// All figures as a monitoring system reads them, in the format of OpenMetrics 1.0.
    std::string open_metrics() const
    {
        keyslot_bytes text;
        detail::call(keyslot_engine_open_metrics, get(), &text);
        return copy_and_free(&text).value_or(std::string());
    }

    /// A descriptor that is readable while commands wait for a link. By asking for it a host promises
    /// to open links.
    int link_descriptor() const
    {
        int found = -1;
        detail::call(keyslot_engine_link_descriptor, get(), &found);
        return found;
    }
    /// The next link that is to be opened, if there is one.
    std::optional<link> poll_link() const
    {
        keyslot_link *wanted = nullptr;
        detail::call(keyslot_engine_poll_link, get(), &wanted);
        return wanted ? std::optional<link>(std::in_place, wanted) : std::nullopt;
    }
    /// Takes the promise to open links back.
    void decline_links() const { detail::call(keyslot_engine_decline_links, get()); }

    /// Opens a session, which may outlive this object.
    inline keyslot::session session() const;

    /// Does work that is due, up to a budget of keys; returns whether there is more.
    bool maintain(std::size_t budget = 1000) const
    {
        bool more = false;
        detail::call(keyslot_engine_maintain, get(), budget, &more);
        return more;
    }
    /// When the next key expires, since the Unix epoch, or an earlier time; none if nothing does.
    std::optional<std::chrono::milliseconds> next_expiry() const
    {
        std::int64_t unix_ms = 0;
        detail::call(keyslot_engine_next_expiry_ms, get(), &unix_ms);
        return unix_ms < 0 ? std::nullopt : std::optional(std::chrono::milliseconds(unix_ms));
    }

    const keyslot_engine *get() const noexcept { return engine_.get(); }

private:
    static const void *data(std::string_view text) noexcept { return text.data(); }

    /// A value that is longer than what `get` has room for.
    std::optional<std::string> get_long(std::string_view key) const
    {
        keyslot_bytes value;
        detail::call(keyslot_get, get(), data(key), key.size(), &value);
        return copy_and_free(&value);
    }

    static std::optional<std::string> copy_and_free(keyslot_bytes *value)
    {
        std::unique_ptr<keyslot_bytes, detail::deleter<keyslot_bytes_free>> owned(value);
        return value->data ? std::optional(std::string(value->data, value->len)) : std::nullopt;
    }

    std::unique_ptr<keyslot_engine, detail::deleter<keyslot_engine_free>> engine_;
};

/// One conversation with an engine. One thread at a time may call it.
class session {
public:
    explicit session(const engine &of)
    {
        keyslot_session *opened = nullptr;
        detail::call(keyslot_session_new, of.get(), &opened);
        session_.reset(opened);
    }

    /// Takes bytes that arrived and carries out the requests that they complete.
    void feed(std::string_view input)
    {
        detail::call(keyslot_session_feed, get(), static_cast<const void *>(input.data()),
                     input.size());
    }
    /// What is to be sent. Good until the next call that feeds or consumes.
    std::string_view output() const
    {
        const char *data = nullptr;
        std::size_t len = 0;
        detail::call(keyslot_session_output, get(), &data, &len);
        return len ? std::string_view(data, len) : std::string_view();
    }
    /// Forgets the first bytes of the output, which have been sent.
    void consume(std::size_t len) { detail::call(keyslot_session_consume, get(), len); }
    /// Takes all of the output.
    std::string take_output()
    {
        std::string taken(output());
        consume(taken.size());
        return taken;
    }
    /// Adds to the output what others have for the session.
    void poll() { detail::call(keyslot_session_poll, get()); }
    /// A descriptor that is readable while others have something for the session.
    int descriptor() const
    {
        int found = -1;
        detail::call(keyslot_session_descriptor, get(), &found);
        return found;
    }
    /// For how long a host may sleep before it calls handle_timeout; nothing for as long as it likes.
    std::optional<std::chrono::microseconds> time_left() const noexcept
    {
        const std::int64_t left_us = keyslot_session_time_left_us(get());
        return left_us < 0 ? std::nullopt : std::optional(std::chrono::microseconds(left_us));
    }
    /// Ends the session's wait if it has waited long enough.
    void handle_timeout() { detail::call(keyslot_session_handle_timeout, get()); }
    /// Whether the conversation shall end once the output is sent.
    bool is_closing() const noexcept { return keyslot_session_is_closing(get()); }
    /// The number of the session, unique within its engine.
    std::uint64_t id() const noexcept { return keyslot_session_id(get()); }

    /// Says where the client is and where it came to, for CLIENT LIST to show.
    void set_peer(const std::string &peer, const std::string &local)
    {
        detail::call(keyslot_session_set_peer, get(), peer.c_str(), local.c_str());
    }

    /// Carries out a command in this session; its words are texts and integers.
    template <typename... Words>
    reply command(const Words &...words)
    {
        static_assert(sizeof...(Words) > 0, "a command has a name");
        return detail::with_words(detail::caller(keyslot_session_command_argv, get()), words...);
    }
    /// Carries out a command in this session, whose words stand in a container.
    template <typename Range = std::initializer_list<std::string_view>>
    reply command_range(const Range &words)
    {
        return detail::with_range(detail::caller(keyslot_session_command_argv, get()), words);
    }

    /// Carries out the commands of a pipeline in order; returns an array of their replies, some of
    /// which may be errors.
    reply run(const pipeline &commands)
    {
        return reply(keyslot_session_run_pipeline(get(), commands.get()));
    }
    /// Carries out the commands of a pipeline as a transaction, which nobody sees a part of. Returns
    /// an array of their replies, or none if a watched key has changed. Throws the error of a command
    /// that was refused when it was queued. In these two cases nothing was done.
    std::optional<reply> transact(const pipeline &commands)
    {
        reply done(keyslot_session_run_transaction(get(), commands.get(), nullptr));
        done.check();
        return done.is_nil() ? std::nullopt : std::optional(std::move(done));
    }
    /// Watches a key until the next transaction, which is not carried out if it changes.
    void watch(std::string_view key)
    {
        detail::call(keyslot_session_watch, get(), static_cast<const void *>(key.data()),
                     key.size());
    }
    /// Watches no key any longer.
    void unwatch() { detail::call(keyslot_session_unwatch, get()); }

    /// Watches keys, lets `fill` read by this session and add commands to a pipeline, and carries
    /// these out; all of it again for as long as a key changes meanwhile. Returns the replies. What
    /// `fill` throws ends it, with no key watched.
    template <typename Fill>
    reply transaction(std::initializer_list<std::string_view> keys, Fill &&fill)
    {
        pipeline commands;
        for (;;) {
            const watching guard(*this, keys);
            commands.clear();
            fill(*this, commands);
            if (auto done = transact(commands)) {
                return std::move(*done);
            }
        }
    }

    const keyslot_session *get() const noexcept { return session_.get(); }

private:
    /// Watches keys as long as it lives.
    class watching {
    public:
        watching(session &of, std::initializer_list<std::string_view> keys) : session_(of)
        {
            try {
                for (std::string_view key : keys) {
                    session_.watch(key);
                }
            } catch (...) {
                keyslot_session_unwatch(session_.get(), nullptr);
                throw;
            }
        }
        watching(const watching &) = delete;
        watching &operator=(const watching &) = delete;
        ~watching() { keyslot_session_unwatch(session_.get(), nullptr); }

    private:
        session &session_;
    };

    std::unique_ptr<keyslot_session, detail::deleter<keyslot_session_free>> session_;
};

inline session engine::session() const
{
    return keyslot::session(*this);
}

} // namespace keyslot

#endif // KEYSLOT_HPP
