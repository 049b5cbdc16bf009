"""Realizability: whether a configuration can be generated and a network compiled for it.

The generator, the compiler, the model and the search all ask here; none has rules of its own. Who
goes on with a pair takes the plan from :func:`map_realizable` or :func:`attempt`, so that it is mapped
once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from sim.arrays.plan_columns import Failure
from sim.golden import POOL_COUNT_LIMIT
from sim.mapping.descriptor_counts import MAX_DESCRIPTORS
from sim.plan import Mapped, Refusal, map_network, network_tables
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import BANK_ADDRESS_BITS, FIELDS, Field
from sim.spec.errors import NotRealizableError
from sim.spec.fpga_devices import RESOURCES, FpgaBudget
from sim.spec.network import ADD_LEFT_SHIFT, Layer, LayerKind, Network, TensorSpec
from sim.timing.clock_reach import slowest_module

__all__ = [
    "Violation",
    "arithmetic_violations",
    "attempt",
    "channel_violations",
    "check",
    "describe",
    "map_realizable",
    "require",
    "require_generable",
    "table_violations",
]

MAX_BANK_DEPTH = 1 << BANK_ADDRESS_BITS
MIN_BANK_DEPTH = 2
MAX_PES = 8
MAX_SHIFT = 31
MAX_BUS_BYTES = 128
"""Most bytes of an AXI4 data bus: 1,024 bits."""

MIN_REGISTER_FILE_ROWS = 3
"""One row in each weight half, one row for accumulators."""

MAX_REGISTER_FILE_ROWS = 1 << 16
"""A lane's rows are addressed with 16 bits."""

MAX_STORE_ROWS = 1 << 20
"""A LOAD names its first row in the weight store with 20 bits."""

MAX_MEMORY_KB = 512 * 1024
"""Most KiB of weight store, local memories and register files of all PEs.

No accelerator of the template has more on a chip, and a simulation holds them in memory.
"""

_KERNEL_FIELDS = (("kernel_rows",), ("kernel_columns",))
_STRIDE_FIELDS = (("stride_y",), ("stride_x",))
_IMAGE_FIELDS = (
    ("rows", "bound_y", "pitch_y", "tile_rows", "window_rows"),
    ("columns", "bound_x", "pitch_x", "tile_columns", "window_columns"),
)
"""Descriptor fields that hold a part of a layer's kernel, stride and images: vertical, horizontal."""

MAX_CLOCK_MHZ = 10_000
"""Highest clock; no logic of today is faster."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A limit that a configuration breaks, or a network on it.

    Parameters
    ----------
    code : str
        ``GEN_…`` (the generator cannot build it), ``MAP_…`` (the network cannot be compiled) or
        ``PHYS_…`` (the modules do not reach the clock, or a budget is exceeded).
    detail : str
        One line naming the limit and both numbers.
    excess : float
        Distance from the limit, relative to it; positive.
    """

    code: str
    detail: str
    excess: float


def check(
    config: AcceleratorConfig,
    network: Network | None = None,
    *,
    images: int = 1,
    area_mm2: float | None = None,
    area_budget_mm2: float | None = None,
    taken: Mapping[str, float] | None = None,
    fpga: FpgaBudget | None = None,
    power_mw: float | None = None,
    power_budget_mw: float | None = None,
) -> list[Violation]:
    """List all violations of the configuration, or the first that stops the mapping; empty if none.

    Without a network the mapper is not asked.

    Parameters
    ----------
    config : AcceleratorConfig
    network : Network, optional
        Without it only the generator's rules are asked.
    images : int
        Images that a program computes.
    area_mm2, area_budget_mm2 : float, optional
        The configuration's area figure and its budget: gives PHYS_AREA.
    taken : mapping of str to float, optional
        What the configuration takes of an FPGA (``lut``, ``flip_flop``, ``dsp``, ``block_ram``,
        :func:`sim.cost.fpga_resources.resources`).
    fpga : FpgaBudget, optional
        What it may take, with `taken`: gives PHYS_LUT, PHYS_FF, PHYS_DSP and PHYS_BRAM.
    power_mw, power_budget_mw : float, optional
        The configuration's highest power (:func:`sim.cost.power.peak_power`) and its budget: gives PHYS_POWER.
    """
    violations = _configuration(config)
    if area_mm2 is not None and area_budget_mm2 is not None and area_mm2 > area_budget_mm2:
        detail = f"area is {area_mm2:.4f} mm2, but the budget is {area_budget_mm2:.4f}"
        violations.append(Violation("PHYS_AREA", detail, area_mm2 / area_budget_mm2 - 1))
    if power_mw is not None and power_budget_mw is not None and power_mw > power_budget_mw:
        detail = f"power is up to {power_mw:.4g} mW, but the budget is {power_budget_mw:.4g}"
        violations.append(Violation("PHYS_POWER", detail, power_mw / power_budget_mw - 1))
    if taken is not None and fpga is not None:
        violations += _fpga_violations(taken, fpga)
    if network is None or violations:
        return violations
    return _attempt(config, network, images)[0]


