"""Models that cannot be imported."""

from sim.spec.errors import CosilicoError

__all__ = ["UnsupportedModelError", "printable"]


class UnsupportedModelError(CosilicoError):
    """The model has an operator, type or parameter that the hardware has no arithmetic for."""

    def __init__(self, line: str) -> None:
        super().__init__(printable(line))


def printable(text: str) -> str:
    """One line without anything that steers a terminal: names in a file may hold any character."""
    line = " ".join(text.split())
    return "".join(character if character.isprintable() else "�" for character in line)
