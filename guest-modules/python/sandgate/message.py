"""Messages, and publishing them."""

from dataclasses import dataclass, field
from typing import Any

from componentize_py_types import Err
from wit_world.imports import broker, types
from wit_world.imports.types import Delivery

from .refusal import Refusal
from .strict_json import parse

__all__ = ["Delivery", "Message", "PublishError", "publish"]


@dataclass
class Message:
    """Properties with unique keys, which are texts like their values, and a content of any bytes, also none.

    A text as content is published as UTF-8.
    """

    content: bytes | str = b""
    properties: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """The content as text; a `Refusal` where it is not UTF-8."""
        if isinstance(self.content, str):
            return self.content
        try:
            return self.content.decode()
        except UnicodeDecodeError:
            pass
        raise Refusal("the content is no text: it is not UTF-8")

    def json(self) -> Any:
        """The content as the JSON value that it is; a `Refusal` where it is none."""
        try:
            return parse(self.text())
        except (ValueError, Refusal) as error:
            reason = "it is not UTF-8" if isinstance(error, Refusal) else str(error)
        raise Refusal(f"the content is no JSON: {reason}")


class PublishError(Refusal):
    """A message was not published; `error` is the contract's reason, one of `wit_world.imports.broker`."""

    def __init__(self, error: broker.PublishError) -> None:
        super().__init__(f"the message was not published: {_sentence(error)}")
        self.error = error


def publish(message: Message) -> None:
    """Publishes a message under this module's name.

    Waits while the queue to the gateway is full, for three quarters of the time that the call which it is made from
    may take; raises a `PublishError`.
    """
    for text in (*message.properties, *message.properties.values()):
        if not isinstance(text, str):
            raise TypeError(f"properties are texts, and {text!r} is none: write str(...), or an f-string")
    content = message.content.encode() if isinstance(message.content, str) else bytes(message.content)
    try:
        return broker.publish(types.Message(list(message.properties.items()), content))
    except Err as error:
        reason = error.value
    raise PublishError(reason)


def _sentence(error: broker.PublishError) -> str:
    match error:
        case broker.PublishError_Invalid(reason):
            return reason
        case broker.PublishError_TooLarge(limit):
            return f"it is larger than the limit of {limit} bytes"
        case broker.PublishError_NotStarted():
            return "that is possible from `start` on, not in `create`"
        case broker.PublishError_Disconnected():
            return "no gateway is connected"
    return "the gateway did not take messages in time"
