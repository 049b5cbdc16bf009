"""The command line: every fault of the input is one line on stderr and exit status 2."""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cosilico import __version__
from cosilico.cli import main
from project_root import ROOT
from sim.networks.named import NAMED_NETWORKS
from sim.spec.spaces import TINY
from sim.timing.calibration import default
from testbench.rtl.harness import HarnessError


@pytest.fixture
def design(tmp_path: Path) -> Path:
    script = ROOT / "examples" / "handwritten" / "make_weights.py"
    runpy.run_path(str(script))["main"](tmp_path)
    return tmp_path / "design.json"


def edit(path: Path, *keys: str | int, value: Any) -> None:
    document = json.loads(path.read_text())
    place = document
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path.write_text(json.dumps(document))


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """Run a command that must be refused; return its one line."""
    assert main([str(word) for word in words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"cosilico: [^\n]+\n", captured.err)
    return captured.err.removeprefix("cosilico: ").rstrip("\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["run"], "Missing option '--out'."),
        (["run", "x.toml"], "Missing option '--out'."),
        (["generate", "x", "--nonsense"], "No such option: --nonsense"),
        (
            ["generate", "absent.json", "--out", "o"],
            "design file absent.json cannot be read: No such file or directory",
        ),
        (
            ["generate", "--out", "o"],
            "generate must be given a network, an --accelerator or both",
        ),
        (
            ["generate", "resnet8", "--out", "o"],
            "network 'resnet8' must be given an accelerator",
        ),
        (
            ["generate", "--accelerator", "tiny", "--out", "o", "--testbench", "verilog"],
            "--testbench must be none without a network, not verilog",
        ),
        (
            ["generate", "resnet8", "--out", "o", "--testbench", "cocotb", "--no-trace"],
            "--no-trace must be left out with --testbench cocotb",
        ),
        (
            ["generate", "--accelerator", "tiny", "--out", "o", "--prefix", "9_"],
            "--prefix must be a letter and then letters, digits or _, not '9_'",
        ),
        (
            ["generate", "--accelerator", "tiny", "--out", "o", "--package"],
            "--package must be left out without a network",
        ),
        (
            ["generate", "resnet8", "--out", "o", "--package", "--testbench", "cocotb"],
            "--testbench must be none with --package, not cocotb",
        ),
        (
            ["generate", "resnet8", "--out", "o", "--package", "--prefix", "acme_"],
            "--prefix must be cosilico_ with --package, not acme_",
        ),
        (
            ["generate", "resnet8", "--out", "o", "--package", "--single-file"],
            "--single-file must be left out with --package",
        ),
        (
            ["run", "absent.toml", "--out", "o"],
            "experiment absent.toml cannot be read: No such file or directory",
        ),
        (
            ["report", "absent"],
            "results file absent/results.json cannot be read: No such file or directory",
        ),
        (
            ["validate"],
            "validate must be given one of NETWORK, --random N, --stalls N, --graphs N, --tables N, "
            "--states N, --imported N, --realizability N, --fuzz N, --corrupted N or --full",
        ),
        (
            ["validate", "x", "--random", "3"],
            "validate must be given one of NETWORK, --random N, --stalls N, --graphs N, --tables N, "
            "--states N, --imported N, --realizability N, --fuzz N, --corrupted N or --full",
        ),
        (
            ["validate", "--full", "--imported", "3"],
            "validate must be given one of NETWORK, --random N, --stalls N, --graphs N, --tables N, "
            "--states N, --imported N, --realizability N, --fuzz N, --corrupted N or --full",
        ),
        (
            ["validate", "--random", "3", "--percent", "30"],
            "--percent must be given with --full alone",
        ),
        (
            ["validate", "--stalls", "3", "--imported", "3"],
            "validate must be given one of NETWORK, --random N, --stalls N, --graphs N, --tables N, "
            "--states N, --imported N, --realizability N, --fuzz N, --corrupted N or --full",
        ),
        (
            ["validate", "--random", "3", "--accelerator", "tiny"],
            "--accelerator must be given with NETWORK, and only with it",
        ),
        (
            ["validate", "--random", "3", "--memory", "latency=40"],
            "--memory must be given with NETWORK; --memories is for random pairs",
        ),
        (
            ["validate", "x", "--memory", "latency=0"],
            "memory.latency must be an integer in 1 … 4096, not 0",
        ),
        (
            ["validate", "--stalls", "3", "--memories", "all"],
            "--memories must be given with --random, --graphs, --tables, --states, --imported or --realizability alone; "
            "--full runs its random pairs behind all of them",
        ),
        (
            ["validate", "--imported", "3", "--memories", "random"],
            "--memories random must be given with --random alone",
        ),
        (
            ["enumerate", "resnet8", "--out", "x.csv", "--memory", "dram"],
            "memory must have a fixed latency where many accelerators are compared, not lpddr4-3200",
        ),
        (
            ["predict", "resnet8", "--accelerator", "tiny", "--memory", "latency=0"],
            "memory.latency must be an integer in 1 … 4096, not 0",
        ),
        (
            ["simulate", "mobilenet_v2"],
            "network 'mobilenet_v2' must be given an --accelerator",
        ),
        (
            ["simulate", "mobilenet_v2", "--accelerator", "huge"],
            "accelerator must be one of tiny, edge, nahas, or a JSON file, not 'huge'",
        ),
        (
            ["simulate", "mobilenet_v9", "--accelerator", "edge"],
            f"network must be one of {', '.join(NAMED_NETWORKS)}, a JSON file or an imported "
            "folder, not 'mobilenet_v9'; the nearest is 'mobilenet_v2'",
        ),
        (
            ["simulate", "net/m.tflite", "--accelerator", "edge"],
            "network must be a folder that cosilico import m.tflite --out DIR makes, not the model "
            "file 'net/m.tflite'",
        ),
        (
            ["simulate", "x.json", "--stalls", "1,two"],
            "stalls must be seeds of 0 or more, as in 1,2,3, not '1,two'",
        ),
        (
            ["simulate", "x.json", "--view", "fast"],
            "Invalid value for '--view': ",
        ),
        (
            ["enumerate", "vgg", "--space", "tiny", "--out", "o.csv"],
            f"network must be one of {', '.join(NAMED_NETWORKS)}, a JSON file or an imported "
            "folder, not 'vgg'",
        ),
        (
            ["enumerate", "resnet8", "--out", "o.xlsx"],
            "--out must end in .csv or .parquet, not 'o.xlsx'",
        ),
        (["enumerate", "resnet8", "--out", "."], ".: Is a directory"),
        (
            ["import", "model.keras", "--out", "o"],
            "model file must end in .tflite, .onnx, .pt2, not 'model.keras'",
        ),
        (
            ["import", "model.tflite", "--out", "o"],
            "model file model.tflite cannot be read: No such file or directory",
        ),
        (
            ["simulate", ".", "--accelerator", "tiny"],
            "network file network.json cannot be read: No such file or directory",
        ),
        (
            ["run", "--out", "o"],
            "run must be given either EXPERIMENT, which names its space and memory, or --network",
        ),
        (
            ["run", "spec.toml", "--network", "net", "--out", "o"],
            "run must be given either EXPERIMENT, which names its space and memory, or --network",
        ),
        (
            ["run", "--network", "net", "--out", "o"],
            f"network must be one of {', '.join(NAMED_NETWORKS)}, a JSON file or an imported "
            "folder, not 'net'",
        ),
        (
            ["run", "--network", "net.json", "--space", "huge", "--out", "o"],
            "space must be one of tiny, edge, nahas, or a TOML file, not 'huge'",
        ),
        (
            ["validate", "--random", "1", "--space", "huge"],
            "space must be one of tiny, edge, nahas, or a TOML file, not 'huge'",
        ),
        (
            ["enumerate", "x", "--space", "huge", "--out", "o.csv"],
            "space must be one of tiny, edge, nahas, or a TOML file, not 'huge'",
        ),
    ],
)
def test_says_what_is_wrong_with_a_command(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert refused(capsys, *words).startswith(line)
    assert list(tmp_path.iterdir()) == []


def test_names_a_field_of_the_wrong_type(capsys: pytest.CaptureFixture[str], design: Path) -> None:
    edit(design, "accelerator", "pes_x", value="two")
    line = refused(capsys, "simulate", design)
    assert line == "accelerator.pes_x must be an integer in 1 … 4294967295, not 'two'"


def test_names_an_unknown_op(capsys: pytest.CaptureFixture[str], design: Path) -> None:
    edit(design, "network", "layers", 1, "kind", value="softmax")
    assert "layers[1].kind must be one of conv, depthwise," in refused(capsys, "validate", design)


def test_names_the_limit_of_a_non_realizable_design(
    capsys: pytest.CaptureFixture[str], design: Path, tmp_path: Path
) -> None:
    edit(design, "accelerator", "io_bandwidth_gbps", value=12.8)
    line = refused(capsys, "generate", design, "--out", tmp_path / "verilog")
    assert line == "io_bandwidth_gbps needs a bus of 64 bytes, but at simd_units 8 it can have 32"
    assert not (tmp_path / "verilog").exists()


def test_verilog_of_a_clock_that_no_module_reaches_is_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fast = tmp_path / "fast.json"
    fast.write_text(
        json.dumps(TINY.default.to_json() | {"clock_mhz": 2000, "io_bandwidth_gbps": 8})
    )
    line = refused(capsys, "generate", "--accelerator", fast, "--out", tmp_path / "verilog")
    assert re.fullmatch(
        r"clock_mhz must be at most \d{3}, which module '[a-z_]+' reaches, not 2000", line
    )
    assert not (tmp_path / "verilog").exists()


def test_refuses_weights_of_another_design(
    capsys: pytest.CaptureFixture[str], design: Path
) -> None:
    edit(design, "weights", "sha256", value="0" * 64)
    line = refused(capsys, "simulate", design)
    assert line.endswith("weights.npz does not match the design's weights.sha256")


def test_refuses_truncated_weights(capsys: pytest.CaptureFixture[str], design: Path) -> None:
    weights = design.parent / "weights.npz"
    weights.write_bytes(weights.read_bytes()[:-500])
    line = refused(capsys, "simulate", design)
    assert line.endswith("weights.npz is truncated or not an npz file")


def test_refuses_a_stale_calibration(
    capsys: pytest.CaptureFixture[str], design: Path, tmp_path: Path
) -> None:
    shipped = json.loads((ROOT / "sim" / "timing" / "calibration.json").read_text())
    stale = tmp_path / "calibration.json"
    stale.write_text(json.dumps(shipped | {"gateware_hash": "f" * 64}))
    line = refused(capsys, "simulate", design, "--calibration", stale)
    assert re.fullmatch(
        r"calibration was measured on gateware ffffffffffff, "
        r"but the gateware is [0-9a-f]{12}: run cosilico calibrate",
        line,
    )


def test_refuses_images_of_another_shape(
    capsys: pytest.CaptureFixture[str], design: Path, tmp_path: Path
) -> None:
    (tmp_path / "x.npz").write_bytes(b"no npz file")
    line = refused(capsys, "simulate", design, "--input", tmp_path / "x.npz")
    assert line == f"image file {tmp_path / 'x.npz'} is truncated or not an npz file"


def test_refuses_two_kinds_of_images(capsys: pytest.CaptureFixture[str], design: Path) -> None:
    line = refused(capsys, "simulate", design, "--input", "x.npz", "--image", "x.png")
    assert line == "simulate must be given either --input or --image, not both"


def test_a_stopped_run_is_one_line_and_a_difference(
    capsys: pytest.CaptureFixture[str], design: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*arguments: object, **named: object) -> None:
        raise HarnessError("run 0 stopped at cycle 99: EXECUTE descriptor 0 of 1 lacks a token")

    monkeypatch.setattr("cosilico.simulation.simulate", stopped)
    monkeypatch.setattr("cosilico.simulation.current_calibration", lambda path: default())
    assert main(["simulate", str(design)]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "cosilico: run 0 stopped at cycle 99: EXECUTE descriptor 0 of 1 lacks a token"
    )


def test_a_folder_in_a_files_place_is_one_line(
    capsys: pytest.CaptureFixture[str], design: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    line = refused(capsys, "generate", design, "--out", tmp_path / "file" / "verilog")
    assert line.endswith(": Not a directory")


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "absent", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize(
    ("command", "texts"),
    [
        ("run", ["[default: (tiny)]", "[default: 0]"]),
        ("simulate", ["[default: (the design's own)]", "(all)]", "[default: (those shipped)]"]),
        (
            "validate",
            [
                "[default: (one per core)]",
                "[default: (build/validation.jsonl or build/memories.jsonl)]",
            ],
        ),
        ("enumerate", ["[default: (area of the space's default)]", "[default: tiny]"]),
        ("import", ["x, float [N, C, H, W]"]),
        ("cache", ["--prune", "--all"]),
    ],
)
def test_help_shows_the_defaults(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    flag: str,
    texts: list[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([command, flag]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    printed = " ".join(" ".join(lines).replace("│", " ").split())
    assert [text for text in texts if text not in printed] == []


def test_prints_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"cosilico {__version__}\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("cosilico en", ["enumerate"]),
        ("cosilico simulate mobilenet_v", ["mobilenet_v1_025", "mobilenet_v2"]),
    ],
)
def test_the_shell_completes(words: str, expected: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cosilico"],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env=os.environ | {
            "_COSILICO_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
    )  # fmt: skip
    assert sorted(done.stdout.split()) == expected
    assert done.stderr == ""


def test_help_lists_the_commands_without_loading_the_stages() -> None:
    program = (
        "import sys; from cosilico.cli import main; main(['--help']); "
        "print(sorted({'torch', 'numba', 'amaranth', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, cwd=ROOT, env=os.environ | {"COLUMNS": "80"},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"
    for name in ("run", "search", "generate", "simulate", "validate", "calibrate", "enumerate"):
        assert re.search(rf"^│ {name} ", done.stdout, re.MULTILINE)


def test_python_dash_m_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cosilico", "report", "absent"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("cosilico: results file absent")
