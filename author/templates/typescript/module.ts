// Marks every message with the name of this site, which is the module's `args`.

import { component, publish, Refusal, type Json, type Message, type Module } from "./sdk/sandgate.js";

class {{Name}} implements Module {
    private site = "";

    create(configuration: Json) {
        if (typeof configuration !== "string") throw new Refusal('args: write the name of the site, for example "lab"');
        this.site = configuration;
    }

    receive(message: Message) {
        message.properties.set("site", this.site);
        publish(message);
    }
}

export const { module } = component({{Name}});
