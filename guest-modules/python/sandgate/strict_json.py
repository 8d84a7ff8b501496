"""JSON as others have it, from strangers."""

import json
import re
from typing import Any, NoReturn

DEEPEST = 128


def parse(text: str) -> Any:
    """The value; a ValueError where the text is no JSON, or has more than 128 values one in the other."""
    # Python's reader calls itself, and at the end of the stack the host ends the instance: a stranger's message must
    # not reach that.
    if text.count("[") + text.count("{") > DEEPEST and _depth(text) > DEEPEST:
        raise ValueError(f"it is more than {DEEPEST} values deep")
    return json.loads(text, parse_constant=_python_alone)


def _python_alone(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is a number of Python alone")


def _depth(text: str) -> int:
    now = most = 0
    quoted = False
    for token in re.finditer(r'\\.|[\[\]{}"]', text, re.DOTALL):
        match token.group():
            case '"':
                quoted = not quoted
            case "[" | "{" if not quoted:
                now += 1
                most = max(most, now)
            case "]" | "}" if not quoted:
                now -= 1
    return most
