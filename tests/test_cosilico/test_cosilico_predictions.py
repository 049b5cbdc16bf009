"""The commands predict and check: tables on the terminal, figures as JSON, refusals in a line."""

import json
import runpy
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import cosilico
from cosilico.cli import main
from cosilico.predictions import prediction_table
from project_root import ROOT
from sim.cost.external_interface import ExternalInterface, interface_price
from sim.spec.spaces import TINY


@pytest.fixture
def design(tmp_path: Path) -> Path:
    script = ROOT / "examples" / "handwritten" / "make_weights.py"
    runpy.run_path(str(script))["main"](tmp_path)
    return tmp_path / "design.json"


@pytest.fixture
def narrow(tmp_path: Path) -> Path:
    path = tmp_path / "narrow.json"
    path.write_text(json.dumps(asdict(replace(TINY.default, io_bandwidth_gbps=12.8))))
    return path


def test_predict_prints_every_layer_and_the_totals(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "resnet8", "--accelerator", "tiny"]) == 0
    lines = capsys.readouterr().out.splitlines()
    run = cosilico.predict("resnet8", "tiny")
    table = lines[max(i for i, line in enumerate(lines) if line.startswith("┃ layer ")) :]
    for layer in run.layers:
        (line,) = (line for line in table if line.startswith(f"│ {layer['layer']} "))
        assert f" {layer['predicted_cycles']:,} " in line
        assert f" {layer['read_bytes']:,} " in line
    assert lines[1:3] == [
        "61,079 predicted cycles, 0.305 ms at 200 MHz, deterministic memory",
        "3,274 inferences per second, 80.0 % of the multipliers' cycles used",
    ]
    assert lines[4:6] == [
        "area 2.181 mm² in 45 nm",
        "energy 181.33 µJ, energy-delay product 55.38 µJ·ms, in 45 nm",
    ]


