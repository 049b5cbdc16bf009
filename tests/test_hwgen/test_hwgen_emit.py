"""Emitted Verilog: determinism, unique modules, lint, synthesis, manifest and hash."""

import functools
import json
import re
import shutil
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from accelerators import SMALLEST, small_accelerator
from hwgen import emit, verilog_files
from hwgen import gateware_hash as gateware_hash_module
from hwgen.emit import VerilogOptions
from hwgen.file_names import FILE_LIST, MANIFEST_FILE, SINGLE_FILE
from hwgen.gateware.grid.drain import Drain
from hwgen.gateware_hash import code, gateware_hash, gateware_sources
from hwgen.kept_emissions import emit_once
from hwgen.memory_modules import FLIP_FLOP_ROWS, MemoryStyle
from hwgen.module_names import ModuleNames
from hwgen.ports import top_ports
from hwgen.verilog.identifiers import RESERVED
from hwgen.verilog_files import OWNERSHIP
from sampled import sampled
from sim.cost.ram_shapes import memories
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.files import cache_root
from sim.spec.spaces import EDGE as EDGE_SPACE
from sim.spec.spaces import TINY as TINY_SPACE
from verilog_checks import lint, listed_files, synthesize


def config(
    grid: tuple[int, int],
    simd_units: int,
    lanes: int,
    memory: int,
    gbps: float,
    *,
    weight_store_kb: int = 0,
) -> AcceleratorConfig:
    return small_accelerator(
        grid[1],
        grid[0],
        simd_units=simd_units,
        compute_lanes=lanes,
        local_memory_kb=memory,
        register_file_kb=4,
        io_bandwidth_gbps=gbps,
        weight_store_kb=weight_store_kb,
    )


TINY = config((2, 2), 8, 2, 16, 0.8)
CONFIGS = {
    "tiny": TINY,
    "single PE": SMALLEST,
    "eight lanes, paced bus": config((1, 1), 4, 8, 8, 0.6),
    "bus wider than a vector": config((2, 1), 4, 2, 4, 1.6),
    "wide bus": config((3, 1), 16, 1, 16, 3.2),
    "byte bus, paced": config((1, 2), 16, 2, 8, 0.1),
    "weight store": replace(TINY, weight_store_kb=8),
    "weight store, paced": config((1, 2), 16, 2, 8, 0.1, weight_store_kb=8),
}


STORED = replace(SMALLEST, register_file_kb=4, weight_store_kb=8)
"""The smallest accelerator with every kind of memory."""

ALWAYS = ("weight store, paced",)
"""Those of which all is checked always: with every module that another has."""

CORNERS = {
    "tiny default": TINY_SPACE.default,
    "edge default": EDGE_SPACE.default,
    "edge default on two PEs": replace(EDGE_SPACE.default, pes_x=1, pes_y=2),
    "edge without a store, with tables": replace(
        EDGE_SPACE.default,
        pes_x=2,
        pes_y=1,
        compute_lanes=1,
        weight_store_kb=0,
        activation_table=1,
    ),
}
"""Further configurations whose text is checked."""


@dataclass(frozen=True)
class Written:
    """An accelerator's files in a folder."""

    config: AcceleratorConfig
    folder: Path
    manifest: dict[str, Any]

    @property
    def text(self) -> str:
        """All modules."""
        return "\n".join(path.read_text() for path in listed_files(self.folder))

    def own(self, module: str) -> str:
        """Name of one of its modules."""
        return ModuleNames.of(self.config).own(module)


@functools.cache
def generated(config: AcceleratorConfig, options: VerilogOptions) -> verilog_files.GeneratedVerilog:
    """Files of an accelerator, made once for all tests that look at them."""
    return verilog_files.generate(config, options, version="1.2.3")


def write(config: AcceleratorConfig, folder: Path, **options: Any) -> Written:
    chosen = VerilogOptions(**{"trace": False} | options)
    generated(config, chosen).write(folder)
    return Written(config, folder, json.loads((folder / MANIFEST_FILE).read_text()))


