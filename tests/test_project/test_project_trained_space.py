"""The joint space that this project trains: its networks differ, and its script goes on where it was ended."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import trained_space
from claim_pages import tuned_strategies
from project_root import ROOT
from search.checkpoint import CheckpointStore
from search.child_accuracy import accuracy_with_shared_weights, take_statistics
from search.children import build_from_layers
from search.experiment import load_experiment
from search.loading import load_family, load_task
from search.networks.members import members_of
from search.networks.trained_table import read_trained_table
from testbench.validation.journal import Journal
from trained_space_pages import figures, pooled_deviation
from trained_space_pages import trained_space as block

EXPERIMENT = ROOT / "benchmarks" / "trained_space.toml"

SMALL = """
name = "few"

[task]
name = "digits"
test_images = 400
validation_images = 800

[network]
kernels = [3]
expansions = [1, 2]
heads = [0]

[[network.stages]]
widths = [8]
blocks = 0

[[network.stages]]
widths = [8, 16]
blocks = 1
stride = 2

[search]
strategy = "random"
warmup_epochs = 3

[train]
epochs = 8
batch = 32
"""
"""Four networks, and 597 images to train with."""


def test_the_space_has_networks_enough_that_all_differ() -> None:
    settings = load_experiment(EXPERIMENT)
    assert settings.network.image is not None
    height, width = settings.network.image
    family = settings.network.family((height, width, 1), 10, default="digits")
    layers = {str(family.layers(member)) for member in members_of(family)}
    assert len(layers) == family.size >= 200
    assert f"The {family.size} networks" in EXPERIMENT.read_text()
    moved = trained_space.with_data(settings, "elsewhere").to_json()["task"]
    assert moved["path"] == str(Path("elsewhere").resolve())


class KilledError(Exception):
    """Stands for a signal that ends the process."""


def made(folder: Path, *more: str) -> dict[str, Any]:
    """Table of the small space."""
    (folder / "few.toml").write_text(SMALL)
    words = [
        str(folder / "few.toml"),
        "--work",
        str(folder / "work"),
        "--out",
        str(folder / "few.json"),
    ]
    trained_space.main([*words, "--jobs", "1", "--seeds", "2", "--repeated", "2", *more])
    content: dict[str, Any] = json.loads((folder / "few.json").read_text())
    return content


def test_a_table_is_the_same_when_its_making_was_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from searches_here import here

    monkeypatch.setattr(trained_space, "run_all", here)
    (tmp_path / "whole").mkdir()
    (tmp_path / "ended").mkdir()
    whole = made(tmp_path / "whole")
    save, append = CheckpointStore.save, Journal.append

    def then_end(store: Any, state: dict[str, Any], records: Any) -> None:
        save(store, state, records)
        if state["done"] == 2:
            raise KilledError

    def then_stop(journal: Any, key: str, record: Any) -> None:
        if len(journal.records) == 3:
            raise KilledError
        append(journal, key, record)

    with monkeypatch.context() as ending:
        ending.setattr(CheckpointStore, "save", then_end)
        ending.setattr(Journal, "append", then_stop)
        for _ in range(2):
            with pytest.raises(KilledError):
                made(tmp_path / "ended")
    assert len((tmp_path / "ended" / "work" / "tests.jsonl").read_text().splitlines()) == 4
    ended = made(tmp_path / "ended")
    assert ended["children"] == whole["children"]
    assert ended["family"] == whole["family"]
    table = read_trained_table(tmp_path / "ended" / "few.json")
    assert table.family.size == len(table.children) == 4
    assert sum(bool(child.other_seeds) for child in table.children.values()) == 2
    assert max(child.post_training for child in table.children.values()) > 0.3
    assert "path" not in ended["training"]["experiment"]["task"]
    count = figures(ended)
    assert count["networks"] == 4
    assert -1 <= count["kendall"] <= 1
    assert "| networks, each trained alone | 4 |" in block(ended)
    # Another experiment's work is not mixed with it
    table_file, journal_file = tmp_path / "ended" / "few.json", tmp_path / "ended" / "work"
    monkeypatch.setitem(globals(), "SMALL", SMALL.replace("epochs = 8", "epochs = 9"))
    kept = table_file.read_bytes(), (journal_file / "tests.jsonl").read_bytes()
    assert refused(tmp_path / "ended", capsys) == (
        f"trained_space: table {table_file} must be of the same experiment and data, or --force must be given\n"
    )
    table_file.rename(tmp_path / "whole.json")
    assert refused(tmp_path / "ended", capsys) == (
        f"trained_space: journal {journal_file / 'tests.jsonl'} must be of the same work and sources, "
        "or --force must be given\n"
    )
    assert (
        (tmp_path / "whole.json").read_bytes(),
        (journal_file / "tests.jsonl").read_bytes(),
    ) == kept


def refused(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """Error of a table that is refused."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        made(folder, *more)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_force_trains_again_and_a_table_is_of_the_tests_that_were_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[str, int | None]] = []

    def counted(key: str, seed: int | None) -> dict[str, Any]:
        calls.append((key, seed))
        number = len(calls) / 1000
        return {"full_precision": number, "post_training": number, "cpu_s": 1.0}

    from searches_here import here

    monkeypatch.setattr(trained_space, "run_all", here)
    monkeypatch.setattr(trained_space, "tested", counted)
    weights = [b"first"]

    def supernet(*given: Any, renew: bool) -> dict[str, Any]:
        (tmp_path / "work" / trained_space.SUPERNET_FILE).write_bytes(weights[0])
        return {"cpu_s": 1.0}

    monkeypatch.setattr(trained_space, "train_supernet", supernet)
    monkeypatch.setattr(trained_space, "keep", lambda *given: None)
    first = made(tmp_path, "--seeds", "3")
    assert len(calls) == 4 + 4 + 2 * 2
    assert made(tmp_path, "--seeds", "3")["children"] == first["children"]
    assert len(calls) == 12
    # Fewer seeds are of the same records, of which the others are left out
    fewer = made(tmp_path, "--seeds", "2")
    assert len(calls) == 12
    assert sum(len(child.get("other_seeds", [])) for child in fewer["children"].values()) == 2
    assert fewer["training"]["cpu_s"]["alone"]["count"] == 4 + 2
    # Weights of another supernet are tested, and nothing else
    lines = (tmp_path / "work" / "tests.jsonl").read_text().splitlines()
    weights[0] = b"other"
    made(tmp_path, "--seeds", "2")
    assert [seed for _, seed in calls[12:]] == [None] * 4
    # The same work begins anew
    forced = made(tmp_path, "--seeds", "2", "--force")
    assert len(calls) == 16 + 4 + 4 + 2
    assert forced["children"] != first["children"]
    assert (tmp_path / "work" / "tests.jsonl").read_text().splitlines()[0] == lines[0]
    header = json.loads(lines[0])
    assert header["supernet_seed"] == trained_space.SUPERNET_SEED
    assert re.fullmatch("[0-9a-f]{64}", header["script"])
    # A file that is no table stays, whatever is said
    (tmp_path / "few.json").write_text('{"mine": 1}')
    assert refused(tmp_path, capsys, "--force") == (
        f"trained_space: {tmp_path / 'few.json'} must be absent or a table of accuracies\n"
    )
    assert (tmp_path / "few.json").read_text() == '{"mine": 1}'