def _fpga_violations(taken: Mapping[str, float], fpga: FpgaBudget) -> list[Violation]:
    """List the resources of an FPGA of which there are not enough."""
    violations = []
    for name, (figure, code) in RESOURCES.items():
        needed, available = taken[figure], getattr(fpga, name)
        if needed > available:
            detail = f"{name} must be at most {available:g} on {fpga.name}, not {needed:.1f}"
            violations.append(Violation(code, detail, needed / max(available, 1) - 1))
    return violations


def require(config: AcceleratorConfig, network: Network | None = None, images: int = 1) -> None:
    """Raise :class:`NotRealizableError` with the line of the first violation, if there is any."""
    for violation in check(config, network, images=images):
        raise NotRealizableError(violation.detail)


def require_generable(config: AcceleratorConfig) -> None:
    """Raise :class:`NotRealizableError` with the line of the first rule of the generator that is broken.

    The clock does not count: RTL is the same at any.
    """
    for violation in _generator(config):
        raise NotRealizableError(violation.detail)


def map_realizable(config: AcceleratorConfig, network: Network, images: int = 1) -> Mapped:
    """Check and map a pair, ``images`` per program, in one go.

    Raises
    ------
    NotRealizableError
        With the line of the first violation of :func:`check`.
    """
    violations, mapped = attempt(config, network, images)
    if mapped is None:
        raise NotRealizableError(violations[0].detail)
    return mapped


def attempt(
    config: AcceleratorConfig, network: Network, images: int = 1
) -> tuple[list[Violation], Mapped | None]:
    """Check and map a pair in one go, for who goes on with either answer.

    Returns
    -------
    violations : list of Violation
        Those of :func:`check`.
    mapped : Mapped or None
        The plan, where there are no violations.
    """
    violations = _configuration(config)
    return (violations, None) if violations else _attempt(config, network, images)


def _attempt(
    config: AcceleratorConfig, network: Network, images: int
) -> tuple[list[Violation], Mapped | None]:
    """Map a network onto a configuration that can be generated: what stops it, or the plan."""
    violations = (
        arithmetic_violations(network)
        or table_violations(config, network)
        or channel_violations(config, network)
        or state_violations(network, images)
    )
    if violations:
        return violations, None
    if images > MAX_DESCRIPTORS:  # each image has a descriptor at least
        return [_too_many(images, images)], None
    mapped = map_network(config, network, images)
    if mapped.refusal is not None:
        return [describe(mapped.refusal, network, images)], None
    return [], mapped


def _configuration(config: AcceleratorConfig) -> list[Violation]:
    """List what stops a configuration whatever the network: generator rules, or else its clock."""
    violations = _generator(config)
    if not violations:
        slowest = slowest_module(config)
        if slowest.reach_mhz < config.clock_mhz:
            detail = (
                f"clock_mhz must be at most {slowest.reach_mhz}, which module {slowest.module!r} reaches, "
                f"not {config.clock_mhz}"
            )
            excess = config.clock_mhz / slowest.reach_mhz - 1
            violations.append(Violation("PHYS_CLOCK", detail, excess))
    return violations