@pytest.fixture(scope="module", params=sampled(CONFIGS, lambda name: name in ALWAYS))
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write(CONFIGS[request.param], tmp_path_factory.mktemp("emitted"))


def instances_below(text: str, top: str) -> dict[str, int]:
    """Count instances of each module in the whole hierarchy."""
    bodies = dict(re.findall(r"^module (\w+)(.*?)^endmodule", text, re.DOTALL | re.MULTILINE))
    counts: dict[str, int] = {}

    def visit(name: str) -> None:
        counts[name] = counts.get(name, 0) + 1
        for child in re.findall(r"^  (cosilico_\w+) ", bodies[name], re.MULTILINE):
            visit(child)

    visit(top)
    return counts


def test_every_module_is_emitted_once_in_a_file_of_its_name(written: Written) -> None:
    modules = re.findall(r"^module (\S+?)[\s(]", written.text, re.MULTILINE)
    assert len(modules) == len(set(modules))
    names = written.manifest["files"]
    assert names == [f"{module}.v" for module in modules]
    assert names == (written.folder / FILE_LIST).read_text().split()
    counts = instances_below(written.text, written.manifest["top"])
    assert set(counts) == set(modules)
    assert counts[written.own("pe")] == written.config.pes
    assert counts[written.own("lane")] == written.config.pes * written.config.compute_lanes


def test_instantiated_modules_are_listed_first(written: Written) -> None:
    seen: set[str] = set()
    for path in listed_files(written.folder):
        assert set(re.findall(r"^  (cosilico_\w+) ", path.read_text(), re.MULTILINE)) <= seen
        seen.add(path.stem)


def test_lint_has_no_warnings(written: Written) -> None:
    assert lint(written.folder, written.manifest["top"]) == ()


@pytest.mark.parametrize(
    "name",
    # Two PEs have the modules of the whole grid of `edge`, but for those of its size and of the weight store.
    sampled(CORNERS, lambda name: name == "edge without a store, with tables"),
)
def test_defaults_have_no_warnings(name: str, tmp_path: Path) -> None:
    traced = write(CORNERS[name], tmp_path, trace=True)
    assert lint(tmp_path, traced.manifest["top"]) == ()


def test_lint_sees_a_width_that_does_not_fit(tmp_path: Path) -> None:
    config = CONFIGS["single PE"]
    path = write(config, tmp_path).folder / f"{ModuleNames.of(config).own('life')}.v"
    text = path.read_text()
    assert "state == 2'd2" in text
    path.write_text(text.replace("state == 2'd2", "state == 3'd2"))
    assert any("WIDTH" in line for line in lint(tmp_path, ModuleNames.of(config).top))


def test_names_are_plain_identifiers(written: Written) -> None:
    """No dollar, no escape, nothing that a language reserves."""
    text = re.sub(r"//[^\n]*", "", written.text)
    assert "\\" not in text
    assert set(re.findall(r"\$\w+", text)) <= {"$signed"}
    declared = re.findall(
        r"^ +(?:input|output|wire|reg)[^;]*?(\w+)[,;]?(?: +//.*)?$", text, re.MULTILINE
    )
    assert declared
    assert not set(declared) & RESERVED


def test_heads_tell_version_configuration_and_terms(written: Written) -> None:
    terms = " ".join(OWNERSHIP.split())
    for path in listed_files(written.folder):
        comment = re.match(r"(?://[^\n]*\n)+", path.read_text())
        assert comment is not None
        words = " ".join(comment[0].replace("//", "").split())
        assert words.startswith("Cosilico 1.2.3")
        assert terms in words
        if "_ram_" not in path.name:
            assert f"accelerator {written.config.fingerprint:08x}" in words
            for name, value in written.config.to_json().items():
                assert f"{name} {value}" in words


