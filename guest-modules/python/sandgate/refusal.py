"""What a module says on purpose, and how exceptions are told."""

import traceback
from pathlib import PurePath


# As many as the host tells of a trap.
_MOST_FRAMES = 12


class Refusal(Exception):
    """That the configuration, or a message, is of no use. Its text stands alone."""


def described(error: BaseException) -> str:
    """One line, as in the host's log: a refusal's text, or an exception with where it came from, innermost first."""
    if isinstance(error, Refusal):
        return str(error)
    frames = [
        f"{frame.name} ({PurePath(frame.filename).name}:{frame.lineno})"
        for frame in reversed(traceback.extract_tb(error.__traceback__))
        if PurePath(frame.filename).parent.name != __package__
    ]
    more = f" and {len(frames) - _MOST_FRAMES} more" if len(frames) > _MOST_FRAMES else ""
    place = f"; at {' < '.join(frames[:_MOST_FRAMES])}{more}" if frames else ""
    return f"{type(error).__name__}: {error}{place}"
