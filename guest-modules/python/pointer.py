"""JSON pointers, as in RFC 6901."""

import re
from typing import Any

NOTHING = object()


def pointed(value: Any, pointer: str) -> Any:
    """What a pointer leads to in a value that was read from JSON; NOTHING where there is nothing."""
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and re.fullmatch("0|[1-9][0-9]{0,9}", key) and int(key) < len(value):
            value = value[int(key)]
        else:
            return NOTHING
    return value
