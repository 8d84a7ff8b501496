// A source: publishes a numbered message on a timer.
//
// `args`: `interval.ms`, the time between two messages; `text`, their content; `count`, after how many to stop
// (never, where it is missing). Property `n` of a message is its number, from 1.

import { component, likeExample, Message, publish, PublishError, Refusal, timers } from "./sdk/sandgate.js";

const EXAMPLE = { "interval.ms": 100, "text": "tick", "count": 10 };

class Sampler {
    published = 0;

    create(configuration) {
        const args = likeExample(configuration, EXAMPLE, ["count"]);
        this.interval = whole("interval.ms", args["interval.ms"], 1, " milliseconds");
        this.text = args.text;
        this.count = args.count == null ? Infinity : whole("count", args.count, 0, "");
    }

    start() {
        if (this.count > 0) timers.every(this.interval);
    }

    receive() {
        throw new Refusal("a sampler is a source and takes no messages: remove the link that leads to it");
    }

    onTimer(timer) {
        this.published += 1;
        try {
            publish(new Message(this.text, { n: this.published }));
        } catch (error) {
            if (!(error instanceof PublishError)) throw error;
            console.warn(error.message);
        }
        if (this.published === this.count) timers.cancel(timer);
    }
}

function whole(key, number, least, unit) {
    if (Number.isSafeInteger(number) && number >= least) return number;
    const wanted = `${least} or more${unit}, a whole number`;
    throw new Refusal(`args.${key}: found ${number}, wanted ${wanted}; write for example ${JSON.stringify(EXAMPLE)}`);
}

export const { module, timerHandler } = component(Sampler);
