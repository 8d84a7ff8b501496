"""A source: publishes a numbered message on a timer.

`args`: `interval.ms`, the time between two messages; `text`, their content; `count`, after how many to stop
(never, where it is missing). Property `n` of a message is its number, from 1.
"""

import json
import logging
from dataclasses import dataclass

from sandgate import GatewayModule, Message, PublishError, Refusal, component, configured, key, publish, timers

EXAMPLE = {"interval.ms": 100, "text": "tick", "count": 10}


@dataclass
class Args:
    interval: int = key("interval.ms")
    text: str = key("text")
    count: int | None = None


class Sampler(GatewayModule):
    def create(self, configuration):
        self.args = args = configured(Args, configuration, EXAMPLE)
        self.published = 0
        if args.interval < 1:
            raise not_usable("interval.ms", args.interval, "1 or more milliseconds")
        if args.count is not None and args.count < 0:
            raise not_usable("count", args.count, "0 or more")

    def start(self):
        if self.args.count != 0:
            timers.every(self.args.interval)

    def receive(self, message, delivery):
        raise Refusal("a sampler is a source and takes no messages: remove the link that leads to it")

    def on_timer(self, timer):
        self.published += 1
        try:
            publish(Message(self.args.text, {"n": str(self.published)}))
        except PublishError as error:
            logging.warning(error)
        if self.published == self.args.count:
            timers.cancel(timer)


def not_usable(key, found, wanted):
    return Refusal(f"args.{key}: found {found}, wanted {wanted}; write for example {json.dumps(EXAMPLE)}")


Module, TimerHandler = component(Sampler)
