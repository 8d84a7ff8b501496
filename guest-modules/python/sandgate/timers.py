"""Being called again later, for modules with `on_timer`."""

from collections.abc import Callable

from componentize_py_types import Err
from wit_world.imports import timers

from .refusal import Refusal

_REASONS = {
    timers.TimerError.NO_HANDLER: "end with `Module, TimerHandler = …`, and build for the world gateway-module-timers",
    timers.TimerError.TOO_MANY: "the module has as many as it may",
    timers.TimerError.ZERO_PERIOD: "a period of zero",
}


def every(milliseconds: int) -> int:
    """Calls `on_timer` every so many milliseconds; gives the timer, or raises a `Refusal`."""
    return _started(timers.every, milliseconds)


def after(milliseconds: int) -> int:
    """Calls `on_timer` once, after so many milliseconds; gives the timer, or raises a `Refusal`."""
    return _started(timers.after, milliseconds)


def cancel(timer: int) -> None:
    """Ends a timer. One that is unknown or over is ignored."""
    timers.cancel(timer)


def _started(start: Callable[[int], int], milliseconds: int) -> int:
    if not isinstance(milliseconds, int) or not 0 <= milliseconds < 2**64:
        raise ValueError(f"a timer takes a whole number of milliseconds, not {milliseconds!r}")
    try:
        return start(milliseconds)
    except Err as error:
        reason = _REASONS[error.value]
    raise Refusal(f"there is no timer: {reason}")
