// Moving average of a number in JSON messages, with an alert above a threshold.
//
// `args`: `pointer`, the JSON pointer of the number in a message's content; `window`, over how many messages to average;
// `above`, the threshold. What is published has the incoming message's properties, `average` and `alert` (`true` or
// `false`), and as content {"value": …, "average": …, "above": …}.

#include <cmath>
#include <deque>
#include <numeric>

#include "sandgate.hpp"

static constexpr char EXAMPLE[] = R"({"pointer": "/cpu/usage", "window": 5, "above": 0.8})";
// Keeps a mistyped window from filling the sandbox's memory.
static constexpr std::uint64_t LARGEST_WINDOW = 100'000;

// Four digits after the point: more would only be noise to whoever reads it.
static double rounded(double number) {
    const double scaled = std::round(number * 10'000);
    return std::isfinite(scaled) ? scaled / 10'000 : number;
}

class Threshold : public sandgate::Module {
    std::string pointer_;
    std::uint64_t window_ = 0;
    double above_ = 0;
    std::deque<double> numbers_;

    sandgate::Result create(const std::string& configuration) override {
        const auto read = sandgate::configuration(
            configuration, EXAMPLE, {{"pointer", pointer_}, {"window", window_}, {"above", above_}});
        if (!read) return read;
        if (!pointer_.empty() && !pointer_.starts_with('/')) {
            return sandgate::failed("args.pointer: found ", pointer_,
                                    ", wanted a JSON pointer, which begins with `/`; write for example ", EXAMPLE);
        }
        if (window_ == 0 || window_ > LARGEST_WINDOW) {
            return sandgate::failed("args.window: found ", window_, ", wanted a number of messages from 1 to ",
                                    LARGEST_WINDOW, "; write for example ", EXAMPLE);
        }
        return {};
    }

    std::expected<double, sandgate::Reason> number_in(std::string_view content) const {
        const auto json = sandgate::read_json(content);
        if (!json) return sandgate::failed("the content is no JSON: ", json.error());
        const sandgate_json* const found = sandgate_json_at(json->get(), pointer_.c_str());
        if (found == nullptr) return sandgate::failed(pointer_, ": the content has nothing there");
        if (found->kind != SANDGATE_JSON_NUMBER) {
            return sandgate::failed(pointer_, ": found ", sandgate::written(*found), ", wanted a number");
        }
        return found->number;
    }

    double averaged(double number) {
        if (numbers_.size() == window_) numbers_.pop_front();
        numbers_.push_back(number);
        // Summed anew each time: a running sum would keep the rounding errors of numbers long gone.
        return std::accumulate(numbers_.begin(), numbers_.end(), 0.0) / static_cast<double>(numbers_.size());
    }

    sandgate::Result receive(sandgate::Message& message, const sandgate::Delivery&) override {
        const auto value = number_in(message.content());
        if (!value) return std::unexpected(value.error());
        const double average = averaged(*value);
        message.set_property("average", sandgate::number(rounded(average)));
        message.set_property("alert", average > above_ ? "true" : "false");
        message.set_content(sandgate::text(R"({"value":)", rounded(*value), R"(,"average":)", rounded(average),
                                           R"(,"above":)", above_, "}"));
        return message.publish();
    }
};

SANDGATE_MODULE(Threshold);
