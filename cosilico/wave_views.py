"""Views of a waveform file, for GTKWave and Surfer: the ports of the accelerator, by what they belong to."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosilico.fst_names import fst_signals
from sim.spec.errors import CosilicoError
from sim.spec.files import write_atomic
from sim.spec.wave_formats import WaveFormat

__all__ = ["GTKWAVE_SUFFIX", "SURFER_SUFFIX", "WaveSignal", "check_views", "ports", "write_views"]

GTKWAVE_SUFFIX, SURFER_SUFFIX = ".gtkw", ".sucl"

_BEGINNINGS = {
    GTKWAVE_SUFFIX: "[*] View of cosilico",
    SURFER_SUFFIX: "divider_add cosilico",  # command files of Surfer have no documented comments
}
_GROUPS = {
    "Descriptors": "trace_",
    "Descriptor port": "m_axi_desc_",
    "Data port": "m_axi_",
    "Registers": "s_axil_",
}
"""Title of a group of ports, and how their names begin; the first that fits has a port."""

_HEADER_LIMIT = 1 << 24
_BIT, _VECTOR, _COMMENT = "@28", "@22", "@200"
"""Formats of GTKWave: binary, hexadecimal, a line of text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveSignal:
    """A signal of a waveform file.

    Parameters
    ----------
    path : str
        Scopes and name, with points between them.
    name : str
    bits : int
    """

    path: str
    name: str
    bits: int

    @property
    def bracketed(self) -> str:
        """Path as GTKWave names it: with the range of bits."""
        return self.path if self.bits == 1 else f"{self.path}[{self.bits - 1}:0]"


def ports(waves: Path) -> list[WaveSignal]:
    """Return the ports of the accelerator in a waveform file: the signals of the outermost scope with a ``clk``.

    Raises
    ------
    CosilicoError
        If there is no such scope.
    """
    fst = waves.suffix == f".{WaveFormat.FST}"
    known = _fst_scopes(waves) if fst else _vcd_scopes(waves)
    with_clock = [
        scope for scope, signals in known.items() if any(s.name == "clk" for s in signals)
    ]
    if not with_clock:
        raise CosilicoError(f"waveforms {str(waves)!r} must have a scope with the port clk")
    return known[min(with_clock, key=len)]


def _fst_scopes(waves: Path) -> dict[tuple[str, ...], list[WaveSignal]]:
    """Signals of every scope of an FST file."""
    known: dict[tuple[str, ...], list[WaveSignal]] = {}
    for signal in fst_signals(waves):
        path = ".".join((*signal.scopes, signal.name))
        port = WaveSignal(path=path, name=signal.name, bits=signal.bits)
        known.setdefault(signal.scopes, []).append(port)
    return known


def _vcd_scopes(waves: Path) -> dict[tuple[str, ...], list[WaveSignal]]:
    """Signals of every scope of a VCD file."""
    with waves.open(encoding="utf-8", errors="replace") as file:
        scopes: list[str] = []
        known: dict[tuple[str, ...], list[WaveSignal]] = {}
        read = 0
        for line in file:
            read += len(line)
            words = line.split()
            if not words:
                continue
            if words[0] == "$scope":
                scopes.append(words[2])
            elif words[0] == "$upscope":
                scopes.pop()
            elif words[0] == "$var":
                path = ".".join((*scopes, words[4]))
                signal = WaveSignal(path=path, name=words[4], bits=int(words[2]))
                known.setdefault(tuple(scopes), []).append(signal)
            elif words[0] == "$enddefinitions" or read > _HEADER_LIMIT:
                break
    return known


def write_views(waves: Path) -> tuple[Path, Path]:
    """Write the views of a waveform file beside it; return the files for GTKWave and for Surfer."""
    groups = list(_grouped(ports(waves)))
    return (
        _write(waves, GTKWAVE_SUFFIX, _gtkwave(waves, groups)),
        _write(waves, SURFER_SUFFIX, _surfer(waves, groups)),
    )


def check_views(waves: Path) -> None:
    """Refuse to replace views that another than cosilico made.

    Raises
    ------
    CosilicoError
        If there is such a file.
    """
    for suffix, beginning in _BEGINNINGS.items():
        path = waves.with_suffix(suffix)
        if path.exists() and not path.read_bytes().startswith(beginning.encode()):
            raise CosilicoError(f"{path} must be absent or a view of an earlier run")


def _write(waves: Path, suffix: str, lines: Iterator[str]) -> Path:
    path = waves.with_suffix(suffix)
    write_atomic(path, "\n".join((f"{_BEGINNINGS[suffix]}: {waves.name}", *lines)) + "\n")
    return path


def _grouped(signals: list[WaveSignal]) -> Iterator[tuple[str, list[WaveSignal]]]:
    rest = list(signals)
    taken = {}
    for title, prefix in _GROUPS.items():
        taken[title] = [signal for signal in rest if signal.name.startswith(prefix)]
        rest = [signal for signal in rest if not signal.name.startswith(prefix)]
    yield "Clock, reset and interrupt", rest
    yield from taken.items()


def _gtkwave(waves: Path, groups: list[tuple[str, list[WaveSignal]]]) -> Iterator[str]:
    yield f'[dumpfile] "{waves.name}"'
    yield "[timestart] 0"
    for title, signals in groups:
        yield _COMMENT
        yield f"-{title}"
        for signal in signals:
            yield _BIT if signal.bits == 1 else _VECTOR
            yield signal.bracketed


def _surfer(waves: Path, groups: list[tuple[str, list[WaveSignal]]]) -> Iterator[str]:
    yield f"load_file {waves.name}"
    for title, signals in groups:
        yield f"divider_add {title}"
        yield from (f"variable_add {signal.path}" for signal in signals)
    yield "zoom_fit"
