"""Models that cannot be imported."""

from sim.spec.errors import CosilicoError

__all__ = ["CalibrationWarning", "UnsupportedModelError", "printable"]


_LONGEST = 1000
"""Most characters of an error line."""


class UnsupportedModelError(CosilicoError):
    """The model has an operator, type or parameter that the hardware has no arithmetic for."""

    def __init__(self, line: str) -> None:
        super().__init__(printable(line))


def printable(text: str) -> str:
    """One line of bounded length without anything that steers a terminal.

    Names in a file may hold any character, and many of them: of a long line the middle is left out.
    """
    line = " ".join(text.split())
    if len(line) > _LONGEST:
        line = f"{line[: _LONGEST // 2]}…{line[-_LONGEST // 2 :]}"
    return "".join(character if character.isprintable() else "�" for character in line)


class CalibrationWarning(UserWarning):
    """Calibration images say little of a range; the network is quantized nevertheless."""
