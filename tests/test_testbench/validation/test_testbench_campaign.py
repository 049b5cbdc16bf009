"""A campaign runs everything once, whatever interrupts it."""

import dataclasses
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sim.networks.named import NAMED_NETWORKS
from sim.spec.spaces import EDGE, TINY
from sim.spec.views import View
from testbench.cases.imported import IMPORTED_PER_CONFIG, ImportedCase
from testbench.cases.named_layers import LAYER_CONFIGS, LAYER_NETWORKS
from testbench.cases.random_networks import Case
from testbench.cases.realizability import RealizabilityCase
from testbench.cases.stateful import STATEFUL
from testbench.validation import campaign as campaigns
from testbench.validation.campaign import (
    CASES_PER_CONFIG,
    SYNTHESIS_MACS,
    Campaign,
)
from testbench.validation.journal import Journal
from testbench.validation.random_pairs import DRAWS, Draw, Outcome

SMALL = Campaign(
    pairs=12,
    stalled=3,
    layers=False,
    imported=9,
    graphs=2,
    tables=4,
    states=3,
    points=6,
    seed=5,
    max_macs=128,
)
CASES = 78


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Case, bool]]:
    """Cases that were run, and whether under stalls; nothing is simulated."""
    cases: list[tuple[Case, bool]] = []

    def run(case: Case, *, stalls: bool, view: View, memories: bool, drawn: int) -> Outcome:
        tables = bool(case.config.activation_table) and case.stratum != STATEFUL
        assert not (memories and (stalls or tables or type(case) is not Case))
        assert view == (View.SYNTHESIS if memories or tables else View.SIMULATION)
        cases.append((case, stalls))
        return Outcome(case=case, failure="not run" if case.index == 7 else "")

    monkeypatch.setattr(campaigns, "try_case", run)
    monkeypatch.setattr(campaigns, "worker_pool", ThreadPoolExecutor)
    return cases


def silent(part: str, done: int, total: int) -> None:
    assert 0 < done <= total


def test_every_pair_of_every_part_runs_once(tmp_path: Path, runs: list[tuple[Case, bool]]) -> None:
    journal = Journal(tmp_path / "journal.jsonl", SMALL.header())
    outcomes = list(SMALL.run(journal, 2, silent))
    assert len(outcomes) == len(runs) == sum(part.count for part in SMALL.parts()) == CASES
    assert sum(stalls for _, stalls in runs) == 6
    assert sum(isinstance(case, ImportedCase) for case, _ in runs) == 18 + 4 + 2
    assert sum(case.config.activation_table for case, _ in runs) == 8 + 6
    assert set(journal.records) == {
        f"{part.name}/{index}" for part in SMALL.parts() for index in range(part.count)
    }
    assert [part.name for part in SMALL.parts()] == [
        "random pairs, tiny",
        "random pairs, edge",
        "random stalls, tiny",
        "random stalls, edge",
        "imported networks, tiny",
        "imported networks, edge",
        "graphs, tiny",
        "graphs, edge",
        "activation tables, tiny",
        "activation tables, edge",
        "states, tiny",
        "states, edge",
        "realizability, tiny",
        "realizability, edge",
    ]


def test_a_killed_campaign_goes_on_where_it_stopped(
    tmp_path: Path, runs: list[tuple[Case, bool]]
) -> None:
    path = tmp_path / "journal.jsonl"
    outcomes = SMALL.run(Journal(path, SMALL.header()), 1, silent)
    for _ in range(9):
        next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]  # a generator, typed as an iterator
    before = len(runs)
    assert 9 <= before < CASES  # what ran on until it was stopped is kept, too
    journal = Journal(path, SMALL.header())
    assert len(journal.records) == before
    list(SMALL.run(journal, 2, silent))
    assert len(runs) == CASES
    assert list(SMALL.run(Journal(path, SMALL.header()), 2, silent)) == []


def test_the_journal_keeps_failures(tmp_path: Path, runs: list[tuple[Case, bool]]) -> None:
    journal = Journal(tmp_path / "journal.jsonl", SMALL.header())
    list(SMALL.run(journal, 1, silent))
    failed = [key for key, record in journal.records.items() if record["failure"]]
    assert sorted(failed) == [
        "imported networks, edge/7",
        "imported networks, tiny/7",
        "random pairs, edge/7",
        "random pairs, tiny/7",
    ]


def test_the_journal_keeps_the_view(tmp_path: Path, runs: list[tuple[Case, bool]]) -> None:
    journal = Journal(tmp_path / "journal.jsonl", SMALL.header())
    list(SMALL.run(journal, 1, silent))
    for record in journal.records.values():
        shared = record["part"].startswith(("random pairs", "activation tables"))
        assert record["view"] == ("synthesis" if shared else "simulation")
    # so 24 ran behind all memories, see the fixture
    assert Counter(record["view"] for record in journal.records.values())["synthesis"] == 24 + 8


def test_a_share_of_the_groups_of_random_pairs_is_for_the_synthesis_view() -> None:
    units = list(Campaign(pairs=220, layers=False).units())
    for name in ("random pairs, tiny", "random pairs, edge"):
        chosen = [unit.synthesis for unit in units if unit.name == name]
        assert len(chosen) == 220 / CASES_PER_CONFIG
        assert [group for group, synthesis in enumerate(chosen) if synthesis] == [0, 5, 10]
    shared = ("random pairs", "activation tables")
    assert not any(unit.synthesis for unit in units if not unit.name.startswith(shared))


