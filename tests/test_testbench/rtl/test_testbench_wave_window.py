"""Waveforms of a part of a run are cut out of those of the whole, in both formats."""

import dataclasses
import functools
import runpy
import subprocess
from pathlib import Path

import pytest

from accelerators import WAVES
from hwgen import verilator
from hwgen.program import Program, compile_design
from project_root import ROOT
from sim.spec.descriptor import Queue
from sim.spec.design import Design, load
from sim.spec.engines import Engine
from sim.spec.errors import CosilicoError
from sim.spec.files import temporary_folder
from sim.spec.wave_formats import WaveFormat
from testbench.rtl import verilate
from testbench.rtl.wave_window import WaveSelection, WaveWindow, window_of
from testbench.rtl.wave_writers import WRITERS
from testbench.validation.simulate import simulate
from testbench.validation.simulation_result import SimulationResult
from wave_values import WaveValues, read_fst, read_vcd

READERS = {WaveFormat.VCD: read_vcd, WaveFormat.FST: read_fst}
LAYER = "stem"


@functools.cache
def design() -> Design:
    """The example's network on its accelerator, with a weight store: a cold run comes before that with waves."""
    script = ROOT / "examples" / "handwritten" / "make_weights.py"
    with temporary_folder() as folder:
        runpy.run_path(str(script))["main"](folder)
        loaded = load(folder / "design.json")
    assert dataclasses.replace(loaded.accelerator, weight_store_kb=16) == WAVES
    return Design(network=loaded.network, accelerator=WAVES)


@functools.cache
def program() -> Program:
    return compile_design(design())


@functools.cache
def run(
    form: WaveFormat, selection: WaveSelection | None, stalls: int | None = None
) -> tuple[SimulationResult, WaveValues, int]:
    """Result of a simulation, the waves that it wrote, and the size of their file."""
    with temporary_folder() as folder:
        path = folder / "waves"
        result = simulate(
            design(),
            images=2,
            waves=path,
            wave_format=form,
            selection=selection,
            stalls=stalls,
        )
        return result, READERS[form](path), path.stat().st_size


def warm_zero(values: WaveValues) -> int:
    """Cycle of power-up in which the second run begins: the cold run is the first."""
    rises = [time for time, busy in values.changes["trace_busy"] if busy]
    return (rises[1] + 1) // 2


def cycles_of_layer(result: SimulationResult, name: str) -> tuple[int, int]:
    """First cycle of a layer's descriptors in the first warm run, and that behind the last."""
    index = [layer.name for layer in design().network.layers].index(name)
    own = [number for number, (_, layer) in enumerate(program().descriptors) if layer == index]
    return int(result.start[0, own].min()), int(result.end[0, own].max()) + 1


@pytest.mark.rtl
@pytest.mark.parametrize("form", list(WaveFormat))
@pytest.mark.parametrize("part", ["layer", "descriptor", "cycles"])
def test_part_is_cut_out_of_the_whole(form: WaveFormat, part: str) -> None:
    result, whole, _ = run(WaveFormat.VCD, None)
    number = len(program().descriptors) // 2
    selection, (first, end) = {
        "layer": (WaveSelection(layer=LAYER), cycles_of_layer(result, LAYER)),
        "descriptor": (
            WaveSelection(descriptor=number),
            (int(result.start[0, number]), int(result.end[0, number]) + 1),
        ),
        "cycles": (WaveSelection(cycles=(123, 321)), (123, 321)),
    }[part]
    again, values, _ = run(form, selection)
    assert (again.start == result.start).all()
    assert again.exact
    zero = warm_zero(whole)
    times = range(2 * (zero + first), 2 * (zero + end))
    assert values.times == list(times)
    assert len(times) < len(whole.times)
    assert values.part(times[0], times[-1]) == whole.part(times[0], times[-1])


@pytest.mark.rtl
def test_whole_run_is_the_same_in_both_formats() -> None:
    _, text, text_bytes = run(WaveFormat.VCD, None)
    _, packed, packed_bytes = run(WaveFormat.FST, None)
    assert text.times == packed.times == list(range(len(text.times)))
    assert packed.part(0, text.times[-1]) == text.part(0, text.times[-1])
    assert packed_bytes < text_bytes / 4


@pytest.mark.rtl
def test_part_follows_the_descriptors_under_stalls() -> None:
    result, values, _ = run(WaveFormat.VCD, WaveSelection(layer=LAYER), 5)
    first, end = cycles_of_layer(result, LAYER)
    assert len(values.times) == 2 * (end - first)
    assert end - first > len(run(WaveFormat.VCD, WaveSelection(layer=LAYER))[1].times) // 2


@pytest.mark.rtl
def test_cycles_may_reach_beyond_the_end() -> None:
    result, whole, _ = run(WaveFormat.VCD, None)
    first = result.measured_cycles - 5
    _, values, _ = run(WaveFormat.VCD, WaveSelection(cycles=(first, 10**9)))
    assert values.times[0] == 2 * (warm_zero(whole) + first)
    assert 10 <= len(values.times) < 40


