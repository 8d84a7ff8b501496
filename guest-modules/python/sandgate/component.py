"""A class of the author's as the exports of a component."""

from collections.abc import Callable
from typing import Any

from componentize_py_types import Err
from wit_world.imports import types

from .message import Delivery, Message
from .refusal import Refusal, described
from .strict_json import parse


class GatewayModule:
    """What a module derives from. The calls come one at a time.

    In `create` and `receive` an exception is an error: the configuration, or the message, was of no use. It is
    logged, the text of a `Refusal` as it is, anything else with where it came from. In the other calls it ends the
    instance.
    """

    def create(self, configuration: Any) -> None:
        """Makes the module from its `args`, which have been read from JSON."""

    def start(self) -> None:
        """All modules are created and linked: from here on `publish` can be used."""

    def receive(self, message: Message, delivery: Delivery) -> None:
        """Takes one message. After an exception the module lives on, and the message is not delivered again."""

    def on_timer(self, timer: int) -> None:
        """A timer's time has come."""

    def destroy(self) -> None:
        """The last call."""


def component(made: Callable[[], GatewayModule]) -> tuple[type, type]:
    """The classes `Module` and `TimerHandler` that a component is built of, for a class whose constructor takes nothing.

    They have to be there by these names in the file that is built. The plain world takes only the first.
    """
    instance = GatewayModule()

    class Module:
        def create(self, configuration: str) -> None:
            nonlocal instance
            try:
                instance = made()
                return instance.create(parse(configuration))
            except Refusal as refusal:
                reason = types.ModuleError_Configuration(str(refusal))
            except Exception as error:
                reason = types.ModuleError_Other(described(error))
            # Raised here, behind it, lest it hold on to the exception and what that held.
            raise Err(reason)

        # Where the contract has no error value, an exception ends the instance: the verdict has its traceback.
        def start(self) -> None:
            instance.start()

        def receive(self, message: types.Message, delivery: Delivery) -> None:
            try:
                return instance.receive(Message(message.content, dict(message.properties)), delivery)
            except Exception as error:
                reason = described(error)
            raise Err(reason)

        def destroy(self) -> None:
            instance.destroy()

    class TimerHandler:
        def on_timer(self, timer: int) -> None:
            instance.on_timer(timer)

    return Module, TimerHandler