def test_large_accelerators_stay_in_the_simulation_view() -> None:
    campaign = Campaign(pairs=1)
    unit = next(iter(campaign.units()))
    [case] = unit.draw()
    largest = dataclasses.replace(TINY.default, pes_x=8, pes_y=4, simd_units=32, compute_lanes=1)
    assert largest.macs == SYNTHESIS_MACS
    fitting = dataclasses.replace(case, config=largest)
    assert campaign.view_of(unit, fitting) is View.SYNTHESIS
    larger = dataclasses.replace(case, config=EDGE.default)
    assert EDGE.default.macs > SYNTHESIS_MACS
    assert campaign.view_of(unit, larger) is View.SIMULATION
    everywhere = dataclasses.replace(campaign, view=View.SYNTHESIS)
    assert everywhere.view_of(unit, larger) is View.SYNTHESIS
    assert everywhere.view_of(dataclasses.replace(unit, synthesis=False), case) is View.SYNTHESIS


def test_the_view_draws_no_other_cases() -> None:
    simulation, synthesis = (
        next(iter(Campaign(pairs=2, view=view).units())).draw() for view in View
    )
    assert [case.config for case in simulation] == [case.config for case in synthesis]
    assert [case.label for case in simulation] == [case.label for case in synthesis]


def test_stalled_pairs_are_others(tmp_path: Path, runs: list[tuple[Case, bool]]) -> None:
    list(SMALL.run(Journal(tmp_path / "journal.jsonl", SMALL.header()), 1, silent))
    calm = {
        (case.config, case.network.macs)
        for case, stalls in runs
        if not stalls and not isinstance(case, ImportedCase | RealizabilityCase)
        if not case.config.activation_table and len(case.network.outputs) == 1
    }
    stalled = {(case.config, case.network.macs) for case, stalls in runs if stalls}
    assert not calm & stalled


def test_imported_networks_share_builds(tmp_path: Path, runs: list[tuple[Case, bool]]) -> None:
    list(SMALL.run(Journal(tmp_path / "journal.jsonl", SMALL.header()), 1, silent))
    imported = [
        case for case, _ in runs
        if isinstance(case, ImportedCase) and not case.config.activation_table
    ]  # fmt: skip
    assert len({case.model_seed for case in imported}) == len(imported)
    first = imported[:IMPORTED_PER_CONFIG]
    assert len({case.config for case in first}) == 1


def test_the_full_campaign_is_as_large_as_promised() -> None:
    parts = {part.name: part for part in Campaign().parts()}
    assert sum(p.count for n, p in parts.items() if n.startswith("random pairs")) >= 2000
    assert sum(p.count for p in parts.values() if p.stalls) >= 200
    for space in ("tiny", "edge"):
        assert parts[f"imported networks, {space}"].count >= 60
        assert parts[f"graphs, {space}"].count >= 100
        assert parts[f"activation tables, {space}"].count >= 200
        assert parts[f"states, {space}"].count >= 40
        assert parts[f"realizability, {space}"].count >= 1000
    assert LAYER_NETWORKS == ("mobilenet_v2", "efficientnet_lite0")
    assert [name for name in parts if name.startswith("layers")] == [
        f"layers of {name}" for name in LAYER_NETWORKS
    ]
    for name in LAYER_NETWORKS:
        layers = NAMED_NETWORKS[name].layers
        assert parts[f"layers of {name}"].count == len(layers) * len(LAYER_CONFIGS)
    keys = [unit.name for unit in Campaign().units()]
    assert sum(name.startswith("layers") for name in keys) == len(LAYER_NETWORKS) * len(
        LAYER_CONFIGS
    )


def test_a_share_of_a_campaign_is_its_first_pairs() -> None:
    part = SMALL.scaled(0.34)
    names = ("pairs", "stalled", "imported", "graphs", "tables", "states", "points")
    assert tuple(getattr(part, name) for name in names) == (5, 2, 4, 1, 2, 2, 3)
    whole_counts = {name: getattr(SMALL, name) for name in names}
    assert dataclasses.replace(part, **whole_counts) == SMALL

    def titles(campaign: Campaign) -> dict[str, list[str]]:
        drawn: dict[str, list[str]] = {}
        for unit in campaign.units():
            drawn.setdefault(unit.name, []).extend(case.title for case in unit.draw())
        return drawn

    whole = titles(SMALL)
    for name, first in titles(part).items():
        assert first == whole[name][: len(first)]


def test_an_error_in_drawing_is_raised(
    tmp_path: Path, runs: list[tuple[Case, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **named: object) -> list[Case]:
        raise ZeroDivisionError("drawing")

    draws = dict.fromkeys(DRAWS, Draw(group=broken, per_config=1))
    monkeypatch.setattr(campaigns, "DRAWS", draws)
    journal = Journal(tmp_path / "journal.jsonl", SMALL.header())
    with pytest.raises(ZeroDivisionError, match=r"^drawing$"):
        list(SMALL.run(journal, 2, silent))


def test_what_a_journal_depends_on_is_in_its_header() -> None:
    different = (
        Campaign(),
        Campaign(seed=2),
        Campaign(pairs=3),
        Campaign(imported=3),
        Campaign(graphs=3),
        Campaign(tables=3),
        Campaign(states=3),
        Campaign(points=3),
        Campaign(view=View.SYNTHESIS),
    )
    headers = [campaign.header() for campaign in different]
    assert len({str(header) for header in headers}) == len(headers)
    assert Campaign().header(sources="a") != Campaign().header(sources="b")
