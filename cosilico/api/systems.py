"""Systems on a chip in the public API: a processor whose firmware runs a network, simulated and judged."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cosilico.api import arguments
from cosilico.api.networks import NetworkSource
from cosilico.api.pairs import AcceleratorSource, load_pair
from cosilico.api.simulation import default_image_set, given_images, with_host
from cosilico.api.table import Table
from cosilico.extras import require_extra, require_module
from cosilico.inputs import input_files
from cosilico.progress import Report
from sim.importers.host import ModelInputs
from sim.spec.design import Design

if TYPE_CHECKING:
    from cosilico.systems import SystemResult

__all__ = ["SimulatedSystem", "soc"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SimulatedSystem:
    """System on a chip that was written into a folder and simulated.

    Parameters
    ----------
    folder : Path
        Verilog, firmware, memory images, ``system.json`` and what the serial line carried.
    design : Design
    result : SystemResult
        All figures.
    """

    folder: Path
    design: Design
    result: "SystemResult"

    def __bool__(self) -> bool:
        """Return whether the system passed."""
        return self.passed

    def __repr__(self) -> str:
        """Return a line with the images, what differs, and the board's clock."""
        known = self.result
        board = ""
        if known.implementation is not None:
            met = "met" if known.implementation.timing_met else "missed"
            board = f", clock of {known.implementation.board.name} {met}"
        return (
            f"SimulatedSystem({self.design.network.name}: {len(known.classified)} images, "
            f"{known.run.cycles:,} cycles of the system, {len(known.differences)} differences{board})"
        )

    @property
    def passed(self) -> bool:
        """Whether the firmware printed the reference's classes and outputs, and a board's clock is reached."""
        return not (self.result.differences or self.result.too_slow)

    @property
    def differences(self) -> tuple[str, ...]:
        """Lines that say what differs from the integer reference."""
        return self.result.differences

    @property
    def classes(self) -> NDArray[np.int64]:
        """Class of each image as the firmware printed it: int64[images]."""
        return np.array([image.label for image in self.result.classified], np.int64)

    @property
    def images(self) -> Table:
        """Images in order: class, label where labels are known, and the accelerator's cycles."""
        labels = self.result.labels
        known = [None] * len(self.classes) if labels is None else labels.tolist()
        rows = [
            [image.image, image.label, label, image.cycles]
            for image, label in zip(self.result.classified, known, strict=True)
        ]
        return Table.of_rows("images", ("image", "class", "label", "cycles"), rows)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as a JSON object."""
        result, placed = self.result, self.result.implementation
        return {
            "folder": str(self.folder),
            "network": self.design.network.name,
            "accelerator": self.design.accelerator.to_json(),
            "clock_mhz": result.config.clock_hz / 1e6,
            "firmware_bytes": result.firmware_bytes,
            "cycles": result.run.cycles,
            "classes": self.classes.tolist(),
            "labels": None if result.labels is None else result.labels.tolist(),
            "differences": list(result.differences),
            "board": None if placed is None else placed.to_json(),
            "passed": self.passed,
        }


def soc(
    network: NetworkSource,
    accelerator: AcceleratorSource | None = None,
    *,
    out: str | Path,
    inputs: ModelInputs | None = None,
    labels: NDArray[np.integer[Any]] | None = None,
    images: int = 20,
    clock_mhz: float | None = None,
    baud: int = 1_000_000,
    board: str | None = None,
    placement_seed: int = 1,
    force: bool = False,
    seed: int = 0,
    progress: Report | None = None,
) -> SimulatedSystem:
    """Put a network into a system on a chip, and run it: firmware prints classes by a serial line.

    A RISC-V processor and the accelerator share a memory. The firmware is compiled, the whole system simulated, and what it printed compared with
    the integer reference.

    Parameters
    ----------
    network : Network, ImportedNetwork, Design, str or Path
        As of :func:`cosilico.load_network`. The class is that of its first output; all values of all outputs are compared.
    accelerator : AcceleratorConfig, str or Path, optional
        As of :func:`cosilico.load_accelerator`; a design's own if not given.
    out : str or Path
        Folder that is absent or empty; made with its parents.
    inputs : array, or a sequence of arrays, optional
    labels : array, optional
        As of :func:`cosilico.simulate`.
    images : int
        How many the firmware classifies at most: the first of ``inputs``, or of those that :func:`cosilico.simulate` runs.
    clock_mhz : float, optional
        Clock of the whole system; the board's if not given, 25 without a board.
    baud : int
        Bits per second on the serial line.
    board : str, optional
        Place and route the system for it as well, and write a bitstream: "ulx3s_85f".
    placement_seed : int
        Of the placement on the board.
    force : bool
        Replace what an earlier call made in ``out``, nothing else.
    seed : int
        Of a named network's weights.
    progress : callable, optional
        Called with the name of a step of the board's tools, how much of it is done and how much there is.

    Raises
    ------
    TypeError, ValueError
        With a line that names the argument that is wrong.
    NotRealizableError
        With the line of the first broken rule.
    CosilicoError
        If a file or ``inputs`` is wrong, ``out`` is not such a folder, the board does not hold the system, or the extras ``rtl`` and
        ``soc`` are not installed.
    MachineError
        If a compiler is not there, or the system cannot be simulated.
    """
    folder = arguments.path("out", out)
    count = arguments.positive_integer("images", images)
    baud = arguments.positive_integer("baud", baud)
    placement_seed = arguments.positive_integer("placement_seed", placement_seed)
    seed = arguments.seed_integer("seed", seed)
    clock = None if clock_mhz is None else arguments.number("clock_mhz", clock_mhz)
    if labels is not None and inputs is None:
        raise ValueError(f"labels must be None without inputs, not {labels!r}")
    require_extra("soc", "rtl")
    require_module("soc", "pythondata_cpu_picorv32")
    from cosilico.systems import CLOCK_HZ, make_system, require_board
    from hwgen.soc.boards import BOARDS
    from hwgen.soc.system_map import check_rates

    if board is not None and board not in BOARDS:
        raise ValueError(f"board must be {' or '.join(map(repr, BOARDS))}, not {board!r}")
    target = None if board is None else require_board(BOARDS[board])
    own = CLOCK_HZ if target is None else target.clock_hz
    clock_hz = own if clock is None else round(clock * 1e6)
    if target is not None and clock_hz != own:
        raise ValueError(f"clock_mhz must be that of {board!r}, {own / 1e6:g}, not {clock_mhz!r}")
    check_rates(clock_hz, baud)
    source = with_host(network)
    pair = load_pair(source, accelerator, seed=seed)
    if inputs is None:
        wanted = None if isinstance(network, str | Path) else count
        image_set = default_image_set(network, source, pair.network, wanted)
    else:
        image_set = given_images(source, pair.network, inputs, labels)
    image_set = image_set.first(min(count, len(image_set.x)))
    result = make_system(
        pair,
        image_set,
        folder,
        inputs=input_files(network, accelerator),
        clock_hz=clock_hz,
        baud=baud,
        board=target,
        seed=placement_seed,
        force=force,
        progress=progress or (lambda step, done, total: None),
    )
    return SimulatedSystem(folder=folder, design=pair, result=result)
