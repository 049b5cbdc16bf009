"""Committed comparisons on joint spaces: each says what its figures are of, and those of something else are listed."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from claim_pages import joint_problems, joint_reading, joint_regrets, joint_searches, mean_ranks
from cosilico.joint.problems import JUDGED, PROBLEMS
from cosilico.measured_state import measured_state
from page_tables import NOT_YET
from project_root import ROOT

FILES = ("compared_fashion", "compared_joint", "compared_joint_defaults")

COUNTED = (*FILES, "joint_problems")
"""Comparisons, and the counts of their problems, which no strategy changes."""


def measured(name: str) -> dict[str, Any] | None:
    """Content of a comparison's file; None where nothing is measured."""
    content: dict[str, Any] = json.loads((ROOT / "benchmarks" / f"{name}.json").read_text())
    return content if content.get("problems") else None


def test_comparisons_of_another_state_are_listed() -> None:
    """On the page of evidence; a comparison without digests is of an unknown state."""
    page = (ROOT / "docs" / "explanation" / "evidence.md").read_text()
    listed = page.partition("of an earlier state.**")[2]
    listed = listed.partition("\n\n")[0]
    known = {name: content for name in COUNTED if (content := measured(name)) is not None}
    state = measured_state()
    stale = {
        name
        for name, content in known.items()
        if not content["digests"]
        or any(
            content["digests"].get(part) != digest
            for part, digest in state.items()
            if (name, part) != ("joint_problems", "strategies")  # nothing is searched there
        )
    }
    assert {name for name in COUNTED if f"`benchmarks/{name}.json`" in listed} == stale


def test_a_state_is_of_code_and_not_of_comments(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    state = measured_state()
    assert set(state) == {"gateware", "timing", "prices", "model", "strategies", "judge"}
    assert len(set(state.values())) == len(state)
    (tmp_path / "search").mkdir()
    file = tmp_path / "search" / "some.py"
    module: Any = import_module("cosilico.measured_state")
    monkeypatch.setattr(module.resources, "files", lambda package: tmp_path / package)
    digests = []
    for text in ('"""A."""\nx = 1\n', '"""B."""\nx = 1  # why\n', "x = 2\n"):
        file.write_text(text)
        digests.append(module._code_digest("search"))
    assert digests[0] == digests[1] != digests[2]


def test_evidence_judges_all_problems() -> None:
    text = (ROOT / "Makefile").read_text()
    judged = next(line for line in text.splitlines() if line.startswith("JUDGE :="))
    assert "--problems all" in judged
    compared = [line for line in text.splitlines() if "cosilico compare" in line]
    assert len(compared) == len(FILES)
    assert all(line.endswith("$(JUDGE)") for line in compared)
    assert "benchmarks/joint_problems.py" in text


def search(regret: float | None, **more: Any) -> dict[str, Any]:
    spent = {"evaluations": 30, "trainings": 9, "violations": 0, "over_budget": 4}
    design = None if regret is None else {"regret": regret, "excess_cost": 0.25}
    return {"design": design, "evaluations_within": 12, "hypervolume": {"end": 0.5}} | spent | more


def results() -> dict[str, Any]:
    """Two strategies and two problems."""
    trade: dict[str, list[float | None]] = {"random": [0.05, 0.03, None], "dna": [0.0, 0.01, 0.02]}
    tight: dict[str, list[float | None]] = {"random": [0.01, 0.01, 0.01], "dna": [0.01, 0.02, 0.0]}
    problems = {}
    for name, exponent, table in (("trade", -0.03, trade), ("tight", 0.0, tight)):
        problems[name] = {
            "cost_exponent": exponent,
            "optimum": {"score": 0.9},
            "strategies": {
                strategy: {"searches": [search(regret) for regret in regrets]}
                for strategy, regrets in table.items()
            },
        }
    return {"pairs": 1200, "budget": 500, "problems": problems}


def test_ranks_are_means_over_the_problems() -> None:
    assert mean_ranks(results()) == {"random": (2 + 1.5) / 2, "dna": (1 + 1.5) / 2}


def test_a_reading_names_the_strategy_that_comes_closest() -> None:
    line = joint_reading(results())
    assert "Of all 1,200 pairs" in line
    assert "is known for 2 problems" in line
    assert "`dna` comes closest: 6 of its 6 searches end within 2 % of the best score" in line
    assert "a median regret of 1.00 % and 2.00 % at most" in line
    assert line.endswith("Of the others, by their mean rank: `random` 3 of 6 (median 2.00 %).")
    single = results()
    del single["problems"]["tight"]
    assert "is known for the problem `trade`" in joint_reading(single)


def test_tables_have_regret_excess_cost_and_points_of_accuracy() -> None:
    rows = joint_regrets(results()).splitlines()
    assert rows[0] == "| strategy | mean rank | `trade` | `tight` |"
    assert rows[2] == "| dna | 1.2 | 1.00 % (3/3) | 0.90 points (3/3) |"
    table = joint_searches(results())
    assert "| `trade` | random | 5.00 % | 100.00 % | 0 of 3 | 12 | 25.0 % | 0.500 | 30 | 9 | 4 |" in table  # fmt: skip
    assert "not realizable |" not in table
    assert table.endswith("Every pair of these searches is realizable.")
    refused = results()
    refused["problems"]["tight"]["strategies"]["dna"]["searches"][0]["violations"] = 3
    assert "| not realizable |" in joint_searches(refused)
    for block in (joint_reading, joint_regrets, joint_searches):
        assert block({"strategies": {}}) == NOT_YET


def test_the_page_tells_which_problems_are_judged() -> None:
    content = json.loads((ROOT / "benchmarks" / "joint_problems.json").read_text())
    rows = joint_problems(content).splitlines()[2:]
    assert len(rows) == len(PROBLEMS)
    told = {name for name, row in zip(PROBLEMS, rows, strict=True) if row.endswith("| yes |")}
    assert told == set(JUDGED)
