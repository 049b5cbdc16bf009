"""A whole search: what it leaves, and that a kill at any instant changes nothing."""

import functools
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sampled import sampled
from search.architecture import Architecture
from search.checkpoint import CheckpointStore
from search.driver import run_search
from search.evaluator import Evaluation, Evaluator
from search.experiment import Experiment, load_experiment
from search.export import shape_network
from search.networks.plans import DIGITS_SPACE
from search.space_settings import DefaultSettings, HardwareSpaceSettings, ValuesSettings
from search.tasks.digits_settings import DigitsSettings
from sim.cost.columns import COST_COLUMNS
from sim.spec.design import load
from sim.spec.errors import CosilicoError, NotRealizableError
from sim.spec.spaces import HARDWARE_SPACES, TINY

SMALL = """
name = "small"
[task]
name = "digits"
[search]
warmup_epochs = 1
pretraining_updates = 2
networks_per_update = 4
rounds = 2
refine_updates = 3
designs_per_update = 16
[train]
epochs = 3
batch = 192
"""


@pytest.fixture(scope="module")
def experiment_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("search") / "experiment.toml"
    path.write_text(SMALL)
    return path


@pytest.fixture(scope="module")
def experiment(experiment_path: Path) -> Experiment:
    return load_experiment(experiment_path)


@pytest.fixture(scope="module")
def whole(experiment: Experiment, experiment_path: Path) -> Path:
    folder = experiment_path.parent / "whole"
    stages = []
    run_search(experiment, folder, seed=3, progress=lambda *step: stages.append(step))
    assert stages[0] == ("warm-up", 0, 1)
    assert stages[-1] == ("training", 3, 3)
    return folder


def _results(folder: Path) -> tuple[bytes | dict[str, object], ...]:
    result = json.loads((folder / "search.json").read_text())
    del result["wall_s"]
    names = ("design.json", "weights.npz", "evaluations.jsonl", "agent.npz")
    return *((folder / name).read_bytes() for name in names), result


def test_result_is_realizable_within_the_area_and_complete(whole: Path) -> None:
    result = json.loads((whole / "search.json").read_text())
    assert result["best"]["area"] <= result["default"]["area"] == result["area_budget"]
    assert result["best"]["predicted_cycles"] <= result["default"]["predicted_cycles"]
    assert result["default"]["accelerator"] == TINY.default.to_json()
    assert 0 < result["best"]["int8_accuracy"] <= 1
    log = (whole / "evaluations.jsonl").read_bytes()
    history = [json.loads(line) for line in log.splitlines()]
    assert result["log"]["sha256"] == hashlib.sha256(log).hexdigest()
    assert result["evaluations"] == len(history) == result["violations"]["sampled"]
    assert result["violations"]["non_realizable"] == sum(bool(row["violations"]) for row in history)
    assert [row["index"] for row in history] == list(range(result["evaluations"]))
    front = [history[index] for index in result["pareto"]]
    assert len({row["network"] for row in front}) == 1
    assert [row["cycles"] for row in front] == sorted(row["cycles"] for row in front)
    assert not any(row["violations"] for row in front)
    design = load(whole / "design.json")
    assert design.accelerator.to_json() == result["best"]["accelerator"]


@pytest.mark.parametrize(
    "kills",
    sampled(
        [[(True, 0.0), (True, 0.45)], [(True, 0.0), (True, 0.45), (True, 0.25)]],
        lambda kills: len(kills) == 2,
    ),
)
def test_killed_and_resumed_search_finds_the_same_design(
    whole: Path,
    experiment: Experiment,
    kill_and_resume: Callable[..., None],
    kills: list[tuple[bool, float]],
) -> None:
    folder = whole.parent / f"killed{len(kills)}"
    search = functools.partial(run_search, experiment, folder, resume=True, seed=3)
    # Each time the clock starts when the run works, so that every attempt gets further.
    kill_and_resume(search, folder / "checkpoint.pt", kills)
    assert _results(folder) == _results(whole)


