"""Values of signals in every clock cycle, from a waveform file (VCD) of an accelerator's run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from sim.spec.errors import CosilicoError

__all__ = ["Waves", "read_waves", "wave_paths"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waves:
    """Signals of a run, each at the end of every clock cycle, before the clock rises.

    Parameters
    ----------
    cycles : int
    widths : mapping of str to int
        Bits of all signals in the file, by path below the file's outermost scope.
    changes : mapping of str to list of (int, int)
        Of the signals that were asked for: cycles in which the value is another than in the cycle before, and the value.
    """

    cycles: int
    widths: Mapping[str, int]
    changes: Mapping[str, Sequence[tuple[int, int]]]

    def bits(self, path: str) -> NDArray[np.uint8]:
        """Values of a signal, uint8[cycles, bits], the lowest bit first."""
        width = self.widths[path]
        values = np.zeros((self.cycles, width), np.uint8)
        changes = self.changes[path]
        ends = [*(cycle for cycle, _ in changes[1:]), self.cycles]
        size = -(-width // 8)
        for (cycle, value), end in zip(changes, ends, strict=True):
            row = np.frombuffer(value.to_bytes(size, "little"), np.uint8)
            values[cycle:end] = np.unpackbits(row, bitorder="little")[:width]
        return values


def read_waves(path: Path, wanted: Iterable[str], *, clock: str = "clk") -> Waves:
    """Read signals of a waveform file.

    Parameters
    ----------
    path : Path
    wanted : iterable of str
        Paths of signals below the outermost scope; those that the file does not have are left out.
    clock : str
        Path of the clock.

    Raises
    ------
    CosilicoError
        If the file cannot be read, or has no such clock.
    """
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            signals = _signals(file)
            if clock not in signals:
                raise CosilicoError(f"waveforms {path} must have the signal {clock!r}")
            chosen = {signal for signal in wanted if signal in signals}
            cycles, changes = _changes(
                file, signals[clock][0], {signals[signal][0] for signal in chosen}
            )
    except OSError as error:
        raise CosilicoError(f"waveforms {path}: {error.strerror}") from None
    return Waves(
        cycles=cycles,
        widths={signal: width for signal, (_, width) in signals.items()},
        changes={signal: changes[signals[signal][0]] for signal in chosen},
    )


def wave_paths(path: Path) -> list[str]:
    """Paths of all signals of a waveform file."""
    with path.open(encoding="ascii", errors="replace") as file:
        return list(_signals(file))


def _signals(file: TextIO) -> dict[str, tuple[str, int]]:
    """Code and bits of every signal of a file, whose head is read."""
    scopes: list[str] = []
    signals: dict[str, tuple[str, int]] = {}
    for line in file:
        words = line.split()
        if not words:
            continue
        if words[0] == "$scope":
            scopes.append(words[2])
        elif words[0] == "$upscope":
            scopes.pop()
        elif words[0] == "$var":
            signals[".".join((*scopes[1:], words[4]))] = (words[3], int(words[2]))
        elif words[0] == "$enddefinitions":
            break
    return signals


def _changes(
    file: TextIO, clock: str, wanted: set[str]
) -> tuple[int, dict[str, list[tuple[int, int]]]]:
    """Cycles of a file behind its head, and the changes of some codes."""
    changed: dict[str, int] = {}
    changes: dict[str, list[tuple[int, int]]] = {code: [] for code in wanted}
    cycles, high = 0, True
    for at_clock, values in _steps(file, clock, wanted):
        if at_clock and not high:
            # What has changed with the rising clock belongs to the next cycle
            for code, value in changed.items():
                known = changes[code]
                if not known or known[-1][1] != value:
                    known.append((cycles, value))
            changed = {}
            cycles += 1
        high = at_clock
        changed |= values
    for code, known in changes.items():
        if not known or known[0][0] > 0:
            known.insert(0, (0, 0))
        changes[code] = known
    return cycles, changes


def _steps(file: TextIO, clock: str, wanted: set[str]) -> Iterator[tuple[bool, dict[str, int]]]:
    """Level of the clock and what changes of the wanted codes, at every time."""
    level = False
    values: dict[str, int] = {}
    begun = False
    for line in file:
        first = line[0]
        if first == "#":
            if begun:
                yield level, values
            begun, values = True, {}
        elif first in "01":
            code = line[1:].rstrip()
            if code == clock:
                level = first == "1"
            if code in wanted:
                values[code] = int(first)
        elif first == "b":
            number, code = line[1:].split()
            if code in wanted:
                values[code] = int(number.replace("x", "0").replace("z", "0"), 2)
    if begun:
        yield level, values
