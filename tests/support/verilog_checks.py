"""Static checks of emitted Verilog: Verilator's lint and a Yosys synthesis."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hwgen import verilator, yosys
from hwgen.file_names import FILE_LIST
from hwgen.subprocesses import run_program

__all__ = ["SynthesisReport", "lint", "listed_files", "synthesize"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisReport:
    """Yosys's counts for a design, each module counted as often as it is instantiated.

    Parameters
    ----------
    cells : int
        Word-level cells (adders, multipliers, multiplexers, registers), without memories.
    memories : int
        Memories that stayed memories.
    latches : int
        Latches; 0 in a correct design.
    warnings : tuple[str, ...]
        Yosys's warnings, among them undriven or multiply driven nets.
    """

    cells: int
    memories: int
    latches: int
    warnings: tuple[str, ...]


def lint(folder: Path, top: str) -> tuple[str, ...]:
    """Return the warnings of ``verilator --lint-only -Wall`` on the files that a folder's list names."""
    result = run_program(
        [
            verilator.executable(),
            *("--lint-only", "-Wall", "--top-module", top),
            *(str(path) for path in listed_files(folder)),
        ],
        environment=verilator.environment(),
    )
    warnings = tuple(line for line in result.stderr.splitlines() if line.startswith("%"))
    if result.returncode != 0 and not warnings:
        return (result.stderr.strip() or f"Verilator ended with {result.returncode}",)
    return warnings


def listed_files(folder: Path) -> list[Path]:
    """Return the files of Verilog that a folder's list names."""
    return [folder / name for name in (folder / FILE_LIST).read_text().split()]


def synthesize(folder: Path, top: str) -> SynthesisReport:
    """Run Yosys's ``synth`` up to word-level cells, module by module, with memories kept.

    Raises
    ------
    yosys.YosysError
        If the text is not accepted, or a net has no driver or several.
    """
    with tempfile.TemporaryDirectory() as directory:
        statistics = Path(directory) / "statistics.json"
        log = yosys.run(
            [
                *(f"read_verilog {path}" for path in listed_files(folder)),
                f"hierarchy -check -top {top}",
                f"synth -top {top} -run begin:fine",
                "check -assert",
                f"tee -q -o {statistics} stat -json",
            ]
        )
        design = json.loads(statistics.read_text(encoding="utf-8"))["design"]
    counts: dict[str, int] = design["num_cells_by_type"]
    memories = sum(count for kind, count in counts.items() if kind.startswith("$mem"))
    return SynthesisReport(
        cells=sum(count for kind, count in counts.items() if kind.startswith("$")) - memories,
        memories=memories,
        latches=sum(count for kind, count in counts.items() if "latch" in kind.lower()),
        warnings=tuple(line for line in log.splitlines() if line.startswith("Warning")),
    )
