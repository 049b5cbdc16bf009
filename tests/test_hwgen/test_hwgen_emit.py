"""Emitted Verilog: determinism, unique modules, lint, synthesis, manifest and hash."""

import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from accelerators import small_accelerator
from hwgen import emit, verilog_files
from hwgen import gateware_hash as gateware_hash_module
from hwgen.file_names import MANIFEST_FILE, VERILOG_FILE
from hwgen.gateware_hash import code, gateware_hash, gateware_sources
from hwgen.verilog_files import OWNERSHIP
from sim.cost.area import memories
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from verilog_checks import lint, synthesize


def config(
    grid: tuple[int, int], simd_units: int, lanes: int, memory: int, gbps: float
) -> AcceleratorConfig:
    return small_accelerator(
        grid[1],
        grid[0],
        simd_units=simd_units,
        compute_lanes=lanes,
        local_memory_kb=memory,
        register_file_kb=4,
        io_bandwidth_gbps=gbps,
    )


TINY = config((2, 2), 8, 2, 16, 0.8)
CONFIGS = {
    "tiny": TINY,
    "single PE": config((1, 1), 4, 1, 4, 0.8),
    "eight lanes, paced bus": config((1, 1), 4, 8, 8, 0.6),
    "bus wider than a vector": config((2, 1), 4, 2, 4, 1.6),
    "wide bus": config((3, 1), 16, 1, 16, 3.2),
    "byte bus, paced": config((1, 2), 16, 2, 8, 0.1),
    "weight store": replace(TINY, weight_store_kb=8),
}


@pytest.fixture(scope="module", params=list(CONFIGS.values()), ids=list(CONFIGS))
def written(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[AcceleratorConfig, Path]:
    directory = tmp_path_factory.mktemp("emitted")
    return request.param, verilog_files.write(request.param, directory)


def instances_below_top(text: str) -> dict[str, int]:
    """Count instances of each module in the whole hierarchy."""
    bodies = dict(re.findall(r"^module (\w+)(.*?)^endmodule", text, re.DOTALL | re.MULTILINE))
    counts: dict[str, int] = {}

    def visit(name: str) -> None:
        counts[name] = counts.get(name, 0) + 1
        for child in re.findall(r"^  (cosilico_\w+) ", bodies[name], re.MULTILINE):
            visit(child)

    visit(emit.TOP_MODULE)
    return counts


def test_every_module_is_emitted_once(written: tuple[AcceleratorConfig, Path]) -> None:
    accelerator, path = written
    text = path.read_text()
    modules = re.findall(r"^module (\S+?)[\s(]", text, re.MULTILINE)
    assert len(modules) == len(set(modules))
    assert all(name.startswith("cosilico_") for name in modules)
    counts = instances_below_top(text)
    assert set(counts) == set(modules)
    assert counts["cosilico_pe"] == accelerator.pes
    assert counts["cosilico_lane"] == accelerator.pes * accelerator.compute_lanes


def test_lint_has_no_warnings(written: tuple[AcceleratorConfig, Path]) -> None:
    assert lint(written[1]) == ()


def test_synthesis_keeps_memories_and_finds_no_latches(
    written: tuple[AcceleratorConfig, Path],
) -> None:
    report = synthesize(written[1])
    memories = json.loads((written[1].parent / MANIFEST_FILE).read_text())["memories"]
    assert report.warnings == ()
    assert report.latches == 0
    assert report.memories == len(memories)
    assert report.cells > 0


def test_manifest_describes_the_accelerator(written: tuple[AcceleratorConfig, Path]) -> None:
    accelerator, path = written
    manifest = json.loads((path.parent / MANIFEST_FILE).read_text())
    assert AcceleratorConfig.from_json(manifest["accelerator"]) == accelerator
    assert manifest["fingerprint"] == accelerator.fingerprint
    assert manifest["gateware_hash"] == gateware_hash()
    assert manifest["ownership"] == OWNERSHIP
    assert path.read_text().startswith(f"// {OWNERSHIP}\n")
    banks = [
        memory
        for memory in manifest["memories"]
        if memory["path"].startswith("grid.")
        and (memory["width"], memory["depth"])
        == (8 * accelerator.vector_bytes, accelerator.bank_depth)
    ]
    assert len(banks) == accelerator.pes * accelerator.compute_lanes
    header = re.search(r"module cosilico_top\((.*?)\);", path.read_text(), re.DOTALL)
    assert header is not None
    names = {name.strip() for name in header[1].split(",")}
    assert names == {port["name"] for port in manifest["ports"]}


def test_area_counts_every_memory(written: tuple[AcceleratorConfig, Path]) -> None:
    accelerator, path = written
    manifest = json.loads((path.parent / MANIFEST_FILE).read_text())
    emitted = Counter((memory["width"], memory["depth"]) for memory in manifest["memories"])
    counted: Counter[tuple[int, int]] = Counter()
    for part in memories(accelerator).values():
        for memory in part:
            counted[memory.width, memory.rows] += memory.count
    assert emitted == counted


def test_configurations_are_what_they_are_called() -> None:
    wide = CONFIGS["bus wider than a vector"]
    assert wide.bus_bytes > wide.vector_bytes
    for name, accelerator in CONFIGS.items():
        earn, cost = accelerator.pacing
        assert (earn < cost) == ("paced" in name)
        assert check(accelerator) == []


def test_same_configuration_gives_the_same_text() -> None:
    assert emit.emit(TINY) == emit.emit(TINY)


def test_fingerprint_is_in_the_text() -> None:
    assert f"{TINY.fingerprint:x}" in emit.emit(TINY)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"""A."""\nx = 1\n', "x = 1  # one\n"),
        (
            'def f():\n    """Doc.\n\n    More.\n    """\n    return 1\n',
            "def f():\n\n    return 1\n",
        ),
    ],
)
def test_hash_ignores_comments_blank_lines_and_docstrings(before: str, after: str) -> None:
    assert code(before) == code(after)


