// Adds properties to every message and passes the rest on unchanged.
//
// `args` is an object of texts, the properties to add: `{"site": "lab"}`. A single text becomes the property
// `annotation`. Property `annotated-by` is added in any case. A property that the message already has is replaced.

import { component, publish, Refusal } from "./sdk/sandgate.js";

class Annotate {
    create(configuration) {
        this.properties = [["annotated-by", "annotate"]];
        if (typeof configuration === "string") {
            this.properties.push(["annotation", configuration]);
        } else if (Array.isArray(configuration) || (configuration !== null && typeof configuration !== "object")) {
            notUsable("args", configuration, "an object of texts, or one text");
        }
        for (const [key, value] of typeof configuration === "object" ? Object.entries(configuration ?? {}) : []) {
            if (typeof value !== "string") notUsable(`args.${key}`, value, "a text, in quotes");
            this.properties.push([key, value]);
        }
    }

    receive(message) {
        for (const [key, value] of this.properties) message.properties.set(key, value);
        publish(message);
    }
}

function notUsable(key, found, wanted) {
    throw new Refusal(`${key}: found ${JSON.stringify(found)}, wanted ${wanted}; write for example {"site": "lab"}`);
}

export const { module } = component(Annotate);
