"""Layout of Verilog text: constants, ranges, statements in lines of bounded length."""

import textwrap

__all__ = ["LINE", "block", "constant", "range_text", "wrapped"]

LINE = 100
"""Longest line, except where a name is longer."""

_DECIMAL = 1000
"""Numbers from this on are hexadecimal."""


def constant(bits: str) -> str:
    """Return bits, the highest first, as a number of their width."""
    width = len(bits)
    if "x" in bits:
        return f"{width}'bx" if bits.strip("x") == "" else f"{width}'b{bits}"
    number = int(bits, 2)
    if width == 1:
        return f"1'b{number}"
    return f"{width}'d{number}" if number < _DECIMAL else f"{width}'h{number:x}"


def range_text(width: int) -> str:
    """Return the range of a declaration with a space ahead; nothing for one bit."""
    return f" [{width - 1}:0]" if width > 1 else ""


def wrapped(line: str) -> list[str]:
    """Break a long line: a chain of choices behind each choice, all else between words."""
    if len(line) <= LINE:
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    lines: list[str] = []
    for arm in _arms(line.strip()):
        text, colon = (arm[:-2], " :") if arm.endswith(" :") else (arm, "")
        lines += textwrap.wrap(
            text,
            LINE - len(colon),
            initial_indent=f"{indent}    " if lines else indent,
            subsequent_indent=f"{indent}        " if lines else f"{indent}    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines[-1] += colon
    return lines


def block(indent: str, head: str, statements: list[str]) -> list[str]:
    """Return statements behind a condition, a single statement on the same line."""
    if len(statements) == 1:
        line = f"{indent}{head}{statements[0]}"
        if len(line) <= LINE or not head:
            return wrapped(line)
        return [f"{indent}{head.rstrip()}", *wrapped(f"{indent}  {statements[0]}")]
    lines = [line for text in statements for line in wrapped(f"{indent}  {text}")]
    return [f"{indent}{head}begin", *lines, f"{indent}end"]


def _arms(text: str) -> list[str]:
    """Split behind the colons that are in no parentheses."""
    arms, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and text[place : place + 3] == " : ":
            arms.append(text[start : place + 2])
            start = place + 3
    return [*arms, text[start:]]