def test_modules_say_what_they_are(written: Written) -> None:
    """In the words of their generators."""
    unit = (written.folder / f"{written.own('requantizer_unit')}.v").read_text()
    assert "// Requantizes one value per cycle.\n//\n" in unit
    assert "// Latency: 6 cycles to result, 7 cycles to output." in unit
    inner = (written.folder / f"{written.own('lane_drain')}.v").read_text()
    assert f"// {(Drain.__doc__ or '').splitlines()[0].replace('`', '')}\n" in inner
    for path in listed_files(written.folder):
        before = path.read_text().partition("\nmodule ")[0]
        assert before.splitlines()[-1].startswith("//"), path.name


def test_top_ports_are_documented_by_the_table(written: Written) -> None:
    text = (written.folder / f"{written.manifest['top']}.v").read_text()
    ports = text.partition("\nmodule ")[2].partition("\n);")[0].splitlines()[1:]
    expected = top_ports(written.config, trace=False)
    assert [re.split(r",? +// ", line)[-1] for line in ports] == [port.meaning for port in expected]
    declared = [
        re.match(r" +(input|output)(?: reg)?(?: \[(\d+):0\])? (\w+)", line) for line in ports
    ]
    assert [(m[1], int(m[2] or 0) + 1, m[3]) for m in declared if m is not None] == [
        (port.direction, port.bits, port.name) for port in expected
    ]
    assert written.manifest["ports"] == [asdict(port) for port in expected]


def test_traces_are_ports_only_where_asked_for(tmp_path: Path) -> None:
    config = CONFIGS["single PE"]
    for trace in (False, True):
        made = write(config, tmp_path / str(trace), trace=trace)
        names = {port["name"] for port in made.manifest["ports"]}
        top = (made.folder / f"{made.manifest['top']}.v").read_text()
        assert ("trace_busy" in names) is trace
        assert bool(re.search(r"^    output trace_\w+", top, re.MULTILINE)) is trace


def test_reset_is_active_low_at_the_top_only(written: Written) -> None:
    for path in listed_files(written.folder):
        ports = path.read_text().partition("\nmodule ")[2].partition("\n);")[0]
        is_top = path.stem == written.manifest["top"]
        assert ("input aresetn" in ports) == is_top
        assert "input rst" not in ports or not is_top


def test_registers_have_enables(written: Written) -> None:
    text = (written.folder / f"{written.own('requantizer_unit')}.v").read_text()
    assert "    if (finish) output_value <= " in text
    assert "    if (enable[3]) begin\n      product_0_0 <= " in text


def test_synthesis_keeps_memories_and_finds_no_latches(written: Written) -> None:
    report = synthesize(written.folder, written.manifest["top"])
    assert report.warnings == ()
    assert report.latches == 0
    assert report.memories == len(written.manifest["memories"])
    assert report.cells > 0


def test_manifest_describes_the_accelerator(written: Written) -> None:
    accelerator, manifest = written.config, written.manifest
    assert AcceleratorConfig.from_json(manifest["accelerator"]) == accelerator
    assert manifest["fingerprint"] == accelerator.fingerprint
    assert manifest["version"] == "1.2.3"
    assert manifest["top"] == written.own("top")
    assert manifest["gateware_hash"] == gateware_hash()
    assert manifest["ownership"] == OWNERSHIP
    banks = [
        memory
        for memory in manifest["memories"]
        if memory["path"].startswith("grid.")
        and (memory["width"], memory["depth"])
        == (8 * accelerator.vector_bytes, accelerator.bank_depth)
    ]
    assert len(banks) == accelerator.pes * accelerator.compute_lanes
    assert {memory["module"] for memory in banks} == {"cosilico_single_port_ram_fpga"}


def test_a_single_file_holds_the_same_modules(tmp_path: Path) -> None:
    config = CONFIGS["single PE"]
    made = write(config, tmp_path / "many")
    options = VerilogOptions(trace=False)
    single = verilog_files.generate(config, options, version="1.2.3", single_file=True)
    assert single.names == (SINGLE_FILE, FILE_LIST, MANIFEST_FILE)
    assert single.files[FILE_LIST] == f"{SINGLE_FILE}\n"
    pattern = r"^module .*?^endmodule"
    modules = re.findall(pattern, made.text, re.DOTALL | re.MULTILINE)
    assert re.findall(pattern, single.files[SINGLE_FILE], re.DOTALL | re.MULTILINE) == modules


