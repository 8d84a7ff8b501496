"""What a Sandgate module in Python is written with.

    from sandgate import GatewayModule, component, publish

    class Echo(GatewayModule):
        def receive(self, message, delivery):
            publish(message)

    Module, _ = component(Echo)

A module that wants to be called again later has `on_timer` too, ends with `Module, TimerHandler = component(Echo)`,
and is built for the world `gateway-module-timers`. `logging` writes to the host's log, marked with the module's name.
"""

from . import timers
from .component import GatewayModule, component
from .configuration import configured, key
from .logs import to_the_host
from .message import Delivery, Message, PublishError, publish
from .refusal import Refusal

__all__ = [
    "Delivery",
    "GatewayModule",
    "Message",
    "PublishError",
    "Refusal",
    "component",
    "configured",
    "key",
    "publish",
    "timers",
]

to_the_host()