@pytest.mark.rtl
@pytest.mark.parametrize("stalls", [None, 5])
def test_cycles_behind_the_end_are_refused(tmp_path: Path, stalls: int | None) -> None:
    cycles = run(WaveFormat.VCD, WaveSelection(layer=LAYER), stalls)[0].measured_cycles
    expected = (
        f"^cycles of waves must begin before cycle {cycles}, where the run ends, not with {cycles}$"
    )
    with pytest.raises(CosilicoError, match=expected):
        simulate(
            design(),
            images=2,
            waves=tmp_path / "waves.vcd",
            selection=WaveSelection(cycles=(cycles, cycles + 1)),
            stalls=stalls,
        )


def test_window_spans_the_descriptors_of_a_layer() -> None:
    descriptors = program().descriptors
    for index, layer in enumerate(design().network.layers):
        window = window_of(WaveSelection(layer=layer.name), descriptors, design().network)
        for queue, (first, last) in zip(Queue, window.descriptors, strict=True):
            layers = [own for kind, own in descriptors if kind == queue]
            numbers = [number for number, own in enumerate(layers) if own == index]
            assert (first, last) == ((numbers[0], numbers[-1]) if numbers else (-1, -1))


def test_window_of_a_descriptor_is_it_alone() -> None:
    for number, (queue, _) in enumerate(program().descriptors):
        window = window_of(
            WaveSelection(descriptor=number), program().descriptors, design().network
        )
        own = sum(kind == queue for kind, _ in program().descriptors[:number])
        expected = [(-1, -1)] * 3
        expected[queue] = (own, own)
        assert window == WaveWindow(descriptors=tuple(expected))


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (
            {"layer": "absent"},
            "layer of waves must be a layer of network 'handwritten', not 'absent'",
        ),
        ({"descriptor": 10**6}, "descriptor of waves must be from 0 to {last}, not 1000000"),
        ({"descriptor": -1}, "descriptor of waves must be from 0 to {last}, not -1"),
    ],
)
def test_absent_part_is_refused(selection: dict[str, str | int], message: str) -> None:
    last = len(program().descriptors) - 1
    with pytest.raises(CosilicoError, match=f"^{message.format(last=last)}$"):
        window_of(WaveSelection(**selection), program().descriptors, design().network)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (
            {},
            "waves must show one of a layer, a descriptor and a range of cycles, not none of them",
        ),
        (
            {"layer": "a", "descriptor": 0},
            "waves must show one of a layer, a descriptor and a range of cycles, not 2 of them",
        ),
        (
            {"cycles": (5, 5)},
            "cycles of waves must be FIRST:END with 0 <= FIRST < END, not 5:5",
        ),
    ],
)
def test_selection_is_one_part(
    selection: dict[str, str | int | tuple[int, int]], message: str
) -> None:
    with pytest.raises(CosilicoError, match=f"^{message}$"):
        WaveSelection(**selection)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    "arguments", [{"selection": WaveSelection(descriptor=0)}, {"wave_format": WaveFormat.FST}]
)
def test_cocotb_writes_whole_runs_as_vcd(
    tmp_path: Path, arguments: dict[str, WaveSelection | WaveFormat]
) -> None:
    expected = "^engine must be verilator for a part of the waves or another format than vcd, not 'cocotb'$"
    with pytest.raises(CosilicoError, match=expected):
        simulate(design(), waves=tmp_path / "waves", engine=Engine.COCOTB, **arguments)  # type: ignore[arg-type]  # by name


@pytest.mark.rtl
def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    writer = dataclasses.replace(WRITERS[WaveFormat.FST], libraries=("libz.so.1", "libabsent.so.9"))
    monkeypatch.setitem(WRITERS, WaveFormat.FST, writer)
    expected = (
        "^waves as fst must have libabsent.so.9 where the compiler looks for libraries, not nowhere; "
        "vcd needs none$"
    )
    with pytest.raises(verilate.BuildError, match=expected):
        verilate.wave_libraries(WaveFormat.FST)


@pytest.mark.rtl
@pytest.mark.parametrize("form", WaveFormat)
def test_signals_of_any_width_are_in_the_waves(form: WaveFormat, tmp_path: Path) -> None:
    """Verilator leaves out those of more than 4,096 bits, as rows for several PE columns have, if it is not told."""
    (tmp_path / "wide.v").write_text(
        "module wide(input wire [4096:0] wide_in, output wire [4096:0] wide_out);\n"
        "assign wide_out = ~wide_in;\nendmodule\n"
    )
    command = [verilator.executable(), "--cc", *WRITERS[form].flags, "wide.v", "--Mdir", "made"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    written = "".join(path.read_text() for path in (tmp_path / "made").glob("*.cpp"))
    assert '"wide_in"' in written
    assert '"wide_out"' in written
