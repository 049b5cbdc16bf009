"""Benchmarks of collections of models, and of clusters: what their tables are made of."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosilico.enumeration_parts import part_ranges
from project_root import ROOT
from scaling_pages import campaigns
from testbench.cases.tflite_streams import stream_model

BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def collections() -> dict[str, Any]:
    return runpy.run_path(str(BENCHMARKS / "model_collections.py"))


def test_each_file_has_a_verdict_and_equal_files_one(
    collections: dict[str, Any], tmp_path: Path
) -> None:
    content = stream_model(0).content
    for name, data in (
        ("a/first.tflite", content),
        ("b.tflite", content),
        ("c.tflite", content[:100]),
        ("notes.txt", b""),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    models = collections["models_below"](tmp_path)
    assert [path.name for path in models] == ["first.tflite", "c.tflite"]
    verdict, line = collections["verdict_of"](models[0])
    assert verdict == "imported"
    assert " 1 states, " in line
    verdict, line = collections["verdict_of"](models[1])
    assert verdict == "damaged"
    assert line.endswith("is truncated or damaged")


def test_refusals_of_a_kind_are_counted_together(collections: dict[str, Any]) -> None:
    lines = (
        "operator 3 MEAN (tensor 'a;b'): must be over height and width, not over axes [2]",
        "operator 12 MEAN (tensor 'c'): must be over height and width, not over axes [1]",
        "model must have one input, not 2",
        "operator 0 CUSTOM a (tensor 'x'): is not supported; supported are ADD",
        "operator 1 ADD (tensor 'x'): activation 'y' must be int8, not int16",
    )
    files = [{"verdict": "refused", "line": line} for line in lines[:4]]
    files += [{"verdict": "imported", "line": ""}, {"verdict": "int16", "line": lines[4]}]
    summary = collections["summary_of"](files)
    assert (summary["files"], summary["imported"], summary["refused"]) == (6, 1, 4)
    assert (summary["int16"], summary["real"]) == (1, 0)
    assert summary["families"] == {
        "MEAN: must be over height and width": 2,
        "CUSTOM a: is not supported": 1,
        "model must have one input": 1,
    }


def test_a_campaign_is_as_long_as_its_parts_or_its_scheduler() -> None:
    sizes = [stop - start for start, stop in part_ranges(10_000_000)]
    results = {
        "points": 1000,
        "alone": {"cpu_s": 0.2},
        "workers": [{"scheduler_us": 400.0, "client_us": 100.0}],
        "campaign": {"points": sum(sizes), "parts": len(sizes), "part_points": max(sizes)},
    }
    answers = dict(campaigns(results, (1, 100, 10**6)))
    assert answers[1]["efficiency"] == pytest.approx(1, rel=0.01)
    assert answers[1]["cpu_hours"] == pytest.approx(2000 / 3600, rel=0.001)
    rounds = -(-len(sizes) // 100)
    assert answers[100]["minutes"] * 60 == pytest.approx(rounds * max(sizes) * 2e-4, rel=0.001)
    # a part for each of some workers
    assert answers[10**6]["minutes"] * 60 == pytest.approx(max(sizes) * 2e-4, rel=0.001)
    slow = results | {"workers": [{"scheduler_us": 1e6, "client_us": 0.0}]}
    (_, figures), *_ = campaigns(slow, (1000,))
    assert figures["minutes"] * 60 == pytest.approx(len(sizes) + 1)
    assert figures["scheduler"] == pytest.approx(1, rel=0.01)
    assert np.isfinite(figures["efficiency"])
