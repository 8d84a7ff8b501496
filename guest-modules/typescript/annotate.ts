// Adds properties to every message and passes the rest on unchanged.
//
// `args` is an object of texts, the properties to add: `{"site": "lab"}`. A single text becomes the property
// `annotation`. Property `annotated-by` is added in any case. A property that the message already has is replaced.

import { component, publish, Refusal, type Json, type Message, type Module } from "../javascript/sdk/sandgate.js";

class Annotate implements Module {
    private readonly properties: [string, string][] = [["annotated-by", "annotate"]];

    create(configuration: Json) {
        if (configuration === null) return;
        if (typeof configuration === "string") {
            this.properties.push(["annotation", configuration]);
        } else if (Array.isArray(configuration) || typeof configuration !== "object") {
            throw notUsable("args", configuration, "an object of texts, or one text");
        } else {
            for (const [key, value] of Object.entries(configuration)) {
                if (typeof value !== "string") throw notUsable(`args.${key}`, value, "a text, in quotes");
                this.properties.push([key, value]);
            }
        }
    }

    receive(message: Message) {
        for (const [key, value] of this.properties) message.properties.set(key, value);
        publish(message);
    }
}

function notUsable(key: string, found: Json, wanted: string): Refusal {
    return new Refusal(`${key}: found ${JSON.stringify(found)}, wanted ${wanted}; write for example {"site": "lab"}`);
}

export const { module } = component(Annotate);
