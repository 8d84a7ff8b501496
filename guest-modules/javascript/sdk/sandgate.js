// What a Sandgate module in JavaScript is written with.
//
//     import { component, publish } from "./sdk/sandgate.js";
//
//     class Echo {
//         receive(message) {
//             publish(message);
//         }
//     }
//
//     export const { module } = component(Echo);
//
// A module that wants to be called again later has `onTimer(timer)` too, exports `timerHandler` beside `module`, and
// is built for the world `gateway-module-timers`. `sandgate.d.ts` says what each of these takes and gives.

import broker from "sandgate:gateway/broker@0.1.0";
import log from "sandgate:gateway/log@0.1.0";
import hostTimers from "sandgate:gateway/timers@0.1.0";
import { decode, encode, parse, wellFormed } from "./text.js";

export { decode, encode };

/** What a module says on purpose: that its configuration, or a message, is of no use. Its text stands alone. */
export class Refusal extends Error {}

/** A message was not published; `code` is the contract's word for why. */
export class PublishError extends Refusal {
    constructor(code, reason) {
        super(`the message was not published: ${reason}`);
        this.code = code;
    }
}

/** Properties, which are a Map of texts, and a content, which is a Uint8Array. */
export class Message {
    #content;

    constructor(content = "", properties = {}) {
        this.content = content;
        this.properties = new Map(Symbol.iterator in properties ? properties : Object.entries(properties));
    }

    get content() {
        return this.#content;
    }

    set content(content) {
        if (typeof content !== "string" && !(content instanceof Uint8Array)) {
            throw new TypeError("a content is a text or a Uint8Array; JSON.stringify makes a text of other values");
        }
        this.#content = typeof content === "string" ? encode(content) : content;
    }

    text() {
        try {
            return decode(this.#content);
        } catch {
            throw new Refusal("the content is no text: it is not UTF-8");
        }
    }

    json() {
        try {
            return parse(decode(this.#content));
        } catch (error) {
            throw new Refusal(`the content is no JSON: ${error instanceof URIError ? "it is not UTF-8" : error.message}`);
        }
    }
}

export function publish(message) {
    const { content, properties } = message instanceof Message ? message : new Message(message.content, message.properties);
    const texts = Array.from(properties, ([key, value]) => [wellFormed(key), wellFormed(value)]);
    try {
        broker.publish({ content, properties: texts });
    } catch (error) {
        throw publishError(error.payload ?? error);
    }
}

function publishError({ tag, val }) {
    const reasons = {
        "invalid": val,
        "too-large": `it is larger than the limit of ${val} bytes`,
        "not-started": "that is possible from `start` on, not in `create`",
        "disconnected": "no gateway is connected",
        "congested": "the gateway did not take messages in time",
    };
    return new PublishError(tag, reasons[tag]);
}

export const timers = {
    every: (milliseconds) => timer(hostTimers.every, milliseconds),
    after: (milliseconds) => timer(hostTimers.after, milliseconds),
    cancel: (timer) => hostTimers.cancel(timer),
};

function timer(start, milliseconds) {
    if (!Number.isSafeInteger(milliseconds) || milliseconds < 0) {
        throw new RangeError(`a timer takes a whole number of milliseconds, not ${milliseconds}`);
    }
    try {
        return start(milliseconds);
    } catch (error) {
        const reasons = {
            "no-handler": "export `timerHandler` beside `module`, and build for the world gateway-module-timers",
            "too-many": "the module has as many as it may",
            "zero-period": "a period of zero",
        };
        throw new Refusal(`there is no timer: ${reasons[error.payload ?? error]}`);
    }
}

/**
 * The configuration, if it has the keys of the example, each with a value of the example's type, and no others.
 * Throws a Refusal that names the key and shows the example.
 */
export function likeExample(configuration, example, optional = []) {
    const refuse = (key, reason) => {
        throw new Refusal(`${key}: ${reason}; write for example ${JSON.stringify(example)}`);
    };
    if (typeName(configuration) !== "an object") {
        refuse("args", `found ${JSON.stringify(configuration)}, wanted an object`);
    }
    for (const key of Object.keys(configuration)) {
        if (!Object.hasOwn(example, key)) {
            refuse(`args.${key}`, `unknown key, wanted one of ${Object.keys(example).join(", ")}`);
        }
    }
    for (const [key, value] of Object.entries(example)) {
        const found = configuration[key];
        if (!Object.hasOwn(configuration, key) || (found === null && optional.includes(key))) {
            if (!optional.includes(key)) refuse(`args.${key}`, "it is missing");
        } else if (typeName(found) !== typeName(value)) {
            refuse(`args.${key}`, `found ${JSON.stringify(found)}, wanted ${typeName(value)}`);
        }
    }
    return configuration;
}

function typeName(value) {
    if (value === null) return "null";
    if (Array.isArray(value)) return "a list";
    return { string: "a text", number: "a number", boolean: "true or false", object: "an object" }[typeof value];
}

/** Makes the exports of a component of a class, or of an object. */
export function component(definition) {
    let instance;
    const call = (name, ...values) => {
        if (typeof instance[name]?.(...values)?.then === "function") {
            throw new TypeError(`${name} returned a promise, and nobody waits for it: modules are called synchronously`);
        }
    };
    const module = {
        create(configuration) {
            try {
                instance = typeof definition === "function" ? new definition() : definition;
                call("create", parse(configuration));
            } catch (error) {
                throw { tag: error instanceof Refusal ? "configuration" : "other", val: described(error) };
            }
        },
        // Where the contract has no error value, an exception ends the instance: the verdict has it, with its stack.
        start: () => call("start"),
        receive({ content, properties }, delivery) {
            try {
                call("receive", new Message(content, properties), delivery);
            } catch (error) {
                throw described(error);
            }
        },
        destroy: () => call("destroy"),
    };
    return { module, timerHandler: { onTimer: (timer) => call("onTimer", timer) } };
}

// As many as the host tells of a trap.
const MOST_FRAMES = 12;

/** One line, as in the host's log: a refusal's text, or an exception with where it came from, innermost first. */
function described(error) {
    if (error instanceof Refusal) return wellFormed(error.message);
    if (!(error instanceof Error)) return wellFormed(`thrown: ${shown(error)}`);
    const frames = (error.stack ?? "").split("\n").map((line) => line.trim().replace(/^at /, ""));
    const own = frames.filter((frame) => frame && !frame.includes("sandgate.js") && !frame.includes("(native)"));
    const more = own.length > MOST_FRAMES ? ` and ${own.length - MOST_FRAMES} more` : "";
    const place = own.length ? `; at ${own.slice(0, MOST_FRAMES).join(" < ")}${more}` : "";
    return wellFormed(`${error.name}: ${error.message}${place}`);
}

function shown(value) {
    if (typeof value === "string") return value;
    if (value instanceof Error) return described(value);
    try {
        return JSON.stringify(value) ?? String(value);
    } catch {
        // It contains itself, or a number that JSON does not have.
        return String(value);
    }
}

const logger = (level) => (...values) => {
    for (const line of values.map(shown).join(" ").split("\n")) log.log(level, wellFormed(line));
};

globalThis.console = {
    trace: logger("trace"),
    debug: logger("debug"),
    log: logger("info"),
    info: logger("info"),
    warn: logger("warn"),
    error: logger("error"),
};
