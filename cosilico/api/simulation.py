"""Simulations of the public API: a network on emitted Verilog, every activation compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cosilico.api import arguments
from cosilico.api.networks import NetworkSource, import_network
from cosilico.api.pairs import AcceleratorSource, calibration_in_force, load_pair
from cosilico.api.table import Table
from cosilico.extras import require_extra
from cosilico.images import ImageSet, images_for, random_images, require_memory
from cosilico.imports import imported_images, load_imported
from cosilico.networks import MODEL_SUFFIXES, is_named
from cosilico.photographs import default_images
from cosilico.progress import Report
from sim.importers.folder import ImportedNetwork
from sim.importers.host import ModelInputs
from sim.spec.design import Design
from sim.spec.engines import Engine
from sim.spec.errors import CosilicoError
from sim.spec.inputs import join
from sim.spec.memories import DETERMINISTIC, FixedLatency, MemorySystem
from sim.spec.network import Network
from sim.spec.views import View

if TYPE_CHECKING:
    from testbench.validation.simulation_result import SimulationResult

__all__ = ["SimulatedRun", "default_image_set", "given_images", "simulate", "with_host"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SimulatedRun:
    """Measured run of a network on an accelerator in RTL, compared with reference and prediction.

    Parameters
    ----------
    design : Design
    result : SimulationResult
        All figures and arrays.
    """

    design: Design
    result: "SimulationResult"

    def __bool__(self) -> bool:
        """Return whether the run passed."""
        return self.passed

    def __repr__(self) -> str:
        """Return a line with cycles, images and what differs."""
        known = self.result
        return (
            f"SimulatedRun({self.design.network.name}: {known.images} images, "
            f"{known.measured_cycles:,} measured and {known.predicted_cycles:,} predicted cycles, "
            f"{known.view} view, {known.mismatched_activations} activations and "
            f"{known.mismatched_cycles} cycle counts differ)"
        )

    @property
    def passed(self) -> bool:
        """Whether all activations are right, and all cycles are as predicted for the memory."""
        return self.result.passed

    @property
    def cycles(self) -> int:
        """Measured cycles of a program from doorbell to done, in the first run."""
        return self.result.measured_cycles

    @property
    def outputs(self) -> NDArray[np.int8]:
        """The network's first output, the only one of most: int8[images, height, width, channels]."""
        return self.result.outputs

    @property
    def named_outputs(self) -> Mapping[str, NDArray[np.int8]]:
        """All outputs of the network by name, in its order."""
        return self.result.named_outputs

    @property
    def layers(self) -> Table:
        """Layers in order: predicted and measured cycles, and activations that differ."""
        columns = (
            "name",
            "kind",
            "macs",
            "predicted_cycles",
            "measured_cycles",
            "utilization",
            "mismatched_activations",
        )
        rows = [[getattr(layer, name) for name in columns] for layer in self.result.layers]
        return Table.of_rows("layers", ("layer", *columns[1:]), rows)

    def to_json(self) -> dict[str, Any]:
        """Return everything but the arrays as a JSON object."""
        return {
            "network": self.design.network.name,
            "accelerator": self.design.accelerator.to_json(),
            **self.result.to_json(),
            "passed": self.passed,
        }