def _generator(config: AcceleratorConfig) -> list[Violation]:
    violations = []

    def limit(code: str, detail: str, needed: float, available: float) -> None:
        violations.append(Violation(code, detail, max(needed / available - 1, 1e-3)))

    for name in ("pes_x", "pes_y"):
        value = getattr(config, name)
        if value > MAX_PES:
            limit("GEN_GRID", f"{name} must be at most {MAX_PES}, not {value}", value, MAX_PES)
    for name, low, high in (("simd_units", 4, 128), ("compute_lanes", 1, 8)):
        value = getattr(config, name)
        if value & (value - 1) or not low <= value <= high:
            detail = f"{name} must be a power of two in {low} … {high}, not {value}"
            limit("GEN_WIDTH", detail, max(value / high, low / value), 1)
    if violations:
        return violations
    depth = config.bank_depth
    if not MIN_BANK_DEPTH <= depth <= MAX_BANK_DEPTH:
        detail = (
            f"local_memory_kb gives banks of {depth} vectors, but they must have "
            f"{MIN_BANK_DEPTH} … {MAX_BANK_DEPTH}"
        )
        limit(
            "GEN_BANK_DEPTH", detail, max(depth / MAX_BANK_DEPTH, MIN_BANK_DEPTH / (depth + 1)), 1
        )
    if config.register_file_rows > MAX_REGISTER_FILE_ROWS:
        detail = (
            f"register_file_kb gives {config.register_file_rows} rows, but they must be "
            f"at most {MAX_REGISTER_FILE_ROWS}"
        )
        limit("GEN_REGISTER_FILE", detail, config.register_file_rows, MAX_REGISTER_FILE_ROWS)
    if config.weight_rows < 1:
        needed = MIN_REGISTER_FILE_ROWS * config.row_bytes
        available = config.register_file_kb * 1024
        detail = (
            f"two weight rows and an accumulator row of simd_units {config.simd_units} need "
            f"{needed} bytes, but register_file_kb gives {available}"
        )
        limit("GEN_REGISTER_FILE", detail, needed, available)
    widest = min(config.row_bytes, MAX_BUS_BYTES)
    if config.bus_bytes > widest:
        detail = (
            f"io_bandwidth_gbps needs a bus of {config.bus_bytes} bytes, "
            f"but at simd_units {config.simd_units} it can have {widest}"
        )
        limit("GEN_BUS", detail, config.bus_bytes, widest)
    if config.store_rows > MAX_STORE_ROWS:
        detail = (
            f"weight_store_kb gives {config.store_rows} rows, but they must be "
            f"at most {MAX_STORE_ROWS}"
        )
        limit("GEN_STORE", detail, config.store_rows, MAX_STORE_ROWS)
    memory_kb = config.weight_store_kb + config.pes * (
        config.local_memory_kb + config.compute_lanes * config.register_file_kb
    )
    if memory_kb > MAX_MEMORY_KB:
        detail = (
            f"local_memory_kb and register_file_kb of all PEs and lanes give {memory_kb} KiB, "
            f"but they must have at most {MAX_MEMORY_KB}"
        )
        limit("GEN_MEMORY", detail, memory_kb, MAX_MEMORY_KB)
    if config.clock_mhz > MAX_CLOCK_MHZ:
        detail = f"clock_mhz must be at most {MAX_CLOCK_MHZ}, not {config.clock_mhz}"
        limit("GEN_CLOCK", detail, config.clock_mhz, MAX_CLOCK_MHZ)
    return violations


_arithmetic: WeakKeyDictionary[Network, tuple[Violation, ...]] = WeakKeyDictionary()


def arithmetic_violations(network: Network) -> list[Violation]:
    """List requantizations that are out of range: no configuration can mend them.

    Kept while the network lives.
    """
    if network not in _arithmetic:
        _arithmetic[network] = tuple(_out_of_range(network))
    return list(_arithmetic[network])


def _out_of_range(network: Network) -> Iterator[Violation]:
    tensors = network.tensors
    for layer in network.layers:
        shifts = layer.shift.astype(int)
        left = int(shifts.max(initial=0))
        if layer.kind is LayerKind.ADD:
            left = max(ADD_LEFT_SHIFT + int(shifts[:2].max()), int(shifts[2]))
        if left > MAX_SHIFT:
            detail = (
                f"requantization of layer {layer.name!r} shifts left by {left}, "
                f"but the requantizer shifts by at most {MAX_SHIFT}"
            )
            yield Violation("MAP_SHIFT", detail, left / MAX_SHIFT - 1)
        count = _averaged(layer, tensors)
        if count >= POOL_COUNT_LIMIT:
            detail = (
                f"layer {layer.name!r} averages {count} values, "
                f"but the requantizer divides by at most {POOL_COUNT_LIMIT - 1}"
            )
            yield Violation("MAP_COUNT", detail, count / (POOL_COUNT_LIMIT - 1) - 1)


