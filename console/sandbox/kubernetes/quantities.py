"""Resource quantities in the one form in which the server writes them: 0.5 is 500m, 1024Mi is 1Gi."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

_FORM = re.compile(r"^([+-]?[0-9.]+)([eE][+-]?[0-9]+|[KMGTPE]i|[numkMGTPE]?)$")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def canonical_quantity(value: Any) -> str:
    """The canonical text; what is no quantity stays as it is, for validation to name."""
    text = str(value)
    found = _FORM.match(text)
    if found is None:
        return text
    number, suffix = found.groups()
    try:
        amount = Decimal(number)
    except InvalidOperation:
        return text
    if suffix.endswith("i"):
        return _binary(amount * 1024 ** _BINARY.index(suffix))
    if suffix[:1] in ("e", "E") and len(suffix) > 1:
        return text
    return _decimal(amount.scaleb(_DECIMAL[suffix]))


def is_quantity(value: Any) -> bool:
    return _FORM.match(str(value)) is not None


def _binary(amount: Decimal) -> str:
    if amount != amount.to_integral_value():
        return _decimal(amount)
    whole, power = int(amount), 0
    while whole and whole % 1024 == 0 and power < len(_BINARY) - 1:
        whole, power = whole // 1024, power + 1
    return f"{whole}{_BINARY[power]}"


def _decimal(amount: Decimal) -> str:
    if amount == 0:
        return "0"
    for suffix, power in sorted(_DECIMAL.items(), key=lambda item: -item[1]):
        scaled = amount.scaleb(-power)
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}{suffix}"
    return f"{int(amount.scaleb(9)) + 1}n"
