// What a Sandgate module in C++ is written with: a class that derives from `sandgate::Module`, and one macro.
//
// It stands on the SDK for C, whose files are compiled with it. There are no exceptions: what can fail gives a reason, a
// text that says why. Texts are UTF-8.

#ifndef SANDGATE_HPP
#define SANDGATE_HPP

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <expected>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sandgate.h"
#include "sandgate_json.h"

namespace sandgate {

// Why something failed.
using Reason = std::string;

// Nothing, or why not: `return {};` and `return sandgate::failed("…")`.
using Result = std::expected<void, Reason>;

// A number as JSON, with as few digits as it can be read back from.
inline std::string number(double value) {
    char text[SANDGATE_NUMBER_SIZE];
    return sandgate_json_number(text, value);
}

namespace detail {

inline std::string_view piece(std::string_view text) { return text; }
inline std::string piece(std::integral auto number) { return std::to_string(number); }
inline std::string piece(double value) { return number(value); }

}  // namespace detail

// Texts and numbers, one after the other. A small part of what std::format does, in a small part of its size.
template <typename... Pieces>
std::string text(const Pieces&... pieces) {
    std::string all;
    (all.append(detail::piece(pieces)), ...);
    return all;
}

// A failure, with a reason of such pieces.
template <typename... Pieces>
std::unexpected<Reason> failed(const Pieces&... pieces) {
    return std::unexpected(text(pieces...));
}

namespace detail {

inline Result result(const char* reason) {
    if (reason == nullptr) return {};
    return std::unexpected(Reason(reason));
}

}  // namespace detail

// Properties and content. Moved, not copied.
class Message {
public:
    // One without properties and content.
    Message() : own_(sandgate_message_new(), sandgate_message_free), message_(own_.get()) {}

    // The value of a property, valid until the message is changed.
    std::optional<std::string_view> property(const std::string& key) const {
        const char* const value = sandgate_property(message_, key.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string_view>(value);
    }

    // Replaces a property, or adds it at the end.
    void set_property(const std::string& key, const std::string& value) {
        sandgate_set_property(message_, key.c_str(), value.c_str());
    }

    // Each property, by its number from 0 up to how many there are.
    std::size_t properties() const { return sandgate_properties(message_); }
    std::pair<std::string_view, std::string_view> property(std::size_t number) const {
        return {sandgate_key(message_, number), sandgate_value(message_, number)};
    }

    // Any bytes, valid until they are changed.
    std::string_view content() const {
        std::size_t size;
        const char* const bytes = sandgate_content(message_, &size);
        return {bytes, size};
    }
    void set_content(std::string_view content) { sandgate_set_content(message_, content.data(), content.size()); }

    // Publishes it under this module's name. Waits while the queue to the gateway is full.
    Result publish() const { return detail::result(sandgate_publish(message_)); }

    // One that belongs to the host: for what calls a module.
    explicit Message(sandgate_message* borrowed) : own_(nullptr, sandgate_message_free), message_(borrowed) {}

private:
    std::unique_ptr<sandgate_message, void (*)(sandgate_message*)> own_;
    sandgate_message* message_;
};

// How a message came to be delivered.
struct Delivery {
    std::optional<std::string_view> source;  // the module that published it, where the channel tells
    std::uint32_t attempt;                   // 1 for the first delivery
};

using Timer = sandgate_timer;

// Calls `on_timer` every so many milliseconds, or once after so many.
inline std::expected<Timer, Reason> every(std::uint64_t milliseconds) {
    Timer timer;
    const char* const reason = sandgate_every(milliseconds, &timer);
    if (reason != nullptr) return std::unexpected(Reason(reason));
    return timer;
}
inline std::expected<Timer, Reason> after(std::uint64_t milliseconds) {
    Timer timer;
    const char* const reason = sandgate_after(milliseconds, &timer);
    if (reason != nullptr) return std::unexpected(Reason(reason));
    return timer;
}

// Ends a timer. One that is unknown or over is ignored.
inline void cancel(Timer timer) { sandgate_cancel(timer); }

// A line of such pieces in the host's log.
template <typename... Pieces>
void log(sandgate_level level, const Pieces&... pieces) {
    sandgate_log(level, "%s", text(pieces...).c_str());
}

// A JSON value that owns its text; `sandgate_json.h` says what there is to see of it.
using Json = std::unique_ptr<sandgate_json, void (*)(sandgate_json*)>;
inline std::expected<Json, Reason> read_json(std::string_view text) {
    const char* reason;
    sandgate_json* const json = sandgate_json_read(text.data(), text.size(), &reason);
    if (json == nullptr) return std::unexpected(Reason(reason));
    return Json(json, sandgate_json_free);
}

// A value as it was written.
inline std::string_view written(const sandgate_json& json) { return {json.source, json.source_size}; }

// One key of a configuration, and the variable that it goes to. A std::optional may be missing.
class Field {
public:
    Field(const char* key, std::string& variable) : field_{key, SANDGATE_TEXT, &text_, false}, put_(&variable) {}
    Field(const char* key, double& variable) : field_{key, SANDGATE_NUMBER, &variable, false} {}
    Field(const char* key, std::uint64_t& variable) : field_{key, SANDGATE_COUNT, &variable, false} {}
    Field(const char* key, bool& variable) : field_{key, SANDGATE_FLAG, &variable, false} {}
    Field(const char* key, std::optional<std::uint64_t>& variable)
        : field_{key, SANDGATE_COUNT, &count_, true}, count_(MISSING), put_count_(&variable) {}

