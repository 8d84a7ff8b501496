// Moving average of a number in JSON messages, with an alert above a threshold.
//
// `args`: `pointer`, the JSON pointer of the number in a message's content; `window`, over how many messages to
// average; `above`, the threshold. What is published has the incoming message's properties, `average` and
// `alert` (`true` or `false`), and as content `{"above": …, "average": …, "value": …}`.

import { pointed } from "./pointer.js";
import { component, likeExample, publish, Refusal } from "./sdk/sandgate.js";

const EXAMPLE = { pointer: "/cpu/usage", window: 5, above: 0.8 };
// Keeps a mistyped window from filling the sandbox's memory.
const LARGEST_WINDOW = 100_000;

class Threshold {
    create(configuration) {
        const { pointer, window, above } = likeExample(configuration, EXAMPLE);
        if (pointer !== "" && !pointer.startsWith("/")) {
            notUsable("pointer", pointer, "a JSON pointer, which begins with `/`");
        }
        if (!Number.isInteger(window) || window < 1 || window > LARGEST_WINDOW) {
            notUsable("window", window, `a number of messages from 1 to ${LARGEST_WINDOW}`);
        }
        Object.assign(this, { pointer, window, above, numbers: [] });
    }

    receive(message) {
        const value = this.numberIn(message.json());
        this.numbers.push(value);
        if (this.numbers.length > this.window) this.numbers.shift();
        // Summed anew each time: a running sum would keep the rounding errors of numbers long gone.
        const average = this.numbers.reduce((sum, number) => sum + number) / this.numbers.length;
        message.properties.set("average", rounded(average));
        message.properties.set("alert", average > this.above);
        message.content = JSON.stringify({ above: this.above, average: rounded(average), value: rounded(value) });
        publish(message);
    }

    numberIn(content) {
        const found = pointed(content, this.pointer);
        if (found === undefined) throw new Refusal(`${this.pointer}: the content has nothing there`);
        if (typeof found !== "number") {
            throw new Refusal(`${this.pointer}: found ${JSON.stringify(found)}, wanted a number`);
        }
        if (!Number.isFinite(found)) throw new Refusal(`${this.pointer}: out of range`);
        return found;
    }
}

// Four digits after the point: more would only be noise to whoever reads it. Halves go away from zero.
function rounded(number) {
    const scaled = Math.sign(number) * Math.round(Math.abs(number) * 10_000);
    return Number.isFinite(scaled) ? scaled / 10_000 : number;
}

function notUsable(key, found, wanted) {
    throw new Refusal(`args.${key}: found ${found}, wanted ${wanted}; write for example ${JSON.stringify(EXAMPLE)}`);
}

export const { module } = component(Threshold);
