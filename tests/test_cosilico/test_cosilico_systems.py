"""Systems on a chip through the public API: what a caller gets, and what is refused."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import cosilico
from accelerators import SMALLEST, small_accelerator
from cosilico import systems
from hwgen.soc.bitstream import Implementation
from hwgen.soc.files import SystemFiles
from hwgen.soc.system_map import SystemConfig
from hwgen.synthesis.nextpnr import Route
from linear_digits import linear_digits
from sim import golden
from sim.realizability import map_realizable
from sim.spec.inputs import join
from sim.spec.network import LayerKind, Network
from testbench.cases.layers import random_tensor, windowed
from testbench.cases.tflite_models import import_random
from testbench.cases.tflite_streams import stream_model
from testbench.soc.classes import Classified
from testbench.soc.run import SystemRun

NETWORK, IMAGES, LABELS = linear_digits()


@pytest.mark.rtl
@pytest.mark.slow
def test_firmware_gives_the_references_classes(tmp_path: Path) -> None:
    system = cosilico.soc(
        NETWORK,
        SMALLEST,
        out=tmp_path / "system",
        inputs=IMAGES[:3],
        labels=LABELS[:3],
        baud=2_500_000,
    )
    assert system
    assert system.passed
    assert system.differences == ()
    expected = golden.run(NETWORK, IMAGES[:3])[NETWORK.output.name].reshape(3, -1).argmax(1)
    np.testing.assert_array_equal(system.classes, expected)
    assert system.images.columns()["class"] == expected.tolist()
    assert system.images.columns()["label"] == LABELS[:3].tolist()
    assert (system.folder / "serial.txt").read_text().count("\n") == 5
    document = json.loads(json.dumps(system.to_json()))
    assert (document["passed"], document["clock_mhz"], document["board"]) == (True, 25, None)
    assert re.fullmatch(
        r"SimulatedSystem\(linear digits: 3 images, [\d,]+ cycles of the system, 0 differences\)",
        repr(system),
    )


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.long
def test_a_map_as_output_is_printed_to_its_end(tmp_path: Path) -> None:
    """A single image, whose line takes more cycles than all else: millions, so that this is `long`."""
    draw = np.random.default_rng(8)
    source = random_tensor("image", 16, 16, 1, draw)
    layer = windowed("map", LayerKind.CONV, source, 1, 1, draw, 16)
    network = Network(name="map", input=source, layers=(layer,))
    system = cosilico.soc(network, SMALLEST, out=tmp_path / "system", images=1)
    assert system.differences == ()
    (image,) = system.result.classified
    assert len(image.outputs) == 16 * 16 * 16
    line = (tmp_path / "system" / "serial.txt").read_text().splitlines()[1]
    assert system.result.run.cycles > 10 * 25 * len(line) > 3_000_000


@pytest.mark.rtl
@pytest.mark.slow
def test_a_network_of_several_inputs_runs_step_by_step(tmp_path: Path) -> None:
    network = import_random(stream_model(9, inputs=2), 9).network
    assert (len(network.inputs), len(network.states) > 2) == (2, True)
    accelerator = small_accelerator(
        simd_units=8, compute_lanes=2, local_memory_kb=16, register_file_kb=4, weight_store_kb=16,
        activation_table=1,
    )  # fmt: skip
    draw = np.random.default_rng(3)
    inputs = [draw.integers(-128, 128, (5, *spec.shape), np.int8) for spec in network.inputs]
    system = cosilico.soc(network, accelerator, out=tmp_path / "a", inputs=inputs, baud=2_500_000)
    assert system.differences == ()
    assert len(system.classes) == 5
    # Steps: the last inputs alone would give something else
    joined = join(network.inputs, dict(zip((s.name for s in network.inputs), inputs, strict=True)))
    alone = golden.run(network, joined[-1:])
    outputs = [value for name in network.outputs for value in alone[name].reshape(-1).tolist()]
    assert list(system.result.classified[-1].outputs) != outputs


def test_patience_covers_what_is_run_and_printed(tmp_path: Path) -> None:
    mapped = map_realizable(SMALLEST, NETWORK, 1)
    config = SystemConfig(
        accelerator=SMALLEST, rom_bytes=8192, ram_bytes=8192, clock_hz=25_000_000, baud=9600
    )
    files = SystemFiles(folder=tmp_path, config=config, verilog=(), firmware_bytes=5000)
    longest = max(
        len(line) for line in ("359 9 4294967295" + 10 * " -128", "done after 4294967295 cycles")
    )
    for images in (1, 360):
        patience = systems._patience(files, mapped, images)
        assert patience > images * 10 * config.bit_cycles * longest
        assert patience < 100 * images * 10 * config.bit_cycles * longest + 10_000_000


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Systems that are not built; their firmware prints class 1 for each of three images."""
    asked: list[dict[str, Any]] = []
    run = SystemRun(text="", cycles=9, halted=True, fault=False, wrong_bits=0)

    def write(folder: Path, mapped: Any, images: Any, **rates: int) -> SimpleNamespace:
        asked.append({"images": images.x, "labels": images.y, **rates})
        config = SimpleNamespace(accelerator=mapped.config, clock_hz=rates["clock_hz"])
        return SimpleNamespace(config=config, firmware_bytes=100)

    monkeypatch.setattr(systems, "_write", write)
    monkeypatch.setattr(systems, "_patience", lambda files, mapped, images: 1)
    monkeypatch.setattr(systems, "run_system", lambda files, **options: run)
    monkeypatch.setattr(
        systems,
        "read_classes",
        lambda text, fingerprint: [
            Classified(image=number, label=1, cycles=5, outputs=(0,)) for number in range(3)
        ],
    )
    return asked