    const sandgate_field& raw() const { return field_; }
    void finish() const {
        if (put_ != nullptr) put_->assign(text_.bytes, text_.size);
        if (put_count_ != nullptr && count_ != MISSING) *put_count_ = count_;
        std::free(text_.bytes);
    }
    Field(const Field&) = delete;

private:
    static constexpr std::uint64_t MISSING = UINT64_MAX;

    sandgate_field field_;
    sandgate_text text_{};
    std::uint64_t count_ = 0;
    std::string* put_ = nullptr;
    std::optional<std::uint64_t>* put_count_ = nullptr;
};

// Reads `args`, an object with these keys and no others. The reason names the key, and shows the example.
inline Result configuration(const std::string& text, const char* example, std::initializer_list<Field> fields) {
    const auto raw = std::make_unique<sandgate_field[]>(fields.size());
    std::size_t count = 0;
    for (const Field& field : fields) raw[count++] = field.raw();
    Result result = detail::result(sandgate_configuration(text.c_str(), example, raw.get(), count));
    if (result) {
        for (const Field& field : fields) field.finish();
    }
    return result;
}

// A module. Its destructor is the last call.
class Module {
public:
    virtual ~Module() = default;

    // Makes the module ready from its `args`, as JSON text. A reason should name the key and the mend.
    virtual Result create(const std::string& configuration) = 0;

    // All modules are created and linked: from here on messages can be published.
    virtual void start() {}

    // Takes one message. A reason is logged and counted, and the module lives on.
    virtual Result receive(Message& message, const Delivery& delivery) = 0;

    // A timer's time has come. For a module that SANDGATE_MODULE_WITH_TIMERS exports.
    virtual void on_timer(Timer) {}
};

namespace detail {

// The one module of a component.
inline std::unique_ptr<Module> module;

inline const char* reason(const Result& result) {
    return result ? nullptr : sandgate_reason("%s", result.error().c_str());
}

}  // namespace detail

}  // namespace sandgate

// Makes a component of the program with this class; once.
#define SANDGATE_MODULE(Class)                                                                              \
    extern "C" const char* module_create(const char* configuration) {                                       \
        sandgate::detail::module = std::make_unique<Class>();                                               \
        return sandgate::detail::reason(sandgate::detail::module->create(configuration));                   \
    }                                                                                                       \
    extern "C" void module_start() { sandgate::detail::module->start(); }                                   \
    extern "C" const char* module_receive(sandgate_message* message, const sandgate_delivery* delivery) {   \
        sandgate::Message own(message);                                                                     \
        const auto source = delivery->source == nullptr ? std::nullopt                                      \
                                                        : std::optional<std::string_view>(delivery->source); \
        return sandgate::detail::reason(sandgate::detail::module->receive(own, {source, delivery->attempt})); \
    }                                                                                                       \
    extern "C" void module_destroy() { sandgate::detail::module.reset(); }                                  \
    static_assert(true)

// The same for a class with `on_timer`.
#define SANDGATE_MODULE_WITH_TIMERS(Class)                                                              \
    extern "C" void module_on_timer(sandgate_timer timer) { sandgate::detail::module->on_timer(timer); } \
    SANDGATE_MODULE(Class)

#endif
