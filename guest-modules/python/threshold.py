"""Moving average of a number in JSON messages, with an alert above a threshold.

`args`: `pointer`, the JSON pointer of the number in a message's content; `window`, over how many messages to
average; `above`, the threshold. What is published has the incoming message's properties, `average` and
`alert` (`true` or `false`), and as content `{"above": …, "average": …, "value": …}`.
"""

import json
import math
from collections import deque
from dataclasses import dataclass
from functools import reduce
from operator import add

from numbers_as_text import rounded, shortest
from pointer import NOTHING, pointed
from sandgate import Delivery, GatewayModule, Message, Refusal, component, configured, publish

EXAMPLE = {"pointer": "/cpu/usage", "window": 5, "above": 0.8}
# Keeps a mistyped window from filling the sandbox's memory.
LARGEST_WINDOW = 100_000


@dataclass
class Args:
    pointer: str
    window: int
    above: float


class Threshold(GatewayModule):
    def create(self, configuration):
        self.args = args = configured(Args, configuration, EXAMPLE)
        if args.pointer and not args.pointer.startswith("/"):
            raise not_usable("pointer", args.pointer, "a JSON pointer, which begins with `/`")
        if not 1 <= args.window <= LARGEST_WINDOW:
            raise not_usable("window", args.window, f"a number of messages from 1 to {LARGEST_WINDOW}")
        self.numbers = deque(maxlen=args.window)

    def receive(self, message: Message, delivery: Delivery):
        value = self.number_in(message.json())
        self.numbers.append(value)
        # Summed anew each time: a running sum would keep the rounding errors of numbers long gone. And not by `sum`,
        # which makes up for such errors, as the other languages' versions of this module do not.
        average = reduce(add, self.numbers) / len(self.numbers)
        above = self.args.above
        message.properties["average"] = shortest(rounded(average))
        message.properties["alert"] = "true" if average > above else "false"
        message.content = json.dumps({"above": above, "average": rounded(average), "value": rounded(value)})
        publish(message)

    def number_in(self, content) -> float:
        pointer = self.args.pointer
        found = pointed(content, pointer)
        if found is NOTHING:
            raise Refusal(f"{pointer}: the content has nothing there")
        if not isinstance(found, int | float) or isinstance(found, bool):
            raise Refusal(f"{pointer}: found {json.dumps(found, ensure_ascii=False)}, wanted a number")
        try:
            number = float(found)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            raise Refusal(f"{pointer}: out of range")
        return number


def not_usable(key, found, wanted):
    return Refusal(f"args.{key}: found {found}, wanted {wanted}; write for example {json.dumps(EXAMPLE)}")


Module, _ = component(Threshold)