def table_violations(config: AcceleratorConfig, network: Network) -> list[Violation]:
    """List the first layer with an activation table, where the accelerator has none."""
    for layer in network.layers:
        if layer.table is not None and not config.activation_table:
            detail = f"layer {layer.name!r} needs an accelerator with activation_table 1, not 0"
            return [Violation("MAP_TABLE", detail, 1.0)]
    return []


def channel_violations(config: AcceleratorConfig, network: Network) -> list[Violation]:
    """List what concatenations are too large for, with each part in whole vectors."""
    try:
        network_tables(network, config.simd_units, config.compute_lanes)
    except ValueError as error:
        detail = f"with the parts of concatenations in whole vectors, {error}"
        return [Violation("MAP_CHANNELS", detail, 1.0)]
    return []


def state_violations(network: Network, images: int) -> list[Violation]:
    """List the first state of a network of which a program is to compute several images."""
    for state in network.states if images > 1 else ():
        detail = f"images must be 1 with state {state.name!r}, which each takes from the one before, not {images}"
        return [Violation("MAP_STATE", detail, images - 1.0)]
    return []


def _averaged(layer: Layer, tensors: dict[str, TensorSpec]) -> int:
    """Values over whose number a layer divides."""
    if layer.kind is LayerKind.AVERAGE_POOL:
        return layer.kernel[0] * layer.kernel[1]
    if layer.kind is LayerKind.GLOBAL_AVERAGE_POOL:
        source = tensors[layer.inputs[0]]
        return source.height * source.width
    return 1


def describe(refusal: Refusal, network: Network, images: int = 1) -> Violation:
    """Return the violation that stopped the mapping of a network, ``images`` per program."""
    name = network.layers[refusal.layer].name
    needed, available = refusal.needed, refusal.available
    excess = abs(needed - available) / max(abs(available), 1)
    if refusal.failure == Failure.WEIGHTS:
        detail = (
            f"weights of layer {name!r} need {needed} register-file rows per lane, "
            f"but register_file_kb gives {available}"
        )
        return Violation("MAP_WEIGHTS", detail, excess)
    if refusal.failure == Failure.TILE:
        detail = (
            f"the smallest tile of layer {name!r} needs {needed} vectors per bank, "
            f"but local_memory_kb gives {available}"
        )
        return Violation("MAP_TILE", detail, excess)
    if refusal.failure == Failure.BUS:
        detail = (
            f"layer {name!r} multiplies activations, for which the bus must have at most simd_units {available} bytes, "
            f"but io_bandwidth_gbps needs {needed}"
        )
        return Violation("MAP_BUS", detail, excess)
    if refusal.failure == Failure.DESCRIPTORS:
        return _too_many(images, needed)
    field = next(f for fields in FIELDS.values() for f in fields if f.name == refusal.column)
    rule = f"must be in {field.low} … {field.high}, not {needed}"
    detail = f"descriptor field {field.name} of layer {name!r} {rule}"
    if cause := _cause(field, network, refusal.layer):
        detail = f"{cause} exceeds {field.high}: descriptor field {field.name} {rule}"
    return Violation("MAP_FIELD", detail, excess)


def _cause(field: Field, network: Network, index: int) -> str:
    """Size of a layer that is too large for a field, in words of the layer; empty if none is."""
    layer = network.layers[index]
    source = network.tensors[layer.inputs[0]]
    for axis, (word, direction) in enumerate((("height", "vertical"), ("width", "horizontal"))):
        sizes = {
            f"kernel {word}": (layer.kernel[axis], _KERNEL_FIELDS[axis]),
            f"{direction} stride": (layer.stride[axis], _STRIDE_FIELDS[axis]),
            f"input {word}": (source.shape[axis], _IMAGE_FIELDS[axis]),
            f"output {word}": (layer.output.shape[axis], _IMAGE_FIELDS[axis]),
        }
        for what, (size, names) in sizes.items():
            if field.name in names and size > field.high:
                return f"{what} {size} of layer {layer.name!r}"
    return ""


def _too_many(images: int, descriptors: int) -> Violation:
    what = "a program" if images == 1 else f"a program of {images} images"
    detail = f"{what} needs up to {descriptors} descriptors, but it may have {MAX_DESCRIPTORS}"
    return Violation("MAP_PROGRAM", detail, descriptors / MAX_DESCRIPTORS - 1)