def test_hash_ignores_where_modules_lie() -> None:
    before = "from hwgen.gateware.grid.lane import Lane\nfrom sim.spec.bus import BUS\nLane(BUS)\n"
    after = (
        "from sim.spec.bus import BUS\nfrom hwgen.execute.lane import (\n    Lane,\n)\nLane(BUS)\n"
    )
    assert code(before) == code(after)
    assert code("from hwgen.lane import Lane as L\n") != code("from hwgen.lane import Line as L\n")


def test_hash_covers_every_source_of_the_gateware() -> None:
    folder = Path(emit.__file__).parent / "gateware"
    covered = set(gateware_sources())
    assert {path for path in folder.rglob("*") if path.suffix in (".py", ".v", ".j2")} <= covered
    assert all(path.is_file() for path in covered)


def test_hash_sees_every_other_change() -> None:
    assert code("x = 1\n") != code("x = 2\n")
    assert code("def f(a):\n    return a\n") != code("def f(b):\n    return b\n")


@pytest.mark.parametrize(
    "name",
    ["gateware/grid/lane.py", "emit.py", "simulation_view.py", "rtl/ram.v", "rtl/grid.sv.j2"],
)
def test_hash_covers_what_both_views_are_made_of(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = Path(emit.__file__).parent
    shutil.copytree(sources, tmp_path / "hwgen", ignore=shutil.ignore_patterns("__pycache__"))
    before = gateware_hash()
    monkeypatch.setattr("hwgen.gateware_hash._ROOT", tmp_path / "hwgen")
    assert gateware_hash() == before
    with (tmp_path / "hwgen" / name).open("a", encoding="utf-8") as file:
        file.write("added = 1\n")
    assert gateware_hash() != before


def test_hash_covers_the_vocabulary_that_the_gateware_imports() -> None:
    sources = Path(emit.__file__).parent
    imported = {
        f"{name}.py"
        for path in [
            *sources.glob("gateware/**/*.py"),
            sources / "emit.py",
            sources / "simulation_view.py",
        ]
        for name in re.findall(
            r"^from sim\.spec\.(\w+) import", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert imported == set(gateware_hash_module._VOCABULARY)


def test_the_file_is_named_like_the_top_module() -> None:
    assert f"{emit.TOP_MODULE}.v" == VERILOG_FILE
