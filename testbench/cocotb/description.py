"""Description of an accelerator and its program for a bench: a JSON file, and binary files beside it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["DESCRIPTION_FILE", "Description", "Place", "Predicted", "Probe", "Program", "WarmRun"]

DESCRIPTION_FILE = "bench.json"
"""Name of the description in its folder."""

VERSION = 1
"""Version of the format; docs/reference/cocotb.md lists the fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Tensors of one run in external memory, back to back, as their bytes lie there.

    Parameters
    ----------
    address : int
        First byte, relative to MEMORY_BASE.
    size_bytes : int
        Of all images of a run.
    runs : tuple of bytes
        What lies there: inputs before, or expected outputs after each run.
    mask : bytes
        For each byte 255 where it is specified, else 0: the rest of a last vector may be anything.
    """

    address: int
    size_bytes: int
    runs: tuple[bytes, ...]
    mask: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """Cycles of a run on the memory of the description, in program order.

    Parameters
    ----------
    cycles : int
        CYCLES after a run.
    counters : dict
        Other performance counters, by register name.
    start, issue_end, end : sequence of int
        Cycles of each descriptor from cycle 0 of the run; ``issue_end`` is -1 but for EXECUTE.
    """

    cycles: int
    counters: dict[str, int]
    start: Sequence[int]
    issue_end: Sequence[int]
    end: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmRun:
    """Run of a program that reads from the weight store what a whole run before has left there.

    Parameters
    ----------
    header_address : int
        Of its descriptors, relative to MEMORY_BASE. They are of the queues of the cold run's.
    predicted : Predicted
    """

    header_address: int
    predicted: Predicted


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Activations that lie in the local memories when an EXECUTE descriptor is done.

    Every PE holds, for each group g of ``groups``, in its bank g mod L, ``rows`` × ``columns`` vectors
    at ``address`` + (g div L)·``plane`` + row·``row`` + column.

    Parameters
    ----------
    execute_index : int
        Of the EXECUTE descriptor among those of its queue.
    layer : int
        Place in :attr:`Program.layers`.
    address, groups, rows, columns, plane, row : int
        Vectors.
    """

    execute_index: int
    layer: int
    address: int
    groups: int
    rows: int
    columns: int
    plane: int
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Program, its tensors, and what it must leave behind.

    Parameters
    ----------
    name : str
        Of the network.
    layers : tuple of str
    image : bytes
        External memory from MEMORY_BASE on: weights, room for tensors, header, descriptors.
    header_address : int
        Relative to MEMORY_BASE; of a cold run, where weights stay in the weight store.
    warm : WarmRun or None
        None where nothing stays.
    images : int
        How many a run computes.
    watchdog : int
        Cycles without any event after which a run hangs.
    queues : tuple of int
        Queue of every descriptor, in program order: place in :attr:`Description.queues`.
    layer_indices : tuple of int
        Layer of every descriptor: place in ``layers``.
    inputs : Place
        Its mask is empty.
    outputs : Place
    predicted : Predicted
        Of the run of ``header_address``.
    probes : tuple of Probe
    activations : tuple of bytes
        For every run, for every probe in order, bytes [pe_y][pe_x][group][row][column][S].
    activation_mask : bytes
        Of a run, as :attr:`Place.mask`.
    """

    name: str
    layers: tuple[str, ...]
    image: bytes
    header_address: int
    warm: WarmRun | None
    images: int
    watchdog: int
    queues: tuple[int, ...]
    layer_indices: tuple[int, ...]
    inputs: Place
    outputs: Place
    predicted: Predicted
    probes: tuple[Probe, ...]
    activations: tuple[bytes, ...]
    activation_mask: bytes

    @property
    def runs(self) -> int:
        """Runs that there are inputs for."""
        return len(self.inputs.runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Accelerator with the names of its registers and bits, and a program for it.

    Parameters
    ----------
    top : str
        Top module.
    accelerator : dict
        Its configuration, as design files have it.
    clock_mhz : int
    pes_y, pes_x, lanes, vector_bytes, bank_depth : int
        Grid, lanes of a PE (each with a bank), bytes of a vector, vectors of a bank.
    bus_bytes, descriptor_bus_bytes : int
        Of a beat of ``m_axi`` and ``m_axi_desc``.
    memory_latency : int
        Cycles from an address to the first beat, and from the last beat to its response, that the
        cycles are predicted for.
    registers : dict
        Byte offset of every register, by name.
    reset_values : dict
        Of registers that do not read 0 after a reset.
    control_bits, status_bits, interrupts : tuple of str
        Bits of CONTROL, of STATUS, and of IRQ_ENABLE and IRQ_PENDING, from bit 0 up.
    counters : tuple of str
        Performance counters.
    stop_causes, stop_ports : tuple of str
        Values of the fields of ERROR.
    queues : tuple of str
        Descriptor queues, as the ``trace_*`` ports name them.
    program : Program
    """

    top: str
    accelerator: dict[str, Any]
    clock_mhz: int
    pes_y: int
    pes_x: int
    lanes: int
    vector_bytes: int
    bank_depth: int
    bus_bytes: int
    descriptor_bus_bytes: int
    memory_latency: int
    registers: dict[str, int]
    reset_values: dict[str, int]
    control_bits: tuple[str, ...]
    status_bits: tuple[str, ...]
    interrupts: tuple[str, ...]
    counters: tuple[str, ...]
    stop_causes: tuple[str, ...]
    stop_ports: tuple[str, ...]
    queues: tuple[str, ...]
    program: Program

    @classmethod
    def load(cls, folder: str | Path) -> "Description":
        """Read ``bench.json`` and the files that it names from a folder.

        Raises
        ------
        ValueError
            If the file is of another version.
        """
        path = Path(folder)
        fields = json.loads((path / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        version = fields.pop("version")
        if version != VERSION:
            raise ValueError(f"version of {DESCRIPTION_FILE} must be {VERSION}, not {version!r}")
        program = _program(path, fields.pop("program"))
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in fields.items()
        }
        return cls(program=program, **values)

    @property
    def execute_queue(self) -> int:
        """Number of the queue whose descriptors have an end of issue."""
        return self.queues.index("execute")

    def probe_bytes(self, probe: Probe) -> int:
        """Bytes of a probe's activations in one run."""
        vectors = self.pes_y * self.pes_x * probe.groups * probe.rows * probe.columns
        return vectors * self.vector_bytes


def _program(folder: Path, fields: dict[str, Any]) -> Program:
    predicted = fields["predicted"]
    warm = fields.get("warm")
    runs = fields["runs"]
    return Program(
        name=fields["name"],
        layers=tuple(fields["layers"]),
        image=(folder / fields["image"]).read_bytes(),
        header_address=fields["header_address"],
        warm=None
        if warm is None
        else WarmRun(
            header_address=warm["header_address"], predicted=Predicted(**warm["predicted"])
        ),
        images=fields["images"],
        watchdog=fields["watchdog"],
        queues=tuple(fields["descriptors"]["queue"]),
        layer_indices=tuple(fields["descriptors"]["layer"]),
        inputs=_place(folder, fields["inputs"], runs),
        outputs=_place(folder, fields["outputs"], runs),
        predicted=Predicted(**predicted),
        probes=tuple(Probe(**probe) for probe in fields["probes"]),
        activations=_runs(folder, fields["activations"], runs),
        activation_mask=_mask(folder, fields["activations"]),
    )


def _place(folder: Path, fields: dict[str, Any], runs: int) -> Place:
    return Place(
        address=fields["address"],
        size_bytes=fields["size_bytes"],
        runs=_runs(folder, fields, runs),
        mask=_mask(folder, fields),
    )


def _runs(folder: Path, fields: dict[str, Any], runs: int) -> tuple[bytes, ...]:
    data = (folder / fields["file"]).read_bytes()
    size = len(data) // runs
    return tuple(data[index * size : (index + 1) * size] for index in range(runs))


def _mask(folder: Path, fields: dict[str, Any]) -> bytes:
    name = fields["mask"]
    return b"" if name is None else (folder / name).read_bytes()
