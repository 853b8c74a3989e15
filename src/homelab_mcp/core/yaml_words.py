"""How Compose writes a YAML number or switch where a text is wanted: an environment variable's value, a label's."""

from __future__ import annotations

import math
from decimal import Decimal

_UNSIGNED = 2**64


def handed_on(value: bool | int | float) -> str:
    """The text that a container gets for an unquoted value (seen with Compose 2.40.3)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and -_UNSIGNED // 2 <= value < _UNSIGNED:
        return str(value)
    return _go_float(float(value))


def _go_float(value: float) -> str:
    """Go's ``strconv.FormatFloat(value, 'g', -1, 64)``: the shortest digits, with an exponent from 1e6 up."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    sign, digits, _ = Decimal(repr(value)).normalize().as_tuple()
    exponent = Decimal(repr(value)).adjusted()
    words = "".join(map(str, digits))
    if -4 <= exponent < 6:
        text = f"{abs(Decimal(repr(value)).normalize()):f}"
    else:
        text = words[0] + (f".{words[1:]}" if len(words) > 1 else "") + f"e{exponent:+03d}"
    return ("-" if sign else "") + text
