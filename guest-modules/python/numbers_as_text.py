"""Numbers for people to read."""

import math
from decimal import Decimal


def rounded(number: float) -> float:
    """Four digits after the point: more would only be noise to whoever reads it. Halves go away from zero."""
    scaled = abs(number) * 10_000
    if math.isinf(scaled):
        return number
    whole = math.floor(scaled)
    # The difference is exact, which the sum of a number and a half is not always.
    return math.copysign(whole + (scaled - whole >= 0.5), number) / 10_000


def shortest(number: float) -> str:
    """As few digits as tell it from other numbers, and never an exponent."""
    return format(Decimal(repr(number)).normalize(), "f")
