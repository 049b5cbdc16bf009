"""Functions of cells as truth tables, from the expressions of a liberty file."""

import re
from collections.abc import Mapping, Sequence

__all__ = ["MOST_INPUTS", "holds", "truth_table"]

MOST_INPUTS = 6
"""Inputs of a function of which a truth table has 64 bits."""

_TOKEN = re.compile(r"[A-Za-z_]\w*|[!'()&*|+^]|[01]")
_AND, _OR, _XOR = "&*", "|+", "^"


def truth_table(expression: str, inputs: Sequence[str]) -> int:
    """Values of a function: bit i is that for the inputs that are the bits of i, the first the lowest.

    Parameters
    ----------
    expression : str
        As liberty has it: ``!``, ``'``, ``&``, ``*``, ``^``, ``|``, ``+`` and parentheses.
    inputs : sequence of str
        At most six.

    Raises
    ------
    ValueError
        If it is no such expression, has other names, or there are too many inputs.
    """
    if len(inputs) > MOST_INPUTS:
        raise ValueError(f"inputs must be at most {MOST_INPUTS}, not {len(inputs)}")
    table = 0
    for index in range(1 << len(inputs)):
        values = {name: bool(index >> place & 1) for place, name in enumerate(inputs)}
        table |= holds(expression, values) << index
    return table


def holds(expression: str, values: Mapping[str, bool]) -> bool:
    """Evaluate an expression of a liberty file.

    Raises
    ------
    ValueError
        If it is no expression, or has a name without a value.
    """
    tokens = _TOKEN.findall(expression)
    if re.sub(r"\s", "", expression) != "".join(tokens):
        raise ValueError(f"function must be an expression of names, not {expression!r}")
    value, rest = _either(tokens, values, expression)
    if rest:
        raise ValueError(f"function must end behind an operand, not at {rest[0]!r}")
    return value


def _either(
    tokens: list[str], values: Mapping[str, bool], expression: str
) -> tuple[bool, list[str]]:
    value, tokens = _both(tokens, values, expression)
    while tokens and tokens[0] in _OR:
        other, tokens = _both(tokens[1:], values, expression)
        value = value or other
    return value, tokens


def _both(tokens: list[str], values: Mapping[str, bool], expression: str) -> tuple[bool, list[str]]:
    value, tokens = _odd(tokens, values, expression)
    while tokens and (tokens[0] in _AND or tokens[0][0] in "(!" or tokens[0][0].isalnum()):
        # Operands beside each other are a product
        other, tokens = _odd(tokens[tokens[0] in _AND :], values, expression)
        value = value and other
    return value, tokens


def _odd(tokens: list[str], values: Mapping[str, bool], expression: str) -> tuple[bool, list[str]]:
    """Evaluate operands of ``^``, which binds before ``&`` in liberty."""
    value, tokens = _operand(tokens, values, expression)
    while tokens and tokens[0] == _XOR:
        other, tokens = _operand(tokens[1:], values, expression)
        value = value != other
    return value, tokens


def _operand(
    tokens: list[str], values: Mapping[str, bool], expression: str
) -> tuple[bool, list[str]]:
    if not tokens:
        raise ValueError(f"function must have an operand at its end, not {expression!r}")
    first, rest = tokens[0], tokens[1:]
    if first == "!":
        value, rest = _operand(rest, values, expression)
        return not value, rest
    if first == "(":
        value, rest = _either(rest, values, expression)
        if rest[:1] != [")"]:
            raise ValueError(f"function must close its parentheses, not {expression!r}")
        rest = rest[1:]
    elif first in ("0", "1"):
        value = first == "1"
    elif first in values:
        value = values[first]
    else:
        raise ValueError(f"function must have names of pins, not {first!r}")
    while rest[:1] == ["'"]:
        value, rest = not value, rest[1:]
    return value, rest
