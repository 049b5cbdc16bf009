"""Seeded co-simulation of the two views of the PE grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from hwgen.build_cache import cached_directory, content_key
from hwgen.emit import emit_grid
from hwgen.simulation_view import GRID_MODULE, grid_view, view_context
from hwgen.subprocesses import run_program
from sim.spec.accelerator import WINDOW_VECTORS, AcceleratorConfig
from sim.spec.files import cache_root
from sim.spec.views import View
from testbench.rtl.verilate import BUILD_RECIPE, BuildError, build_executable, toolchain_version

__all__ = ["Comparison", "ViewPair", "build_views"]

TEMPLATES = Path(__file__).parent / "templates"
TOP = "equivalence"
SIMULATION_MODULE = "simulation_grid"
OBSERVED = ("tile_read_data", "output vectors", "taken vectors", "heads of drain registers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Outcome of a co-simulation.

    Parameters
    ----------
    compared : int
        Cycles in which all was equal, up to the first difference.
    different : tuple of str
        What differed in the cycle after them; empty if nothing did.
    """

    compared: int
    different: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewPair:
    """Both views of one grid in one executable; see :func:`build_views`.

    Parameters
    ----------
    executable : Path
    fill_cycles : int
        Cycles that a run spends writing every memory, ahead of the comparison.
    """

    executable: Path
    fill_cycles: int

    def compare(self, *, seed: int, cycles: int, plusargs: Sequence[str] = ()) -> Comparison:
        """Drive both views with random control and compare them.

        Parameters
        ----------
        seed : int
            Of the control and of what the memories hold at power-up.
        cycles : int
            Cycles to compare.
        plusargs : sequence of str
            For ``$value$plusargs`` in the Verilog.
        """
        numbers = (str(seed), str(cycles + self.fill_cycles))
        result = run_program([str(self.executable), *numbers, *plusargs])
        if result.returncode != 0:
            raise BuildError(f"the comparison failed: {result.stderr.strip()}")
        compared, mismatch = map(int, result.stdout.split())
        different = tuple(name for bit, name in enumerate(OBSERVED) if mismatch >> bit & 1)
        return Comparison(compared=compared, different=different)


def build_views(config: AcceleratorConfig, *, build_root: Path | None = None) -> ViewPair:
    """Emit and compile both views of `config`'s grid side by side.

    Parameters
    ----------
    config : AcceleratorConfig
        Small memories make a short fill: it takes 4 cycles per row of the largest memory.
    build_root : Path, optional
        Where builds are kept; see :func:`sim.spec.files.cache_root`.
    """
    quarter = _quarter(config)
    bench = _bench(config, quarter)
    verilog = "\n".join((bench, grid_view(config, SIMULATION_MODULE), emit_grid(config)))
    main = (TEMPLATES / "equivalence.cpp").read_text()
    key = content_key(verilog, main, *BUILD_RECIPE, toolchain_version())

    def make(directory: Path) -> None:
        build_executable(
            directory,
            top=TOP,
            verilog=verilog,
            main=main,
            headers={},
            view=View.SIMULATION,
            grid=SIMULATION_MODULE,
            optimize=False,  # what the cycles take is less than what that would
        )

    directory = cached_directory((build_root or cache_root()) / "equivalence", key, make)
    return ViewPair(executable=directory / "harness", fill_cycles=4 * quarter + 4)


def _quarter(config: AcceleratorConfig) -> int:
    """Cycles in which every row of any memory can be written and the registers behind it flushed."""
    rows = max(config.bank_depth, 4 * config.weight_rows, config.accumulator_rows, WINDOW_VECTORS)
    return rows + 64


def _bench(config: AcceleratorConfig, quarter: int) -> str:
    text = (TEMPLATES / "equivalence.sv.j2").read_text()
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(text).render(
        view_context(config),
        synthesis=GRID_MODULE,
        simulation=SIMULATION_MODULE,
        inside="",
        quarter=quarter,
        rows={
            "control__quad": config.simd_units // 4,
            "control__weight_row": 2 * config.weight_rows,
            "control__restore_row": config.accumulator_rows,
            "control__save_row": config.accumulator_rows,
            "control__read_address": config.bank_depth,
            "control__write_address": config.bank_depth,
        },
    )
