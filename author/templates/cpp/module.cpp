// Marks every message with the name of this site, which is the module's `args`.

#include "sandgate.hpp"

class {{Name}} : public sandgate::Module {
    std::string site_;

    sandgate::Result create(const std::string& configuration) override {
        const auto args = sandgate::read_json(configuration);
        if (!args || (*args)->kind != SANDGATE_JSON_STRING) {
            return sandgate::failed(R"(args: write the name of the site, for example "lab")");
        }
        site_ = (*args)->string;
        return {};
    }

    sandgate::Result receive(sandgate::Message& message, const sandgate::Delivery&) override {
        message.set_property("site", site_);
        return message.publish();
    }
};

SANDGATE_MODULE({{Name}});
