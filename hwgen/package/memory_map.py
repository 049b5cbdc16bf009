"""Memory of a program by region: weights, tensors, headers and descriptors."""

from collections.abc import Iterator
from dataclasses import dataclass

from hwgen.driver.program_data import DriverProgram
from hwgen.placement import TensorPlacement
from sim.arrays.plan_columns import LayerPlan, TensorPlan
from sim.arrays.tables import TensorColumn
from sim.plan import Mapped
from sim.spec.header import program_bytes, read_header

__all__ = ["Region", "memory_map", "memory_page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Bytes of external memory.

    Parameters
    ----------
    offset : int
        From MEMORY_BASE on.
    size_bytes : int
    kind : {"weights", "tensor", "state", "commands"}
    name : str
        Of the layer, the tensor or the kind of run.
    """

    offset: int
    size_bytes: int
    kind: str
    name: str

    @property
    def end(self) -> int:
        """First byte behind."""
        return self.offset + self.size_bytes


def memory_map(mapped: Mapped, described: DriverProgram) -> tuple[Region, ...]:
    """Return all regions of a program, by rising offset; none overlaps another."""
    regions = (*_weights(mapped, described), *_tensors(mapped), *_commands(described))
    return tuple(sorted(regions, key=lambda region: region.offset))


def memory_page(mapped: Mapped, described: DriverProgram) -> str:
    """Return the map as a page of Markdown."""
    program = described.program
    rows = [
        f"| 0x{region.offset:08X} | {region.size_bytes:,} | {region.kind} | {_cell(region.name)} |"
        for region in memory_map(mapped, described)
    ]
    return "\n".join(
        [
            "# Memory of the program\n",
            f"{program.memory_bytes:,} bytes from MEMORY_BASE on, which is a multiple of 4 KiB. What is not",
            "named is not used. A tensor lies there as `[group][y][x]`, each pixel `pixel_bytes` after the one",
            "before; images of a program lie one behind the other.\n",
            "| offset | bytes | kind | of |",
            "|---|---:|---|---|",
            *rows,
            "",
            *(_layout("input", *named) for named in program.inputs.places.items()),
            *(_layout("output", *named) for named in program.outputs.places.items()),
        ]
    )


def _cell(name: str) -> str:
    """Return a name as it may stand in a table of Markdown."""
    return name.replace("|", "\\|")


def _layout(kind: str, name: str, place: TensorPlacement) -> str:
    spans = ", ".join(f"{first} … {first + count - 1}" for first, count in place.segments)
    return (
        f"The {kind} {name}: {place.height} rows of {place.width} pixels of {place.channels} channels, "
        f"`vector_bytes` {place.vector_bytes}, `pixel_bytes` {place.pixel_bytes}, int8"
        f"{f'; channels lie at {spans}' if spans else ''}.\n"
    )


def _weights(mapped: Mapped, described: DriverProgram) -> Iterator[Region]:
    """Yield each layer's weights; a layer's end where the next begins, or the input."""
    starts = mapped.layer_plan[:, LayerPlan.BLOCK_ADDRESS].tolist()
    ends = [*starts[1:], described.program.input.address]
    for layer, start, end in zip(mapped.source.layers, starts, ends, strict=True):
        if end > start:
            yield Region(offset=start, size_bytes=end - start, kind="weights", name=layer.name)


def _tensors(mapped: Mapped) -> Iterator[Region]:
    """Yield the tensors that have a place in external memory; parts of concatenations and of states lie in these."""
    plan, roots = mapped.tensor_plan, mapped.tensors[:, TensorColumn.ROOT]
    states = {state.name for state in mapped.source.states}
    places = sorted(
        (int(plan[number, TensorPlan.EXTERNAL]), name)
        for number, name in enumerate(mapped.source.tensors)
        if plan[number, TensorPlan.STORED] and roots[number] in (-1, number)
    )
    ends = [*(place for place, _ in places[1:]), mapped.end]
    for (start, name), end in zip(places, ends, strict=True):
        kind = "state" if name in states else "tensor"
        yield Region(offset=start, size_bytes=end - start, kind=kind, name=name)


def _commands(described: DriverProgram) -> Iterator[Region]:
    """Yield the lists of descriptors with their headers."""
    program = described.program
    cold, warm = program.header_address, program.warm_address
    headers = {"cold run": cold, "warm run": warm} if warm != cold else {"run": cold}
    if described.first_address:
        headers["first run of a stream"] = described.first_address
        headers["steady run of a stream"] = described.steady_address
    for name, address in headers.items():
        count = read_header(program.image[address:]).count
        yield Region(offset=address, size_bytes=program_bytes(count), kind="commands", name=name)