def simulate(
    network: NetworkSource,
    accelerator: AcceleratorSource | None = None,
    *,
    inputs: ModelInputs | None = None,
    labels: NDArray[np.integer[Any]] | None = None,
    images: int | None = None,
    batch: int = 1,
    view: View | str = View.SIMULATION,
    engine: Engine | str = Engine.VERILATOR,
    memory: MemorySystem | str | Path = DETERMINISTIC,
    stall_seed: int | None = None,
    seed: int = 0,
    stream: bool = False,
    jobs: int | None = None,
    progress: Report | None = None,
) -> SimulatedRun:
    """Run a network on an accelerator in RTL; compare every activation and cycle count.

    Parameters
    ----------
    network : Network, ImportedNetwork, Design, str or Path
        As of :func:`cosilico.load_network`.
    accelerator : AcceleratorConfig, str or Path, optional
        As of :func:`cosilico.load_accelerator`; a design's own if not given.
    inputs : array, or a sequence of arrays, optional
        int8[n, height, width, channels]; for an imported network in its model's own type and layout.
        Without it a named network runs its default picture or noise, a file the ``test.npz`` beside
        it if that exists, and anything else random images.
    labels : int64[n], optional
        With ``inputs``, and only then: the accuracy is measured.
    images : int, optional
        How many of the inputs to run; all if not given.
    batch : int
        Images per program.
    view : View or str
        "simulation", the fast form of the datapath, or "synthesis", the netlist itself.
    engine : Engine or str
        "verilator", the C++ harness, or "cocotb"; their figures are the same.
    memory : FixedLatency, DramSystem, str or Path
        What lies behind the ports, as of :func:`cosilico.load_memory`.
    stall_seed : int, optional
        Seed of random stalls on a memory of fixed latency.
    seed : int
        Of a named network's weights.
    stream : bool
        Whether the images are computed as a stream as well, each while the next image's input comes.
    jobs : int, optional
        Processes that share the images; without it as many as there are processors.
    progress : callable, optional
        Called with the name of a step, how much of it is done and how much there is.

    Raises
    ------
    TypeError, ValueError
        With a line that names the argument that is wrong.
    NotRealizableError
        With the line of the first broken rule.
    CosilicoError
        If a file or ``inputs`` is wrong, or the extra ``rtl`` is not installed.
    """
    count = None if images is None else arguments.positive_integer("images", images)
    batch = arguments.positive_integer("batch", batch)
    processes = None if jobs is None else arguments.positive_integer("jobs", jobs)
    view = arguments.member("view", View, view)
    engine = arguments.member("engine", Engine, engine)
    memory = arguments.memory(memory)
    if stall_seed is not None:
        stall_seed = arguments.seed_integer("stall_seed", stall_seed)
    seed = arguments.seed_integer("seed", seed)
    if labels is not None and inputs is None:
        raise ValueError(f"labels must be None without inputs, not {labels!r}")
    require_extra("simulate", "rtl")
    from cosilico.simulation import simulate_design

    if stall_seed is not None and not isinstance(memory, FixedLatency):
        raise CosilicoError(f"stall_seed must be None with memory {memory!s}, not {stall_seed!r}")
    source = with_host(network)
    pair = load_pair(source, accelerator, seed=seed)
    if inputs is None:
        image_set = default_image_set(network, source, pair.network, count)
    else:
        image_set = given_images(source, pair.network, inputs, labels).first(count)
    require_memory(pair.network, len(image_set.x))
    result = simulate_design(
        pair,
        image_set,
        calibration_in_force(),
        progress or (lambda step, done, total: None),
        memory=memory,
        stall_seed=stall_seed,
        view=view,
        engine=engine,
        batch=batch,
        stream=stream,
        jobs=processes,
    )
    return SimulatedRun(design=pair, result=result)


def with_host(network: NetworkSource) -> NetworkSource:
    """The imported network, with its host's steps, of a model file or a folder; others as they are."""
    if not isinstance(network, str | Path):
        return network
    if Path(network).suffix in MODEL_SUFFIXES:
        return import_network(network)
    return load_imported(str(network)) if Path(network).is_dir() else network


def default_image_set(
    network: NetworkSource, source: NetworkSource, loaded: Network, count: int | None
) -> ImageSet:
    """Images that a caller did not give."""
    if not isinstance(network, str | Path):
        return random_images(loaded, count)
    if isinstance(source, ImportedNetwork):
        path = Path(network)
        return imported_images(source, path if path.is_dir() else path.parent, None, count)
    if is_named(str(network)):
        return default_images(loaded.input).first(count)
    return images_for(Path(network), loaded, None, count)


def _joined(loaded: Network, inputs: ModelInputs) -> NDArray[Any]:
    """Images of a network that is not imported, whose inputs may be an array each."""
    if isinstance(inputs, np.ndarray) or not loaded.further_inputs:
        return np.asarray(inputs)
    if len(inputs) != len(loaded.inputs):
        rule = f"inputs must be {len(loaded.inputs)} arrays, one for each input of the network"
        raise CosilicoError(f"{rule}, not {len(inputs)}")
    names = (spec.name for spec in loaded.inputs)
    try:
        return join(loaded.inputs, dict(zip(names, inputs, strict=True)))
    except ValueError as error:
        raise CosilicoError(str(error)) from None


def given_images(
    source: NetworkSource,
    loaded: Network,
    inputs: ModelInputs,
    labels: NDArray[np.integer[Any]] | None,
) -> ImageSet:
    """Return a caller's images as the accelerator reads them, and their labels.

    Raises
    ------
    CosilicoError
        If they do not fit the network.
    """
    x = (
        source.host.prepare(inputs)
        if isinstance(source, ImportedNetwork)
        else _joined(loaded, inputs)
    )
    shape = loaded.image_shape
    if x.dtype != np.int8 or x.shape[1:] != shape or not len(x):
        expected = f"int8 of shape (n, {', '.join(map(str, shape))})"
        raise CosilicoError(f"inputs must be {expected}, not {x.dtype} of shape {x.shape}")
    if labels is None:
        return ImageSet(x)
    y = np.asarray(labels)
    if not np.issubdtype(y.dtype, np.integer) or y.shape != (len(x),):
        rule = f"labels must be integers of shape ({len(x)},)"
        raise CosilicoError(f"{rule}, not {y.dtype} of shape {y.shape}")
    return ImageSet(x, y.astype(np.int64))
