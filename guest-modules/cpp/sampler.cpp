// A source: publishes a numbered message on a timer.
//
// `args`: `interval.ms`, the time between two messages; `text`, their content; `count`, after how many to stop (never,
// where it is missing). Property `n` of a message is its number, from 1.

#include "sandgate.hpp"

static constexpr char EXAMPLE[] = R"({"interval.ms": 100, "text": "tick", "count": 10})";

class Sampler : public sandgate::Module {
    std::uint64_t interval_ = 0;
    std::string text_;
    std::optional<std::uint64_t> count_;
    std::uint64_t published_ = 0;

    sandgate::Result create(const std::string& configuration) override {
        const auto read = sandgate::configuration(
            configuration, EXAMPLE, {{"interval.ms", interval_}, {"text", text_}, {"count", count_}});
        if (!read) return read;
        if (interval_ == 0) {
            return sandgate::failed("args.interval.ms: found 0, wanted 1 or more milliseconds; write for example ",
                                    EXAMPLE);
        }
        return {};
    }

    void start() override {
        if (count_ == 0) return;
        const auto timer = sandgate::every(interval_);
        if (!timer) sandgate::log(SANDGATE_ERROR, timer.error());
    }

    sandgate::Result receive(sandgate::Message&, const sandgate::Delivery&) override {
        return sandgate::failed("a sampler is a source and takes no messages: remove the link that leads to it");
    }

    void on_timer(sandgate::Timer timer) override {
        sandgate::Message message;
        message.set_property("n", std::to_string(++published_));
        message.set_content(text_);
        const auto published = message.publish();
        if (!published) sandgate::log(SANDGATE_WARN, published.error());
        if (count_ == published_) sandgate::cancel(timer);
    }
};

SANDGATE_MODULE_WITH_TIMERS(Sampler);
