"""``simulate`` end to end on small designs: images, stalls, figures and files."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from accelerators import SMALLEST, WAVES
from cosilico.cli import main
from cosilico.measurements import print_results, time_rows, write_json
from cosilico.photographs import load_photograph, photograph_input
from cosilico.simulation import parse_stalls, simulate_argument
from cosilico.wave_files import WaveOptions
from cosilico.wave_views import ports
from project_root import ROOT
from sampled import sampled
from sim import golden
from sim.realizability import map_realizable
from sim.spec.design import Design, load
from sim.spec.errors import CosilicoError
from sim.spec.files import cache_root
from sim.spec.memories import DRAM
from sim.spec.memory_record import memory_of
from sim.spec.wave_formats import WaveFormat
from sim.timing.calibration import DRAM_ERROR_LIMIT
from testbench.rtl.harness import Harness
from testbench.validation.simulation_result import SimulationResult
from wave_values import read_fst


@pytest.fixture(scope="module")
def design_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("design")
    script = ROOT / "examples" / "handwritten" / "make_weights.py"
    runpy.run_path(str(script))["main"](folder)
    return folder / "design.json"


@pytest.fixture(scope="module")
def calm(design_file: Path) -> tuple[Design, SimulationResult]:
    design, _, results = simulate_argument(str(design_file), images=2)
    return design, results[0]


def test_stall_seeds_are_numbers_with_commas() -> None:
    assert parse_stalls(None) == ()
    assert parse_stalls("7") == (7,)
    assert parse_stalls("1,2,30") == (1, 2, 30)


@pytest.mark.rtl
def test_every_seed_is_a_run(design_file: Path, calm: tuple[Design, SimulationResult]) -> None:
    *_, results = simulate_argument(str(design_file), images=2, stalls=(3, 4))
    assert [result.stall_seed for result in results] == [3, 4]
    assert results[0].measured_cycles != results[1].measured_cycles
    for result in results:
        assert result.exact
        np.testing.assert_array_equal(result.outputs, calm[1].outputs)


@pytest.mark.rtl
def test_another_accelerator_gives_the_same_bits(
    design_file: Path, calm: tuple[Design, SimulationResult]
) -> None:
    design, _, results = simulate_argument(str(design_file), accelerator="tiny", images=2)
    assert design.accelerator != load(design_file).accelerator
    np.testing.assert_array_equal(results[0].outputs, calm[1].outputs)
    assert results[0].macs_per_cycle == 256


@pytest.mark.rtl
def test_a_picture_is_run(design_file: Path, tmp_path: Path) -> None:
    network = load(design_file).network
    path = tmp_path / "p.png"
    pixels = load_photograph()[:100, :120]
    Image.fromarray(pixels).save(path)
    *_, results = simulate_argument(str(design_file), photograph=path)
    x = photograph_input(pixels, network.input)
    assert results[0].images == 1
    expected = golden.run(network, x)[network.output.name]
    np.testing.assert_array_equal(results[0].outputs, expected)


@pytest.mark.rtl
def test_states_of_execute_add_up(calm: tuple[Design, SimulationResult]) -> None:
    rows = dict(time_rows(calm[1]))
    names = ("EXECUTE busy", "EXECUTE waits for LOAD", "EXECUTE waits for STORE", "neither")
    assert sum(rows[name] for name in names) == calm[1].measured_cycles
    assert rows["neither"] > 0
    assert rows["LOAD brings weights"] > rows["LOAD brings tiles"] > 0


@pytest.mark.rtl
def test_prints_cycles_time_utilization_and_rate(
    calm: tuple[Design, SimulationResult], capsys: pytest.CaptureFixture[str]
) -> None:
    design, result = calm
    mapped = map_realizable(design.accelerator, design.network)
    assert print_results(design, mapped, [result]) == 0
    printed = capsys.readouterr().out
    milliseconds = result.measured_cycles / design.accelerator.clock_mhz / 1000
    assert f"{result.measured_cycles:,} cycles, {milliseconds:.3f} ms at 200 MHz" in printed
    assert f"utilization {100 * result.utilization:.1f} % of" in printed
    assert f"{100 * result.busy_utilization:.1f} % while EXECUTE is busy" in printed
    assert "simulation view of the datapath: " in printed
    assert "0 activations and 0 cycle counts differ" in printed


@pytest.mark.rtl
def test_figures_are_json(
    calm: tuple[Design, SimulationResult], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    design, result = calm
    write_json(tmp_path / "r.json", design, [result])
    document = json.loads((tmp_path / "r.json").read_text())
    assert document["accelerator"] == design.accelerator.to_json()
    assert document["runs"][0]["measured_cycles"] == result.measured_cycles
    assert document["runs"][0]["layers"][0]["mismatched_activations"] == 0
    write_json(Path("-"), design, [result])
    assert json.loads(capsys.readouterr().out) == document


@pytest.mark.rtl
def test_exits_1_if_a_cycle_differs(
    design_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = json.loads((ROOT / "sim" / "timing" / "calibration.json").read_text())
    shipped["constants"]["drain_conv"] += 1
    wrong = tmp_path / "calibration.json"
    wrong.write_text(json.dumps(shipped))
    words = ["simulate", str(design_file), "--images", "1"]
    assert main([*words, "--calibration", str(wrong)]) == 1
    assert " 0 activations and 0 cycle counts differ" not in capsys.readouterr().out
    assert main(words) == 0
    assert " 0 activations and 0 cycle counts differ" in capsys.readouterr().out


@pytest.mark.rtl
def test_a_dram_is_run_and_its_error_reported(
    design_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["simulate", str(design_file), "--images", "2", "--memory", "dram"]
    assert main([*words, "--json", str(tmp_path / "r.json")]) == 0
    printed = capsys.readouterr().out
    assert "lpddr4-3200 memory" in printed
    assert re.search(
        r"predicted and measured cycles on the DRAM differ by \d\.\d{3} %, at most 5 % are", printed
    )
    assert " 0 activations and 0 durations of EXECUTE differ" in printed
    run = json.loads((tmp_path / "r.json").read_text())["runs"][0]
    assert memory_of(run["memory"]) == DRAM
    assert run["cycles_error"] <= DRAM_ERROR_LIMIT
    total = abs(run["predicted_cycles"] - run["measured_cycles"]) / run["measured_cycles"]
    assert run["cycles_error"] >= total


@pytest.mark.rtl
def test_exits_1_if_a_dram_is_predicted_too_badly(design_file: Path, tmp_path: Path) -> None:
    shipped = json.loads((ROOT / "sim" / "timing" / "calibration.json").read_text())
    shipped["drams"]["lpddr4-3200"]["parameters"]["read_latency"] = 256
    wrong = tmp_path / "calibration.json"
    wrong.write_text(json.dumps(shipped))
    words = ["simulate", str(design_file), "--images", "1", "--memory", "dram"]
    assert main([*words, "--calibration", str(wrong)]) == 1


def test_a_dram_takes_one_line_to_refuse(
    design_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["simulate", str(design_file), "--memory", "dram"]
    assert main([*words, "--stalls", "1,2"]) == 2
    message = "simulate must be given either --stalls or --memory lpddr4-3200, not both"
    assert capsys.readouterr().err == f"cosilico: {message}\n"
    shipped = json.loads((ROOT / "sim" / "timing" / "calibration.json").read_text())
    shipped["drams"] = {}
    without = tmp_path / "calibration.json"
    without.write_text(json.dumps(shipped))
    assert main([*words, "--calibration", str(without)]) == 2
    assert capsys.readouterr().err == (
        "cosilico: calibration must have memory lpddr4-3200, not no DRAM: "
        "run cosilico calibrate --memory lpddr4-3200\n"
    )


def test_a_bus_beyond_the_dram_takes_one_line_to_refuse(
    design_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fast = load(design_file).accelerator.to_json() | {
        "simd_units": 32, "clock_mhz": 805, "io_bandwidth_gbps": 103.04,
    }  # fmt: skip
    path = tmp_path / "fast.json"
    path.write_text(json.dumps(fast))
    assert main(["simulate", str(design_file), "--accelerator", str(path), "--memory", "dram"]) == 2
    assert capsys.readouterr().err == (
        "cosilico: bus of 128 bytes at 805 MHz must need at most 16 LPDDR4 channels, not 32\n"
    )


@pytest.mark.parametrize("option", ["--json", "--output"])
def test_no_output_replaces_an_input(
    design_file: Path, tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "x.npz"
    np.savez(given, x=np.zeros((1, *load(design_file).network.input.shape), np.int8))
    accelerator = tmp_path / "a.json"
    accelerator.write_text(json.dumps(load(design_file).accelerator.to_json()))
    link = tmp_path / "link"
    link.symlink_to(design_file)
    words = ["simulate", str(design_file), "--input", str(given), "--accelerator", str(accelerator)]
    beside = [design_file.parent / name for name in ("weights.npz", "test.npz")]
    for path in (design_file, *beside, given, accelerator, link):
        before = path.read_bytes() if path.exists() else None
        assert main([*words, option, str(path)]) == 2
        message = f"{option} must be another file than the input {str(path)!r}"
        assert capsys.readouterr().err == f"cosilico: {message}\n"
        assert (path.read_bytes() if path.exists() else None) == before
    assert main([*words, option, str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"cosilico: {tmp_path}: Is a directory\n"


def test_two_outputs_are_two_files(
    design_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    words = ["simulate", str(design_file), "--json", str(out)]
    assert main([*words, "--output", str(tmp_path / "." / out.name)]) == 2
    assert (
        capsys.readouterr().err
        == f"cosilico: --json must be another file than --output {str(out)!r}\n"
    )
    assert not out.exists()


def test_waves_of_another_program_are_not_replaced(
    tmp_path: Path, design_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in design_file.parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    waves = tmp_path / "waves.vcd"
    waves.write_text("mine")
    assert main(["simulate", str(tmp_path / design_file.name), "--waves"]) == 2
    message = f"{waves} must be absent or waveforms of an earlier run"
    assert capsys.readouterr().err == f"cosilico: {message}\n"
    assert waves.read_text() == "mine"


@pytest.mark.parametrize("form", list(WaveFormat))
def test_file_of_waves_is_recognized(tmp_path: Path, form: WaveFormat) -> None:
    """What another program wrote, or a file of the other format, is not replaced."""
    options = WaveOptions(format=form)
    path = options.path(tmp_path)
    options.check(tmp_path)
    path.touch()
    options.check(tmp_path)
    path.write_bytes(bytes(74) + b"Generated by another")
    with pytest.raises(CosilicoError, match=f"^{path} must be absent or waveforms of an earlier"):
        options.check(tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--waves-cycles", "5-9"],
            "--waves-cycles must be FIRST:END, as in 1000:2000, not '5-9'",
        ),
        (
            ["--waves-cycles", "9:5"],
            "cycles of waves must be FIRST:END with 0 <= FIRST < END, not 9:5",
        ),
        (
            ["--waves-layer", "stem", "--waves-descriptor", "0"],
            "waves must show one of a layer, a descriptor and a range of cycles, not 2 of them",
        ),
        (
            ["--waves-layer", "absent"],
            "layer of waves must be a layer of network 'handwritten', not 'absent'",
        ),
        (
            ["--waves-format", "fst", "--engine", "cocotb"],
            "engine must be verilator for a part of the waves or another format than vcd, not 'cocotb'",
        ),
    ],
)
def test_waves_that_cannot_be_written_are_refused(
    design_file: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["simulate", str(design_file), "--images", "1", *words]) == 2
    assert capsys.readouterr().err == f"cosilico: {message}\n"
    assert not list(design_file.parent.glob("*waves*"))


def copied_for_waves(design_file: Path, folder: Path) -> Path:
    """Copy the design into a folder, with an accelerator that is built for other tests of waveforms, too."""
    for path in design_file.parent.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    copied = folder / design_file.name
    record = json.loads(copied.read_text())
    record["accelerator"] = WAVES.to_json()
    copied.write_text(json.dumps(record))
    return copied


@pytest.mark.rtl
def test_part_of_the_waves_is_written_as_fst_with_views(tmp_path: Path, design_file: Path) -> None:
    """Twice: what an earlier run wrote is replaced."""
    words = ["simulate", str(copied_for_waves(design_file, tmp_path)), "--images", "1"]
    sizes = []
    for layer in ("stem", "scores"):
        assert main([*words, "--waves-format", "fst", "--waves-layer", layer]) == 0
        waves = tmp_path / "waves.fst"
        assert {"TOP.clk", "TOP.m_axi_rvalid"} <= {signal.path for signal in ports(waves)}
        assert "TOP.trace_busy" in (tmp_path / "waves.gtkw").read_text()
        sizes.append(len(read_fst(waves).times))
    assert 0 < min(sizes) < max(sizes)
    waves.write_bytes(waves.read_bytes()[:-1000])
    with pytest.raises(CosilicoError, match=f"^waveforms '{waves}' must be a complete FST file$"):
        ports(waves)


@pytest.mark.rtl
def test_figures_go_through_links_and_to_devices(design_file: Path, tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "target.json"
    link.symlink_to(target)
    words = ["simulate", str(design_file), "--images", "1"]
    for _ in range(2):  # a file that the user names is replaced
        assert main([*words, "--json", str(link), "--output", "/dev/null"]) == 0
    assert link.is_symlink()
    assert json.loads(target.read_text())["network"]
    assert Path("/dev/null").is_char_device()
    done = subprocess.run(
        [sys.executable, "-m", "cosilico", *words, "--json", "/dev/stdout"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert '"measured_cycles"' in done.stdout
    assert "where the time goes" in done.stdout


@pytest.mark.rtl
def test_waves_are_written_again(tmp_path: Path, design_file: Path) -> None:
    copied = copied_for_waves(design_file, tmp_path)
    words = ["simulate", str(copied), "--images", "1", "--waves"]
    for _ in range(2):
        assert main(words) == 0
        assert "$enddefinitions" in (tmp_path / "waves.vcd").read_text()
    assert not list(tmp_path.glob(".*"))


def cache_without(kind: str, folder: Path) -> Path:
    """A cache that has what other tests have, which takes minutes to build, but for one kind."""
    cache = folder / "cache"
    cache.mkdir()
    for name in {"kernels", "runtime", "verilog"} - {kind}:
        shared = cache_root() / name
        shared.mkdir(parents=True, exist_ok=True)
        (cache / name).symlink_to(shared)
    return cache


@pytest.mark.rtl
def test_a_damaged_simulation_is_built_again(
    design_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its executable, and the Verilog that it is built from."""
    accelerator = tmp_path / "smallest.json"
    accelerator.write_text(json.dumps(SMALLEST.to_json()))
    words = ["simulate", str(design_file), "--accelerator", str(accelerator), "--images", "1"]
    cache = cache_without("verilog", tmp_path)
    monkeypatch.setenv("COSILICO_CACHE", str(cache))
    assert main(words) == 0
    files = [*(cache / "harness").glob("*/harness"), *(cache / "verilog").glob("*/*.v")]
    assert len(files) == 2
    for file in files:
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
        assert main(words) == 0
        # A compiler's output has the name of its folder in it; what is emitted has not.
        assert abs(file.stat().st_size - len(content)) < 1000
        assert file.suffix != ".v" or file.read_bytes() == content


