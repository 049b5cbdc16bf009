"""Systems on a chip through the public API: what a caller gets, and what is refused."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import cosilico
from accelerators import SMALLEST
from cosilico import systems
from hwgen.soc.bitstream import Implementation
from hwgen.synthesis.nextpnr import Route
from linear_digits import linear_digits
from sim import golden
from testbench.soc.classes import Classified
from testbench.soc.run import SystemRun

NETWORK, IMAGES, LABELS = linear_digits()
RATES = {"baud": 2_500_000}


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


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Systems that are not built; their firmware prints class 1 for each of three images."""
    asked: list[dict[str, Any]] = []
    run = SystemRun(text="", cycles=9, halted=True, fault=False, wrong_bits=0)

    def write(folder: Path, design: Any, images: Any, **rates: int) -> SimpleNamespace:
        asked.append({"images": images.x, "labels": images.y, **rates})
        config = SimpleNamespace(accelerator=design.accelerator, clock_hz=rates["clock_hz"])
        return SimpleNamespace(config=config, firmware_bytes=100)

    monkeypatch.setattr(systems, "_write", write)
    monkeypatch.setattr(systems, "_patience", lambda files, images: 1)
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