def test_differences_and_labels_are_told(
    printed: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(systems, "compare_classes", lambda *given: ["image 0 must be 2, not 1"])
    system = cosilico.soc(NETWORK, SMALLEST, out=tmp_path / "a", inputs=IMAGES, images=3)
    assert not system
    assert system.differences == ("image 0 must be 2, not 1",)
    assert system.images.columns()["label"] == [None] * 3
    (asked,) = printed
    np.testing.assert_array_equal(asked["images"], IMAGES[:3])
    assert (asked["clock_hz"], asked["baud"], asked["labels"]) == (25_000_000, 1_000_000, None)


def test_a_board_is_placed_and_its_clock_judged(
    printed: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(systems, "compare_classes", lambda *given: [])
    monkeypatch.setattr(systems, "fpga_command", lambda program: (program,))
    seeds = []

    def implement(files: Any, board: Any, *, seed: int, progress: Any) -> Implementation:
        seeds.append(seed)
        route = Route(clock_mhz=24.0, delay_ns=9, wires_ns=5, path=("a", "b"), used={})
        return Implementation(board=board, tool="fake", seed=seed, route=route)

    monkeypatch.setattr(systems, "implement", implement)
    system = cosilico.soc(
        NETWORK, SMALLEST, out=tmp_path / "a", images=3, board="ulx3s_85f", placement_seed=7
    )
    assert not system.passed
    assert system.differences == ()
    assert seeds == [7]
    assert system.to_json()["board"]["timing_met"] is False
    assert repr(system).endswith("0 differences, clock of ulx3s_85f missed)")
    assert printed[0]["images"].shape == (3, *NETWORK.input.shape)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"board": "arty"}, "board must be 'ulx3s_85f', not 'arty'"),
        ({"images": 0}, "images must be a positive integer, not 0"),
        ({"baud": 9_000_000}, "baud must be in 1 … 6250000, a quarter of the clock, not 9000000"),
        ({"labels": [1]}, r"labels must be None without inputs, not [1]"),
        ({"seed": -1}, "seed must be an integer from 0 to 2147483647, not -1"),
    ],
)
def test_wrong_arguments_are_one_line(tmp_path: Path, arguments: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        cosilico.soc(NETWORK, SMALLEST, out=tmp_path / "a", **arguments)
    assert not (tmp_path / "a").exists()


def test_another_clock_than_the_boards_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systems, "fpga_command", lambda program: (program,))
    line = "clock_mhz must be that of 'ulx3s_85f', 25, not 50"
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        cosilico.soc(NETWORK, SMALLEST, out=tmp_path / "a", board="ulx3s_85f", clock_mhz=50)
