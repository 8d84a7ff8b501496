"""Adds properties to every message and passes the rest on unchanged.

`args` is an object of texts, the properties to add: `{"site": "lab"}`. A single text becomes the property
`annotation`. Property `annotated-by` is added in any case. A property that the message already has is replaced.
"""

import json

from sandgate import Delivery, GatewayModule, Message, Refusal, component, publish


class Annotate(GatewayModule):
    def create(self, configuration):
        self.properties = {"annotated-by": "annotate"}
        match configuration:
            case None:
                pass
            case str(text):
                self.properties["annotation"] = text
            case dict(texts):
                for key, value in texts.items():
                    if not isinstance(value, str):
                        raise not_usable(f"args.{key}", value, "a text, in quotes")
                self.properties |= texts
            case other:
                raise not_usable("args", other, "an object of texts, or one text")

    def receive(self, message: Message, delivery: Delivery):
        message.properties |= self.properties
        publish(message)


def not_usable(key, found, wanted):
    found = json.dumps(found, ensure_ascii=False)
    return Refusal(f'{key}: found {found}, wanted {wanted}; write for example {{"site": "lab"}}')


Module, _ = component(Annotate)
