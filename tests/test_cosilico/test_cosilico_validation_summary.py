"""The results file: every part's figures, and every pair that is not right."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from cosilico.validation_summary import MEMORY_RESULTS, RESULTS, summarize, write_summary
from project_root import ROOT
from sim.spec.spaces import EDGE, TINY
from sim.spec.views import View
from testbench.validation.campaign import Campaign
from testbench.validation.journal import Journal

CAMPAIGN = Campaign(
    pairs=2, stalled=1, layers=False, imported=0, graphs=0, tables=0, states=0, points=0, seed=4
)
COUNTS = (
    " with pairs 2, stalled 1, layers False, imported 0, graphs 0, tables 0, states 0, points 0"
)
"""Counts that the page tells, as this campaign is a part of the whole."""


def record(part: str, **changed: Any) -> dict[str, Any]:
    config = (EDGE if "edge" in part else TINY).default
    return {
        "part": part,
        "view": "synthesis" if part == "random pairs, tiny" else "simulation",
        "stratum": "conv 1x1/1",
        "corner": "odd size",
        "traits": ["3 passes", "spills"],
        "verdict": "",
        "network": "n",
        "accelerator": config.to_json(),
        "memories": 3,
        "activations": 1000,
        "bit_differences": 0,
        "judged_values": 0,
        "judged_differences": 0,
        "descriptors": 40,
        "timing_differences": 0,
        "predicted_cycles": 70,
        "measured_cycles": 70,
        "stream_images": 0,
        "failure": "",
    } | changed


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    written = Journal(tmp_path / "journal.jsonl", CAMPAIGN.header())
    for part in CAMPAIGN.parts():
        for index in range(part.count):
            written.append(f"{part.name}/{index}", record(part.name))
    return written


def test_figures_add_up(journal: Journal) -> None:
    summary = summarize(CAMPAIGN, journal, "f" * 64)
    assert summary["total"]["pairs"] == 6
    assert summary["total"]["runs"] == 18
    assert summary["total"]["synthesis_pairs"] == 2
    assert summary["parts"]["random pairs, tiny"]["synthesis_pairs"] == 2
    assert summary["parts"]["random pairs, edge"]["synthesis_pairs"] == 0
    assert summary["total"]["activations"] == 6000
    assert summary["total"]["configurations"] == 2
    assert summary["total"]["macs_per_cycle"] == [256, 16384]
    assert summary["parts"]["random stalls, edge"]["memory"] == "T2"
    assert summary["parts"]["random pairs, edge"]["memory"] == "T1 and others"
    assert summary["parts"]["random pairs, tiny"]["descriptors"] == 80
    assert summary["mappings"] == {"passes": 6, "spills": 6}
    assert summary["wrong"] == {}


@pytest.mark.parametrize(
    "change",
    [
        {"failure": "hangs"},
        {"bit_differences": 1},
        {"judged_differences": 1},
        {"timing_differences": 2},
    ],
)
def test_what_is_wrong_is_listed(journal: Journal, change: dict[str, Any]) -> None:
    journal.append("random pairs, edge/1", record("random pairs, edge", **change))
    summary = summarize(CAMPAIGN, journal, "f" * 64)
    assert list(summary["wrong"]) == ["random pairs, edge/1"]
    assert summary["total"]["failures"] == ("failure" in change)


def test_what_is_wrong_is_in_the_campaigns_order(journal: Journal) -> None:
    """Threads finish in any order; the page does not show which was first."""
    keys = ["random pairs, tiny/2", "random pairs, tiny/10", "random pairs, edge/1"]
    for key in (keys[1], keys[2], keys[0]):
        journal.append(key, record(key.rpartition("/")[0], failure="hangs"))
    assert list(summarize(CAMPAIGN, journal, "f" * 64)["wrong"]) == keys


def test_both_files_are_written(journal: Journal, tmp_path: Path) -> None:
    summary = summarize(CAMPAIGN, journal, "f" * 64)
    write_summary(summary, tmp_path / "out")
    assert json.loads((tmp_path / "out" / RESULTS.json).read_text()) == summary
    text = (tmp_path / "out" / RESULTS.text).read_text()
    assert f"`cosilico validate --full --seed 4`{COUNTS}, simulation view" in text
    assert (
        "20 of which share an accelerator, and of those with activation tables, 12 of which do, every 5th "
        "accelerator runs its pairs in the"
    ) in text
    assert "synthesis view, if it has at most 4,096 MACs per cycle. On T1 every" in text
    assert "| pairs | pairs in the synthesis view | runs |" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1
    assert rows[-1].startswith(
        "| total |  | 6 | 2 | 18 | 2 | 256 … 16,384 | 6,000 | 0 | 240 | 0 | 0 |"
    )
    assert "Wrong" not in text
    assert "realizability" not in text
    assert "TensorFlow" not in text
    assert "stream" not in text


def test_a_campaign_in_the_synthesis_view_says_so(tmp_path: Path) -> None:
    campaign = dataclasses.replace(CAMPAIGN, view=View.SYNTHESIS)
    journal = Journal(tmp_path / "other.jsonl", campaign.header())
    write_summary(summarize(campaign, journal, "f" * 64), tmp_path)
    text = (tmp_path / RESULTS.text).read_text()
    assert (
        f"--seed 4`{COUNTS}, synthesis view of the datapath, gateware `ffffffffffff`. On T1" in text
    )


def test_random_memories_have_a_page_of_their_own(tmp_path: Path) -> None:
    campaign = Campaign(
        pairs=0,
        stalled=0,
        layers=False,
        imported=0,
        graphs=0,
        tables=0,
        states=0,
        points=0,
        behind_drawn=2,
        seed=4,
        max_macs=64,
    )
    assert [part.name for part in campaign.parts()] == [
        "random memories, tiny",
        "random memories, edge",
    ]
    journal = Journal(tmp_path / "other.jsonl", campaign.header())
    for part in campaign.parts():
        for index in range(2):
            journal.append(f"{part.name}/{index}", record(part.name))
    summary = summarize(campaign, journal, "f" * 64)
    write_summary(summary, tmp_path, MEMORY_RESULTS)
    assert json.loads((tmp_path / MEMORY_RESULTS.json).read_text()) == summary
    text = (tmp_path / MEMORY_RESULTS.text).read_text()
    assert text.startswith("# Random deterministic memories\n")
    assert "`cosilico validate --random 2 --memories random --seed 4 --max-macs 64`" in text
    assert "| random memories, tiny | T1, drawn | 2 | " in text


def test_pairs_that_did_not_run_are_in_no_view(journal: Journal) -> None:
    key = "random pairs, tiny"
    journal.append(f"{key}/1", record(key, failure="BuildError: no", descriptors=0))
    assert summarize(CAMPAIGN, journal, "f" * 64)["total"]["synthesis_pairs"] == 1


def test_imported_networks_were_judged(journal: Journal, tmp_path: Path) -> None:
    key = "random pairs, tiny"
    journal.append(f"{key}/1", record(key, judged_values=12345, judged_differences=6))
    summary = summarize(CAMPAIGN, journal, "f" * 64)
    assert summary["parts"][key]["judged_values"] == 12345
    assert summary["total"]["judged_differences"] == 6
    write_summary(summary, tmp_path)
    assert (
        "12,345 activations and outputs in RTL were also compared with TensorFlow Lite Micro's: "
        "6 differ."
    ) in (tmp_path / RESULTS.text).read_text()


def test_verdicts_are_counted(journal: Journal, tmp_path: Path) -> None:
    key = "random pairs, tiny"
    journal.append(f"{key}/0", record(key, verdict="realizable"))
    journal.append(f"{key}/1", record(key, verdict="MAP_TILE", descriptors=0))
    summary = summarize(CAMPAIGN, journal, "f" * 64)
    assert summary["verdicts"] == {"MAP_TILE": 1, "ran": 1, "realizable": 1}
    write_summary(summary, tmp_path)
    assert "ones ran: 1 MAP_TILE, 1 ran, 1 realizable." in (tmp_path / RESULTS.text).read_text()


def test_a_part_of_the_campaign_is_not_taken_for_the_whole(
    journal: Journal, tmp_path: Path
) -> None:
    whole = Campaign(seed=4)
    summary = summarize(CAMPAIGN, journal, "f" * 64)
    for campaign, counts in (
        (CAMPAIGN, COUNTS),
        (whole, ""),
    ):
        write_summary(summary | {"campaign": campaign.header()}, tmp_path, RESULTS)
        text = (tmp_path / RESULTS.text).read_text()
        assert f"`cosilico validate --full --seed 4`{counts}, simulation view" in text


@pytest.mark.parametrize("files", [RESULTS, MEMORY_RESULTS])
def test_the_committed_page_is_that_of_its_results(files: Any, tmp_path: Path) -> None:
    committed = ROOT / "benchmarks"
    summary = json.loads((committed / files[0]).read_text())
    write_summary(summary, tmp_path, files)
    assert (tmp_path / files.text).read_text() == (committed / files.text).read_text()


def test_streams_are_counted_by_pair_and_image(journal: Journal, tmp_path: Path) -> None:
    for part, images in (("random pairs, tiny", 28), ("random stalls, edge", 1300)):
        journal.append(f"{part}/0", record(part, stream_images=images))
    summary = summarize(CAMPAIGN, journal, "f" * 64)
    assert summary["parts"]["random pairs, tiny"]["streams"] == 1
    assert summary["parts"]["random pairs, edge"]["streams"] == 0
    assert summary["total"]["stream_images"] == 1328
    write_summary(summary, tmp_path)
    text = (tmp_path / RESULTS.text).read_text()
    assert (
        "2 pairs ran as a stream of images as well, behind the same memories: 1,328 images" in text
    )
