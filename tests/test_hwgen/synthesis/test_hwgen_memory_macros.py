"""Memories of emitted accelerators: each is in the table of macros that the cost has."""

import functools
from collections import Counter
from dataclasses import replace

import pytest

from accelerators import SMALLEST, small_accelerator
from hwgen.emit import VerilogOptions
from hwgen.kept_emissions import kept_emission
from hwgen.memory_modules import MemoryStyle
from hwgen.synthesis.sources import MacroShape, ModuleSource, macro_shapes, module_sources
from hwgen.verilog_files import generate
from sampled import sampled
from sim.cost.memory_macros import memory_macros
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import EDGE, TINY

MACROS = VerilogOptions(memories=MemoryStyle.MACRO, trace=False)
ACCELERATORS = {
    "tiny": TINY.default,
    "small grid of edge": replace(EDGE.default, pes_x=3, pes_y=1, compute_lanes=2),
    "store": small_accelerator(1, 2, simd_units=16, register_file_kb=8, weight_store_kb=256),
    "wide": small_accelerator(
        2, 1, simd_units=32, compute_lanes=4, local_memory_kb=64, register_file_kb=16
    ),
    "narrow": SMALLEST,
}


@pytest.mark.parametrize("name", sampled(ACCELERATORS, lambda name: name == "store"))
def test_every_deep_memory_is_a_macro_of_the_cost(name: str) -> None:
    config = ACCELERATORS[name]
    emission = kept_emission(config, MACROS)
    assert macro_shapes(emission) == macros_of_the_cost(config)


def macros_of_the_cost(config: AcceleratorConfig) -> Counter[MacroShape]:
    counts: Counter[MacroShape] = Counter()
    for memories in memory_macros(config).values():
        for memory in memories:
            shape, ports = memory.shape, memory.ports
            counts[MacroShape(width=shape.width, rows=shape.rows, ports=ports)] += shape.count
    return counts


@pytest.mark.long
def test_counts_are_those_of_the_manifest() -> None:
    # The manifest names every memory by its path; sources count them by module
    config = small_accelerator(1, 2, compute_lanes=2, weight_store_kb=16)
    options = VerilogOptions(memories=MemoryStyle.MACRO)
    names = generate(config, options, version="0").files["manifest.json"]
    emission = kept_emission(config, options)
    deep = {(shape.width, shape.rows): count for shape, count in macro_shapes(emission).items()}
    for (width, rows), count in deep.items():
        assert names.count(f'"width": {width},\n      "depth": {rows}\n') == count
    assert names.count('"depth"') > sum(deep.values())


@functools.cache
def sources_of(config: AcceleratorConfig) -> list[ModuleSource]:
    return module_sources(kept_emission(config, MACROS), MemoryStyle.MACRO)


def test_sources_do_not_tell_the_configuration() -> None:
    fast = replace(SMALLEST, register_file_kb=2)
    sources = [
        {source.name: source for source in sources_of(config)} for config in (SMALLEST, fast)
    ]
    shared = [name for name in sources[0] if sources[0][name] == sources[1].get(name)]
    assert {"cosilico_simd_unit", "cosilico_requantizer_unit", "cosilico_store"} <= set(shared)
    assert "cosilico_lane" not in shared


def test_memories_come_before_what_has_them() -> None:
    sources = sources_of(SMALLEST)
    seen: set[str] = set()
    for source in sources:
        assert seen >= source.children.keys()
        seen.add(source.name)
    assert sources[-1].name == "cosilico_top"
    assert not any("DEPTH" in source.parameters and source.boxes for source in sources)
