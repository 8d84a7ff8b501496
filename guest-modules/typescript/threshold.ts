// Moving average of a number in JSON messages, with an alert above a threshold.
//
// `args`: `pointer`, the JSON pointer of the number in a message's content; `window`, over how many messages to
// average; `above`, the threshold. What is published has the incoming message's properties, `average` and
// `alert` (`true` or `false`), and as content `{"above": …, "average": …, "value": …}`.

import { component, likeExample, publish, Refusal, type Json, type Message, type Module } from "../javascript/sdk/sandgate.js";
import { pointed } from "./pointer.js";

const EXAMPLE = { pointer: "/cpu/usage", window: 5, above: 0.8 };
// Keeps a mistyped window from filling the sandbox's memory.
const LARGEST_WINDOW = 100_000;

class Threshold implements Module {
    private args = EXAMPLE;
    private readonly numbers: number[] = [];

    create(configuration: Json) {
        this.args = likeExample(configuration, EXAMPLE);
        const { pointer, window } = this.args;
        if (pointer !== "" && !pointer.startsWith("/")) {
            throw notUsable("pointer", pointer, "a JSON pointer, which begins with `/`");
        }
        if (!Number.isInteger(window) || window < 1 || window > LARGEST_WINDOW) {
            throw notUsable("window", window, `a number of messages from 1 to ${LARGEST_WINDOW}`);
        }
    }

    receive(message: Message) {
        const { pointer, window, above } = this.args;
        const value = numberAt(pointer, message.json());
        this.numbers.push(value);
        if (this.numbers.length > window) this.numbers.shift();
        // Summed anew each time: a running sum would keep the rounding errors of numbers long gone.
        const average = this.numbers.reduce((sum, number) => sum + number) / this.numbers.length;
        message.properties.set("average", rounded(average));
        message.properties.set("alert", average > above);
        message.content = JSON.stringify({ above, average: rounded(average), value: rounded(value) });
        publish(message);
    }
}

function numberAt(pointer: string, content: Json): number {
    const found = pointed(content, pointer);
    if (found === undefined) throw new Refusal(`${pointer}: the content has nothing there`);
    if (typeof found !== "number") throw new Refusal(`${pointer}: found ${JSON.stringify(found)}, wanted a number`);
    if (!Number.isFinite(found)) throw new Refusal(`${pointer}: out of range`);
    return found;
}

// Four digits after the point: more would only be noise to whoever reads it. Halves go away from zero.
function rounded(number: number): number {
    const scaled = Math.sign(number) * Math.round(Math.abs(number) * 10_000);
    return Number.isFinite(scaled) ? scaled / 10_000 : number;
}

function notUsable(key: string, found: Json, wanted: string): Refusal {
    return new Refusal(`args.${key}: found ${found}, wanted ${wanted}; write for example ${JSON.stringify(EXAMPLE)}`);
}

export const { module } = component(Threshold);
