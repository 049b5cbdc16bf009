"""Samples of energy: a workload's run on an accelerator in RTL, simulated again in mapped modules, kept in the cache."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwgen.gateware_hash import gateware_hash
from hwgen.program import compile_mapped
from hwgen.synthesis.cell_power import read_power
from hwgen.synthesis.design import map_design
from hwgen.synthesis.mapping import CACHE_FOLDER
from hwgen.synthesis.targets import StandardCellFlow
from sim.model import predict_mapped
from sim.realizability import map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.files import cache_root, temporary_folder, write_atomic
from sim.spec.memories import DETERMINISTIC
from sim.spec.network import Network
from sim.spec.network_json import network_digest
from sim.spec.views import View
from sim.spec.wave_formats import WaveFormat
from sim.timing import calibration
from testbench.power.direct import (
    SAMPLED,
    MacroAccesses,
    ModuleEnergy,
    PoweredModules,
    RunEnergy,
    run_energy,
)
from testbench.rtl import harness
from testbench.rtl.harness import check_run
from testbench.rtl.memory_model import MemoryModel
from testbench.validation.store_runs import steps_of

__all__ = ["EnergySample", "sample_energy"]

_VERSION = "3"
"""Changes with what is kept."""

_FILE = "energy.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergySample:
    """Energy of a run, and what the model knows of it.

    Parameters
    ----------
    config : AcceleratorConfig
    workload : str
    cycles, execute_busy, macs, read_bytes, write_bytes, store_bytes : int
        As the performance model predicts them; the cycles are those of the RTL as well.
    results : int
        Values that the workload's layers make.
    energy : RunEnergy
    """

    config: AcceleratorConfig
    workload: str
    cycles: int
    execute_busy: int
    macs: int
    read_bytes: int
    write_bytes: int
    store_bytes: int
    results: int
    energy: RunEnergy


def sample_energy(
    config: AcceleratorConfig,
    networks: Sequence[Network],
    flow: StandardCellFlow,
    *,
    sampled: int = SAMPLED,
    jobs: int | None = None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> list[EnergySample]:
    """Run networks on an accelerator and simulate its modules, or take samples from the cache.

    Every network has one image, and is run once more where the run before has filled the weight store.

    Parameters
    ----------
    config : AcceleratorConfig
    networks : sequence of Network
    flow : StandardCellFlow
    sampled : int
        Instances of a large module that are simulated and stand for all.
    jobs : int, optional
        Processes that map modules; without it as many as there are processors.
    progress : callable
        Called with the name of a step, how much of it is done and how much there is.

    Raises
    ------
    NotRealizableError
        If a network does not fit the accelerator.
    RuntimeError
        If the RTL takes other cycles than the model says, or a netlist shows other values than the RTL.
    """
    files = [_entry(config, network, flow, sampled) / _FILE for network in networks]
    missing = [
        (network, file) for network, file in zip(networks, files, strict=True) if not file.is_file()
    ]
    if missing:
        modules = map_design(config, flow, jobs=jobs, progress=progress)
        powered = PoweredModules(modules, flow, read_power(flow.library.path))
        progress("build", 0, 1)
        built = harness.build(config, waves=WaveFormat.VCD, view=View.SYNTHESIS, optimize=False)
        progress("build", 1, 1)
        for network, file in missing:
            with temporary_folder() as folder:
                waves = folder / "waves.vcd"
                figures = _run(config, network, built, waves)
                energy = run_energy(powered, waves, sampled=sampled, progress=progress)
            if energy.cycles != figures["cycles"]:
                raise RuntimeError(
                    f"run of {network.name} must take {figures['cycles']} cycles, not {energy.cycles}"
                )
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(file, json.dumps({**figures, "energy": asdict(energy)}) + "\n")
    return [_sample(config, network, file) for network, file in zip(networks, files, strict=True)]


def _run(
    config: AcceleratorConfig, network: Network, built: harness.Harness, waves: Path
) -> dict[str, int]:
    """Run one image of a network and write the waveforms; return what the model knows of the run."""
    constants = calibration.default()
    mapped = map_realizable(config, network, 1)
    prediction = predict_mapped(mapped, constants)
    random = np.random.default_rng(0)
    image = random.integers(-128, 128, (1, *network.input.shape), dtype=np.int8)
    memory = MemoryModel.of(DETERMINISTIC, constants.constants["memory_latency"])
    steps = steps_of(compile_mapped(mapped), image, network=network, memory=memory)
    for run in built.run_sequence(steps, waves=waves):
        check_run(run)
    return {
        "cycles": prediction.total_cycles,
        "execute_busy": prediction.execute_busy,
        "macs": network.macs,
        "read_bytes": prediction.read_bytes,
        "write_bytes": prediction.write_bytes,
        "store_bytes": prediction.store_bytes,
    }


def _sample(config: AcceleratorConfig, network: Network, file: Path) -> EnergySample:
    record: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    energy = record["energy"]
    return EnergySample(
        config=config,
        workload=network.name,
        results=network.results,
        **{name: value for name, value in record.items() if name != "energy"},
        energy=RunEnergy(
            cycles=energy["cycles"],
            modules=[ModuleEnergy(**module) for module in energy["modules"]],
            macros=[MacroAccesses(**macro) for macro in energy["macros"]],
        ),
    )


def _entry(
    config: AcceleratorConfig, network: Network, flow: StandardCellFlow, sampled: int
) -> Path:
    """Entry of the cache for a network on an accelerator of this gateware that is mapped by a flow."""
    accelerator = json.dumps(config.to_json(), sort_keys=True)
    parts = (
        *("energy", _VERSION, gateware_hash(), flow.identity),
        *(accelerator, network_digest(network), str(sampled)),
    )
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return cache_root() / CACHE_FOLDER / digest[:24]
