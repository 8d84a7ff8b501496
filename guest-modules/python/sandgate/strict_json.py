"""JSON as others have it, from strangers."""

import json
import re
from typing import Any, NoReturn

DEEPEST = 128


def parse(text: str) -> Any:
    """The value; a ValueError where the text is no JSON, or has more than 128 values one in the other."""
    # Python's reader calls itself, and at the end of the stack the host ends the instance: a stranger's message must
    # not reach that.
    if text.count("[") + text.count("{") > DEEPEST and _is_deep(text):
        raise ValueError(f"it is more than {DEEPEST} values deep")
    return json.loads(text, parse_constant=_python_alone)


def _python_alone(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is a number of Python alone")


# Strings, also one without an end, and what makes depth.
_TOKENS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)


def _is_deep(text: str) -> bool:
    depth = 0
    for token in _TOKENS.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > DEEPEST:
                return True
        elif token[0] in "]}":
            depth -= 1
    return False
