// Marks every message with the name of this site, which is the module's `args`.

import { component, publish, Refusal } from "./sdk/sandgate.js";

class {{Name}} {
    create(configuration) {
        if (typeof configuration !== "string") throw new Refusal('args: write the name of the site, for example "lab"');
        this.site = configuration;
    }

    receive(message) {
        message.properties.set("site", this.site);
        publish(message);
    }
}

export const { module } = component({{Name}});