def test_a_prefix_begins_all_names(tmp_path: Path) -> None:
    made = write(CONFIGS["single PE"], tmp_path, prefix="acme_npu_")
    modules = re.findall(r"^module (\w+)", made.text, re.MULTILINE)
    assert all(name.startswith("acme_npu_") for name in modules)
    assert not re.search(r"^ *(?:module )?cosilico_", made.text, re.MULTILINE)
    assert lint(tmp_path, made.manifest["top"]) == ()


@pytest.mark.parametrize("prefix", ["", "1a", "a-b", "a b", "ä_", "_a"])
def test_a_prefix_that_is_no_identifier_is_refused(prefix: str, tmp_path: Path) -> None:
    rule = "prefix must be a letter and then letters, digits or _, not"
    with pytest.raises(ValueError, match=f"^{rule} {prefix!r}$"):
        write(TINY, tmp_path, prefix=prefix)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("style", sampled(MemoryStyle, lambda style: style is MemoryStyle.MACRO))
def test_memories_are_of_the_style_that_is_asked_for(style: MemoryStyle, tmp_path: Path) -> None:
    config = STORED
    made = write(config, tmp_path, memories=style)
    assert lint(tmp_path, made.manifest["top"]) == ()
    for memory in made.manifest["memories"]:
        shallow = memory["depth"] <= FLIP_FLOP_ROWS and style is not MemoryStyle.FPGA
        size = f"macro_{memory['depth']}x{memory['width']}"
        rest = size if style is MemoryStyle.MACRO else "fpga"
        assert re.fullmatch(
            rf"cosilico_(single_port_)?ram_{'flip_flop' if shallow else rest}", memory["module"]
        )
        # else an FPGA gets logic around each memory for a row read in the cycle of its write
        text = (tmp_path / f"{memory['module']}.v").read_text()
        inferred = memory["module"].endswith("_fpga")
        assert ("  (* no_rw_check *)\n  reg [WIDTH-1:0] memory[" in text) == inferred
    if style is MemoryStyle.MACRO:
        report = synthesize(tmp_path, made.manifest["top"])
        inferred = [m for m in made.manifest["memories"] if "flip_flop" in m["module"]]
        assert report.memories == len(inferred) < len(made.manifest["memories"])


def test_shared_modules_are_the_same_text(tmp_path: Path) -> None:
    """What two accelerators have under the same name, memories, they have in the same words."""
    first = write(STORED, tmp_path / "first", memories=MemoryStyle.MACRO)
    second = write(CONFIGS["single PE"], tmp_path / "second", memories=MemoryStyle.MACRO)
    shared = set(first.manifest["files"]) & set(second.manifest["files"])
    assert shared
    assert all("_ram_" in name for name in shared)
    for name in shared:
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()


def test_area_counts_every_memory(written: Written) -> None:
    accelerator = written.config
    emitted = Counter((memory["width"], memory["depth"]) for memory in written.manifest["memories"])
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
    """Also as what another process may have kept."""
    config = CONFIGS["single PE"]
    assert emit.emit(config) == emit_once(config, cache_root())


def test_fingerprint_is_in_the_text(written: Written) -> None:
    assert f"{written.config.fingerprint:x}" in written.text


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
    sampled(
        [
            "gateware/grid/lane.py",
            "emit.py",
            "memory_modules.py",
            "simulation_view.py",
            "verilog/operators.py",
            "rtl/ram.v",
            "rtl/grid.sv.j2",
        ],
        lambda name: name in ("gateware/grid/lane.py", "emit.py", "rtl/grid.sv.j2"),
    ),
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
            *sources.glob("verilog/*.py"),
            sources / "emit.py",
            sources / "simulation_view.py",
        ]
        for name in re.findall(
            r"^from sim\.spec\.(\w+) import", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert imported == set(gateware_hash_module._VOCABULARY)