@pytest.mark.rtl
@pytest.mark.parametrize("missing", sampled(["g++", "perl"], lambda missing: missing == "g++"))
def test_a_missing_program_is_the_machines_fault(
    design_file: Path, tmp_path: Path, missing: str
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("g++", "perl", "make", "ar", "as", "ld", "env", "sh", "uname", "python3"):
        place = shutil.which(name)
        if place is not None and name != missing:
            (programs / name).symlink_to(place)
    done = subprocess.run(
        [sys.executable, "-m", "cosilico", "simulate", str(design_file), "--images", "1"],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env=os.environ | {"PATH": str(programs), "COSILICO_CACHE": str(cache_without("harness", tmp_path))},
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert missing in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("program", "status", "line"),
    [
        ("kill -9 $$", 3, "the simulation was killed by SIGKILL"),
        ("echo; echo '%Error: No space left on device'; kill -6 $$", 3,
         "the simulation was killed by SIGABRT: %Error: No space left on device"),
        ("echo 'AXI protocol violation on AW at cycle 3' >&2; exit 4", 1,
         "AXI protocol violation on AW at cycle 3"),
        ("echo 'the AXI4-Lite port did not answer within 9 cycles' >&2; exit 2", 1,
         "the AXI4-Lite port did not answer within 9 cycles"),
        ("echo 'outputs.bin cannot be written' >&2; exit 2", 3, "outputs.bin cannot be written"),
    ],
)  # fmt: skip
def test_how_a_simulation_ends_says_whose_fault_it_is(
    design_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    program: str,
    status: int,
    line: str,
) -> None:
    script = tmp_path / "harness"
    script.write_text(f"#!/bin/sh\n{program}\n")
    script.chmod(0o755)
    monkeypatch.setattr(Harness, "executable", property(lambda self: script))
    assert main(["simulate", str(design_file), "--images", "1"]) == status
    assert capsys.readouterr().err.splitlines()[-1] == f"cosilico: {line}"