def test_a_finished_search_resumes_to_itself(whole: Path, experiment: Experiment) -> None:
    before = _results(whole)
    run_search(experiment, whole, resume=True, seed=3)
    assert _results(whole) == before


def test_another_run_is_not_resumed(whole: Path, experiment: Experiment) -> None:
    with pytest.raises(
        CosilicoError, match=r"must be of the same experiment, seed and cost columns to"
    ):
        run_search(experiment, whole, resume=True, seed=4)


def evaluation(index: int) -> Evaluation:
    return Evaluation(
        index=index, phase="warm-up", network="n", accelerator=TINY.default,
        costs=dict.fromkeys(COST_COLUMNS, 1), violations=(), excess=0.0, accuracy=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("checkpoint.pt", lambda content: b"half of a checkpoi"),
        ("checkpoint.pt", lambda content: content[:-1] + b"?"),
        ("evaluations.jsonl", lambda content: content[:-1]),
        ("evaluations.jsonl", lambda content: content.replace(b'"warm-up"', b'"warm-UP"')),
        ("evaluations.jsonl", lambda content: b""),
    ],
)
def test_a_damaged_checkpoint_is_none(
    tmp_path: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    record = evaluation(0)
    CheckpointStore(tmp_path, "run").save({"step": 1}, [record])
    assert CheckpointStore(tmp_path, "run").load() == ({"step": 1}, [record])
    content = (tmp_path / name).read_bytes()
    assert damage(content) != content
    (tmp_path / name).write_bytes(damage(content))
    assert CheckpointStore(tmp_path, "run").load() is None
    assert list(tmp_path.iterdir()) == []


def test_the_log_goes_on_where_its_checkpoint_was(tmp_path: Path) -> None:
    first, second = evaluation(0), evaluation(1)
    CheckpointStore(tmp_path, "run").save({"step": 1}, [first])
    with (tmp_path / "evaluations.jsonl").open("a") as log:
        log.write("half a li")
    store = CheckpointStore(tmp_path, "run")
    assert store.load() == ({"step": 1}, [first])
    store.save({"step": 2}, [first, second])
    assert CheckpointStore(tmp_path, "run").load() == ({"step": 2}, [first, second])


def test_a_space_whose_default_cannot_be_built_is_refused(tmp_path: Path) -> None:
    narrow = HardwareSpaceSettings(
        name="narrow",
        values=ValuesSettings(simd_units=(128,), register_file_kb=(1,)),
        default=DefaultSettings(simd_units=128, register_file_kb=1),
    )
    message = (
        r"^default accelerator of space 'narrow': two weight rows and an accumulator row of "
        r"simd_units 128 need 1536 bytes, but register_file_kb gives 1024$"
    )
    with pytest.raises(NotRealizableError, match=message):
        run_search(Experiment(task=DigitsSettings(), hardware=narrow), tmp_path, seed=0)


def test_every_default_runs_the_smallest_network() -> None:
    architecture = Architecture(
        widths=(16, 32, 48), kernels=(3, 3, 3, 3, 3), expansions=(0, 1, 0, 1, 0), head=0
    )
    network = shape_network(DIGITS_SPACE.layers(architecture), name="n")
    for space in HARDWARE_SPACES.values():
        (row,) = Evaluator().evaluate([space.default], network, phase="a")
        assert row.realizable
        assert row.cycles > 0


def test_evaluator_spends_a_pair_once() -> None:
    architecture = Architecture(
        widths=(16, 32, 48), kernels=(3, 3, 3, 3, 3), expansions=(0, 1, 0, 1, 0), head=0
    )
    network = shape_network(DIGITS_SPACE.layers(architecture), name="n")
    evaluator = Evaluator()
    configs = [TINY.default, TINY.at(0), TINY.default]
    rows = evaluator.evaluate(configs, network, phase="a")
    assert rows[0] is rows[2]
    assert rows[0].cycles > 0
    assert rows[0].energy > 0
    assert evaluator.evaluate(configs[:1], network, phase="b") == rows[:1]
    assert len(evaluator.records) == 2
