"""``simulate --trace`` and ``calibrate --trace``: from runs to a memory that ``predict`` takes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cosilico.cli import main
from sim.spec.memory_record import parse_memory
from sim.spec.queued_memory import QueuedMemory


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traces") / "run.json"
    words = ["simulate", "resnet8", "--accelerator", "tiny", "--memory", "latency=60"]
    assert main([*words, "--images", "1", "--trace", str(path)]) == 0
    return path


def calibrate(*words: str | Path) -> int:
    return main(["calibrate", *map(str, words)])


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    capsys.readouterr()
    assert calibrate(*words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    line = captured.err.splitlines()[-1]
    assert line.startswith("cosilico: ")
    return line.removeprefix("cosilico: ")


@pytest.mark.rtl
def test_a_trace_becomes_a_memory(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report, more = tmp_path / "board.toml", tmp_path / "report.json", tmp_path / "more"
    assert calibrate("--trace", trace, "--out", out, "--json", report, "--propose", more) == 0
    printed = capsys.readouterr().out
    assert "determined: " in printed
    memory = parse_memory(str(out))
    assert isinstance(memory, QueuedMemory)
    assert (memory.name, memory.read_latency, memory.write_latency) == ("board", 59, 60)
    assert memory.write_ticks == 0
    document = json.loads(report.read_text())
    assert document["after"]["mean"] < 0.01 < document["before"]["mean"]
    for proposal in document["proposals"]:
        for suffix in (".bin", ".json", ".trace.json"):
            assert (more / f"{proposal['name']}{suffix}").exists()
    words = ["predict", "ds_cnn", "--accelerator", "tiny", "--json", "-"]
    cycles = []
    for given in (str(out), "latency=60"):
        assert main([*words, "--memory", given]) == 0
        cycles.append(json.loads(capsys.readouterr().out)["predicted_cycles"])
    assert cycles[0] == cycles[1]
    # It can be predicted only
    assert main(["simulate", "ds_cnn", "--accelerator", "tiny", "--memory", str(out)]) == 2
    assert "memory 'board' is fitted to traces" in capsys.readouterr().err


def changed(trace: Path, out: Path, **fields: Any) -> Path:
    out.write_text(json.dumps(json.loads(trace.read_text()) | fields))
    return out


@pytest.mark.rtl
def test_what_is_no_fit_writes_nothing(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "board.toml"
    document = json.loads(trace.read_text())
    count = len(document["queue"])
    backwards = changed(
        trace,
        tmp_path / "backwards.json",
        start=document["start"][::-1],
        end=[cycle + 900 for cycle in document["start"][::-1]],
    )
    line = refused(capsys, "--trace", backwards, "--out", out)
    assert re.fullmatch(r"mean error on held-out layers must be at most 10\.0%, not [\d.]+%", line)
    empty = changed(trace, tmp_path / "empty.json", start=[-1] * count)
    line = refused(capsys, "--trace", empty, "--out", out)
    assert line == "traces must have start and end of at least 24 LOADs and STOREs, not 0"
    short = changed(
        trace, tmp_path / "short.json", queue=["load"], start=[1], end=[2], issue_end=[-1]
    )
    line = refused(capsys, "--trace", short, "--out", out)
    assert line.endswith("descriptors of its program in their order, not 1 others")
    other = changed(trace, tmp_path / "other.json", program={"network": "nothing"})
    assert "network must be one of" in refused(capsys, "--trace", other, "--out", out)
    line = refused(capsys, "--trace", trace, "--out", tmp_path / "board.json")
    assert line.startswith("--out must be a .toml file, which --memory reads, not ")
    line = refused(capsys, "--trace", trace, "--memory", "dram", "--out", out)
    assert line == "calibrate must be given either --trace or --memory, not both"
    line = refused(capsys, "--propose", tmp_path / "more", "--out", out)
    assert line == "--propose must be given with --trace"
    assert not out.exists()
    assert not (tmp_path / "more").exists()
