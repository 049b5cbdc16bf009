"""Operators of a netlist as Verilog expressions, every operand in the width that it needs."""

from collections.abc import Callable
from dataclasses import dataclass

from hwgen.verilog.netlist import Bits, Cell, Signal, signal_width, slice_signal

__all__ = [
    "ATOM",
    "SHIFTS_RIGHT",
    "TERNARY",
    "UNARY",
    "WORDS",
    "Operation",
    "Rendered",
    "fitted",
    "operation_of",
    "shifted_copy",
]

ATOM, UNARY, PRODUCT, SUM, SHIFT, ORDER, EQUALITY, AND, XOR, OR, REDUCTION, TERNARY = range(12)
"""How loosely an expression binds."""

Rendered = tuple[str, int]
"""Text and how loosely it binds."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Operator whose operands have the widths of its text.

    Parameters
    ----------
    word : str
        Noun for a net that holds the result.
    operands : tuple of Signal
    text : callable
        Makes the expression of the operands' expressions.
    binding : int
        How loosely it binds.
    width : int
        Bits of the expression; those above the result's are dropped.
    nests : bool
        Whether the text may stand in a larger expression.
    chains : bool
        Whether it may stand as it is where another of its kind has it as an operand.
    wraps : bool
        Whether the text encloses its operands.
    """

    word: str
    operands: tuple[Signal, ...]
    text: Callable[..., str]
    binding: int
    width: int
    nests: bool = True
    chains: bool = False
    wraps: bool = False


_BITWISE = {"$and": ("&", AND, "and"), "$or": ("|", OR, "or"), "$xor": ("^", XOR, "xor")}
_SUMS = {"$add": ("+", "sum"), "$sub": ("-", "difference")}
_ORDERS = {
    "$lt": ("<", ORDER, "below"),
    "$le": ("<=", ORDER, "at_most"),
    "$gt": (">", ORDER, "above"),
    "$ge": (">=", ORDER, "at_least"),
    "$eq": ("==", EQUALITY, "equal"),
    "$ne": ("!=", EQUALITY, "different"),
}
_LOGIC = {"$logic_and": ("&&", REDUCTION, "both"), "$logic_or": ("||", REDUCTION, "either")}
_REDUCTIONS = {
    "$reduce_or": ("|", "any"),
    "$reduce_bool": ("|", "any"),
    "$reduce_and": ("&", "all"),
    "$reduce_xor": ("^", "parity"),
    "$reduce_xnor": ("~^", "even"),
}
WORDS = (
    *(word for *_, word in _BITWISE.values()),
    *(word for _, word in _SUMS.values()),
    *(word for *_, word in _ORDERS.values()),
    *(word for _, word in _REDUCTIONS.values()),
    *(
        "choice",
        "not",
        "negative",
        "product",
        "shifted",
        "none",
        "word",
        "value",
        "same",
        "both",
        "either",
    ),
)
"""Words that name the results of operators."""

_FEW = 6
"""Most bits that a reduction prints bit by bit."""

SHIFTS_RIGHT = ("$shr", "$shift", "$shiftx")


def operation_of(cell: Cell) -> Operation:
    """Return what an operator's cell prints as.

    Raises
    ------
    ValueError
        If it is none of the kinds, or has signs or widths, that emission knows.
    """
    kind, pins = cell.kind, cell.pins
    width = signal_width(pins["Y"])
    left, right = pins["A"], pins.get("B", ())
    signed = bool(cell.parameters.get("A_SIGNED"))
    both = signed and bool(cell.parameters.get("B_SIGNED"))
    if kind == "$mux":
        return Operation("choice", (pins["S"], right, left), _choice, TERNARY, width)
    if kind in _BITWISE:
        symbol, binding, word = _BITWISE[kind]
        return _binary(word, symbol, binding, (left, right), (both, both), width)
    if kind in _SUMS:
        symbol, word = _SUMS[kind]
        return _binary(word, symbol, SUM, (left, right), (both, both), width)
    if kind in ("$not", "$neg"):
        symbol, word = ("~", "not") if kind == "$not" else ("-", "negative")
        operand = fitted(left, width, signed)
        return Operation(word, (operand,), lambda a: f"{symbol}{a}", UNARY, width)
    if kind == "$mul":
        return _product(left, right, both, width)
    if kind == "$pos":
        return Operation("value", (fitted(left, width, signed),), lambda a: f"{a}", ATOM, width)
    if kind == "$xnor":
        operands = (fitted(left, width, both), fitted(right, width, both))
        return Operation("same", operands, lambda a, b: f"{a} ~^ {b}", XOR, width)
    if kind in ("$shl", "$sshl"):
        _require_unsigned(cell)
        operands = (fitted(left, width, signed), right)
        return Operation("shifted", operands, lambda a, b: f"{a} << {b}", SHIFT, width)
    if kind in SHIFTS_RIGHT or kind == "$sshr":
        _require_unsigned(cell)
        whole = max(width, signal_width(left))
        operands = (fitted(left, whole, signed), right)
        if kind == "$sshr" and signed:
            arithmetic = "$signed({}) >>> {}"
            return Operation(
                "shifted", operands, arithmetic.format, SHIFT, whole, nests=False, wraps=True
            )
        if signed:
            raise ValueError(f"{kind} must have no sign")
        nests = whole == width
        return Operation("shifted", operands, lambda a, b: f"{a} >> {b}", SHIFT, whole, nests)
    if width != 1:
        raise ValueError(f"{kind} must have a result of one bit, not {width}")
    if kind in _ORDERS:
        return _comparison(kind, left, right, both)
    if kind in _REDUCTIONS:
        symbol, word = _REDUCTIONS[kind]
        if signal_width(left) == 1 and kind != "$reduce_xnor":
            return Operation(word, (left,), lambda a: f"{a}", ATOM, 1)
        if len(left) == signal_width(left) <= _FEW and symbol in "|&":
            bits = tuple((part,) for part in left)
            return Operation(
                word,
                bits,
                lambda *a: f" {symbol} ".join(a),
                OR if symbol == "|" else AND,
                1,
                chains=True,
            )
        return Operation(word, (left,), lambda a: f"{symbol}{a}", REDUCTION, 1)
    if kind in _LOGIC:
        symbol, binding, word = _LOGIC[kind]
        return Operation(word, (left, right), lambda a, b: f"{a} {symbol} {b}", binding, 1)
    if kind == "$logic_not":
        if signal_width(left) == 1:
            return Operation("not", (left,), lambda a: f"~{a}", UNARY, 1)
        zero = (Bits("0" * signal_width(left)),)
        return Operation("none", (left, zero), lambda a, b: f"{a} == {b}", EQUALITY, 1)
    raise ValueError(f"netlist must have only operators that emission knows, not {kind}")


