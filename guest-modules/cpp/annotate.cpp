// Adds properties to every message and passes the rest on unchanged.
//
// `args` is an object of texts, the properties to add: {"site": "lab"}. A single text becomes the property `annotation`.
// Property `annotated-by` is added in any case. A property that the message already has is replaced.

#include <vector>

#include "sandgate.hpp"

class Annotate : public sandgate::Module {
    std::vector<std::pair<std::string, std::string>> properties_ = {{"annotated-by", "annotate"}};

    static auto not_usable(std::string_view key, const sandgate_json& found, std::string_view wanted) {
        return sandgate::failed(key, ": found ", sandgate::written(found), ", wanted ", wanted,
                                R"(; write for example {"site": "lab"})");
    }

    sandgate::Result create(const std::string& configuration) override {
        const auto args = sandgate::read_json(configuration);
        if (!args) return sandgate::failed("args: found ", args.error());
        const sandgate_json& json = **args;
        switch (json.kind) {
            case SANDGATE_JSON_NULL: return {};
            case SANDGATE_JSON_STRING: properties_.emplace_back("annotation", json.string); return {};
            case SANDGATE_JSON_OBJECT: break;
            default: return not_usable("args", json, "an object of texts, or one text");
        }
        for (auto* member = sandgate_json_first(&json); member; member = sandgate_json_next(&json, member)) {
            if (member->kind != SANDGATE_JSON_STRING) {
                return not_usable(std::string("args.") + member->key, *member, "a text, in quotes");
            }
            properties_.emplace_back(member->key, member->string);
        }
        return {};
    }

    sandgate::Result receive(sandgate::Message& message, const sandgate::Delivery&) override {
        for (const auto& [key, value] : properties_) message.set_property(key, value);
        return message.publish();
    }
};

SANDGATE_MODULE(Annotate);