@pytest.mark.parametrize(
    ("name", "value"), [("repeated", 0), ("repeated", -1), ("jobs", 0), ("seeds", 0)]
)
def test_counts_begin_at_one(
    name: str, value: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(tmp_path, capsys, f"--{name}", str(value)) == (
        f"trained_space: --{name} must be an integer from 1 on, not {value}\n"
    )
    assert not (tmp_path / "work").exists()


def test_another_experiment_needs_a_table_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "few.toml").write_text(SMALL)
    with pytest.raises(SystemExit) as ended:
        trained_space.main([str(tmp_path / "few.toml"), "--work", str(tmp_path / "work")])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "trained_space: --out must be given with an EXPERIMENT of one's own\n"
    )
    assert not (tmp_path / "work").exists()


def test_noise_is_pooled_by_degrees_of_freedom() -> None:
    samples = [np.array([1.0, 3.0]), np.array([0.0, 0.0, 6.0])]
    assert pooled_deviation(samples) == pytest.approx(((2 + 24) / 3) ** 0.5)


def test_statistics_are_those_of_the_images(tmp_path: Path) -> None:
    (tmp_path / "few.toml").write_text(SMALL)
    experiment = load_experiment(tmp_path / "few.toml")
    task = load_task(experiment)
    family = load_family(experiment, task)
    member = list(members_of(family))[-1]
    child = build_from_layers(family.layers(member), seed=1)
    before = {name: value.clone() for name, value in child.convs.named_parameters()}
    images = task.train.images
    take_statistics(child, images)
    stem = child.conv("stem")
    with torch.no_grad():
        read = torch.nn.functional.pad(images, (1, 1, 1, 1))
        seen = torch.nn.functional.conv2d(read, stem.weight)
    mean = seen.mean((0, 2, 3))
    torch.testing.assert_close(child.norm("stem").running_mean, mean, rtol=1e-4, atol=1e-5)
    assert child.norm("stem").momentum == 0.1
    for name, value in child.convs.named_parameters():
        assert torch.equal(value, before[name])
    # A child with the supernet's weights computes what the supernet does
    torch.manual_seed(0)
    supernet = family.supernet()
    tested = accuracy_with_shared_weights(supernet, family, task, member)
    direct = supernet.forward_architecture(task.train.images[:256], member)
    own = build_from_layers(family.layers(member), seed=0)
    supernet.inherit(own, member)
    own.train()
    torch.testing.assert_close(own(task.train.images[:256]), direct, rtol=1e-3, atol=1e-4)
    assert 0 <= tested.post_training <= 1


def test_a_page_says_what_was_not_measured() -> None:
    assert block({"children": {}}) == "Not measured yet."
    assert tuned_strategies({"strategies": {}}) == "Not measured yet."


def test_evidence_makes_the_space_and_tunes_on_it() -> None:
    made = subprocess.run(
        ["make", "--dry-run", "--jobs=1", "evidence-judged", "DATA=my/data"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    order = [
        "benchmarks/trained_space.py --data my/data",
        "cosilico joint fashion --space examples/joint_fashion_space.toml",
        "benchmarks/tune_strategies.py",
        "--tuned benchmarks/tune_strategies.json",
    ]
    lines = made.stdout
    places = [lines.index(step) for step in order]
    assert sorted(places[:3]) == places[:3]
    assert places[2] < places[3]


def test_data_that_are_absent_end_it_with_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        trained_space.main(["--data", str(tmp_path / "none"), "--work", str(tmp_path / "work")])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("trained_space: ")
    assert not (tmp_path / "work").exists()