def shifted_copy(cell: Cell) -> Signal | None:
    """Return the result of a product with a power of two as a concatenation; None for other cells."""
    if cell.kind != "$mul" or cell.parameters.get("A_SIGNED"):
        return None
    for factor, other in (
        (cell.pins["A"], cell.pins["B"]),
        (cell.pins["B"], cell.pins["A"]),
    ):
        if not all(isinstance(part, Bits) for part in factor):
            continue
        digits = "".join(part.value for part in factor if isinstance(part, Bits))
        if digits.count("1") == 1 and "x" not in digits:
            zeros = len(digits) - 1 - digits.index("1")
            copy = (*other, Bits("0" * zeros)) if zeros else other
            return fitted(copy, signal_width(cell.pins["Y"]), signed=False)
        if digits.strip("0") == "":
            return (Bits("0" * signal_width(cell.pins["Y"])),)
    return None


def _choice(condition: str, then: str, otherwise: str) -> str:
    return f"{condition} ? {then} : {otherwise}"


def _binary(
    word: str,
    symbol: str,
    binding: int,
    operands: tuple[Signal, Signal],
    signs: tuple[bool, bool],
    width: int,
) -> Operation:
    parts = tuple(fitted(part, width, sign) for part, sign in zip(operands, signs, strict=True))
    chains = symbol in ("&", "|", "^", "+")
    return Operation(word, parts, lambda a, b: f"{a} {symbol} {b}", binding, width, chains=chains)


def _product(left: Signal, right: Signal, signed: bool, width: int) -> Operation:
    """Product; signed operands keep their widths, of which synthesis takes the multiplier's."""
    if not signed:
        return _binary("product", "*", PRODUCT, (left, right), (False, False), width)
    operands = tuple(
        slice_signal(part, 0, min(width, signal_width(part))) for part in (left, right)
    )
    text = "$signed({}) * $signed({})"
    return Operation("product", operands, text.format, PRODUCT, width, nests=False, wraps=True)


def _comparison(kind: str, left: Signal, right: Signal, signed: bool) -> Operation:
    symbol, binding, word = _ORDERS[kind]
    width = max(signal_width(left), signal_width(right))
    operands = (fitted(left, width, signed), fitted(right, width, signed))
    if signed and binding == ORDER:
        text = f"$signed({{}}) {symbol} $signed({{}})"
        return Operation(word, operands, text.format, binding, 1, wraps=True)
    return Operation(word, operands, lambda a, b: f"{a} {symbol} {b}", binding, 1)


def _require_unsigned(cell: Cell) -> None:
    if cell.parameters.get("B_SIGNED"):
        raise ValueError(f"{cell.kind} must be by a number without a sign")


def fitted(signal: Signal, width: int, signed: bool = False) -> Signal:
    """Cut or extend a signal to a width."""
    present = signal_width(signal)
    if present >= width:
        return slice_signal(signal, 0, width)
    if signed and present:
        sign = slice_signal(signal, present - 1, 1)
        if not isinstance(sign[0], Bits):
            return (*sign * (width - present), *signal)
        fill = sign[0].value
    else:
        fill = "0"
    first, *rest = signal or (Bits(""),)
    if isinstance(first, Bits):
        return (Bits(fill * (width - present) + first.value), *rest)
    return (Bits(fill * (width - present)), *signal)
