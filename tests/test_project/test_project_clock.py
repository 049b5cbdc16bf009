"""Tables of slowest paths: they are of the present gateware, and the page's account of wires follows from them."""

import json
from collections import defaultdict
from typing import Any

import pytest

from hwgen.module_names import module_kind
from project_root import ROOT
from sim.cost.sram import memory_cells, sram
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import EDGE, TINY
from sim.timing.calibration import default
from sim.timing.clock_reach import shipped_table


def paths(name: str) -> list[dict[str, Any]]:
    table = json.loads((ROOT / "benchmarks" / f"timing_{name}.json").read_text())
    return [path for path in table["paths"] if path["judged"]]


@pytest.mark.parametrize(("name", "config"), [("edge", EDGE.default), ("tiny", TINY.default)])
def test_slowest_paths_are_those_of_the_table_of_the_present_gateware(
    name: str, config: AcceleratorConfig
) -> None:
    reach = shipped_table()
    assert reach.gateware_hash == default().gateware_hash
    (point,) = [point for point in reach.points if point.config == config]
    slowest: dict[str, float] = defaultdict(float)
    for path in paths(name):
        kind = module_kind(path["module"])
        slowest[kind] = max(slowest[kind], path["delay_ns"])
    assert slowest == point.delays_ns


def test_page_tells_what_wires_add_to_paths_of_memories() -> None:
    """The slowest path of a PE begins at a bank, that of the weight store ends there: each has half of the way."""
    text = " ".join((ROOT / "docs" / "explanation" / "clock.md").read_text().split())
    config = EDGE.default
    cells = memory_cells(config.clock_mhz)
    bank = sram(8 * config.vector_bytes, config.bank_depth, ports=1, cells=cells)
    rows = config.store_rows // config.pes_x
    store = sram(8 * config.row_bytes, rows, ports=1, cells=cells)
    assert f"take {bank.wire_ns:.2f} ns in a bank of local memory" in text
    assert f"and {store.wire_ns:.2f} ns in a bank of its weight store" in text
    assert f"an access of {bank.access_ns:.2f} ns" in text
    assert bank.access_ns == store.access_ns
    longer = []
    for module, end, memory in (("pe", "start", bank), ("weight_store", "end", store)):
        (path,) = [path for path in paths("edge") if module_kind(path["module"]) == module]
        assert path[end].startswith("bank_")
        longer.append(path["delay_ns"] + memory.wire_ns / 2)
    assert min(longer) > 1000 / config.clock_mhz
    assert "take {:.2f} and {:.2f} ns".format(*longer) in text