def test_predict_tells_the_energy_by_part_cold_and_warm(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    config = replace(TINY.default, weight_store_kb=64)
    run = cosilico.predict("ds_cnn", config)
    path, out = tmp_path / "accelerator.json", tmp_path / "run.json"
    path.write_text(json.dumps(config.to_json()))
    assert main(["predict", "ds_cnn", "--accelerator", str(path), "--json", str(out)]) == 0
    text = capsys.readouterr().out
    for energy, edp in ((run.energy_pj, run.edp), (run.cold_energy_pj, run.cold_edp)):
        assert f"energy {energy * 1e-6:.2f} µJ, energy-delay product {edp * 1e-3:.4g} µJ·ms" in text
    told = [line.split("│") for line in text.splitlines() if line.startswith("│ external memory ")]
    (own,) = (cells for cells in told if "%" in cells[3])
    assert float(own[2]) == round(run.energy_by_part["external_memory"] * 1e-6, 3)
    assert float(own[4]) == round(run.cold_energy_by_part["external_memory"] * 1e-6, 3)
    document = json.loads(out.read_text())
    seconds = run.milliseconds * 1e-3
    for begins, cycles in (("", run.cycles), ("cold_", run.prediction.cold_cycles)):
        parts = document[f"{begins}energy_by_part"]
        assert sum(parts.values()) == pytest.approx(document[f"{begins}energy_pj"], rel=1e-12)
        assert document[f"{begins}edp"] == pytest.approx(
            document[f"{begins}energy_pj"] * seconds * cycles / run.cycles, rel=1e-12
        )
    assert document["cold_energy_pj"] > document["energy_pj"]
    price = interface_price(ExternalInterface.HYPERBUS, config.io_bandwidth_gbps)
    assert document["energy_by_part"]["external_memory"] == pytest.approx(
        8
        * (price.read_pj_per_bit + price.device_read_pj_per_bit)
        * (document["read_bytes"] + document["descriptor_bytes"])
        + 8 * (price.write_pj_per_bit + price.device_write_pj_per_bit) * document["write_bytes"],
        rel=1e-9,
    )


def test_predict_tells_on_80_columns_where_cycles_are_lost(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["predict", "ds_cnn", "--accelerator", "tiny"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    run = cosilico.predict("ds_cnn", "tiny")
    peak = run.accelerator.macs
    lost = {row["layer"]: row["predicted_cycles"] - row["macs"] / peak for row in run.layers}
    worst = sorted(lost, key=lambda layer: -lost[layer])[:5]
    rows = [line for line in text.splitlines() if line.startswith(tuple(f"│ {w} " for w in worst))]
    assert [row.split()[1] for row in rows[:5]] == worst
    for row, layer in zip(rows, worst, strict=False):
        assert f" {lost[layer]:,.0f} " in row
    order = ("inferences per second", "loses most", "local memory", "┃ layer ")
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_the_table_leaves_columns_out_before_numbers() -> None:
    run = cosilico.predict("resnet8", "tiny")
    titles = [column.header for column in prediction_table(run, 40).columns]
    assert titles[0] == "layer"
    assert "cycles" in titles
    assert "kind" not in titles


def test_a_memory_is_named_by_what_it_is_given_as(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["predict", "resnet8", "--accelerator", "tiny", "--memory", "latency=60,outstanding=2"]
    assert main(words) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert line.endswith(", latency=60,outstanding=2 memory")
    slow = cosilico.predict(
        "resnet8", "tiny", memory=cosilico.FixedLatency(latency=60, outstanding=2)
    )
    assert line.startswith(f"{slow.cycles:,} predicted cycles, ")
    assert slow.cycles > 59481


@pytest.mark.parametrize(
    ("images", "memory"), [(1, "deterministic"), (3, "dram"), (2, "clock_mhz=133,width_bytes=2")]
)
def test_predict_writes_what_the_api_says(
    design: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], images: int, memory: str
) -> None:
    expected = cosilico.predict(design, images=images, memory=memory).to_json()
    words = ["predict", str(design), "--images", str(images), "--memory", memory, "--json"]
    assert main([*words, str(tmp_path / "p.json")]) == 0
    assert json.loads((tmp_path / "p.json").read_text()) == expected
    capsys.readouterr()
    assert main([*words, "-"]) == 0
    assert json.loads(capsys.readouterr().out) == expected


def test_check_says_whether_a_pair_is_realizable(
    narrow: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "ds_cnn", "--accelerator", "tiny"]) == 0
    assert capsys.readouterr().out.endswith("0.8 GB/s: realizable\n")
    words = ["check", "ds_cnn", "--accelerator", str(narrow), "--json", str(tmp_path / "v.json")]
    assert main(words) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("12.8 GB/s: not realizable")
    assert lines[1:] == [
        "GEN_BUS: io_bandwidth_gbps needs a bus of 64 bytes, but at simd_units 8 it can have 32"
    ]
    verdict = json.loads((tmp_path / "v.json").read_text())
    assert verdict == cosilico.check("ds_cnn", narrow).to_json()
    assert verdict["realizable"] is False


def test_bad_input_is_a_line(
    design: Path, narrow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, line in (
        (["predict", "ds_cnn"], "network 'ds_cnn' must be given an accelerator"),
        (["check", "ds_cnn"], "network 'ds_cnn' must be given an accelerator"),
        (
            ["predict", "ds_cnn", "--accelerator", narrow],
            "io_bandwidth_gbps needs a bus of 64 bytes, but at simd_units 8 it can have 32",
        ),
        (
            ["predict", design, "--json", design],
            f"--json must be another file than the input {str(design)!r}",
        ),
        (
            ["predict", design, "--accelerator", narrow, "--json", narrow],
            f"--json must be another file than the input {str(narrow)!r}",
        ),
    ):
        assert main(list(map(str, words))) == 2
        assert capsys.readouterr().err == f"cosilico: {line}\n"
