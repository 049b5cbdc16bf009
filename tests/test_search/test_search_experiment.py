"""Experiments: defaults, the example, and one line for every mistake."""

from pathlib import Path

import pytest

from project_root import ROOT
from search.experiment import Experiment, load_experiment
from sim.spec.errors import CosilicoError
from sim.spec.memories import FixedLatency
from sim.spec.memory_record import memory_of

EXAMPLE = ROOT / "examples" / "digits.toml"


def _load(folder: Path, text: str) -> Experiment:
    path = folder / "experiment.toml"
    path.write_text(text)
    return load_experiment(path)


def test_the_example_states_the_defaults() -> None:
    assert load_experiment(EXAMPLE) == Experiment(name="digits")


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    assert _load(tmp_path, "") == Experiment()


def test_a_memory_is_a_section_as_in_a_file_of_its_own(tmp_path: Path) -> None:
    text = "[memory]\nkind = 'fixed_latency'\nlatency = 60\noutstanding = 2"
    experiment = _load(tmp_path, text)
    assert experiment == Experiment(memory=FixedLatency(latency=60, outstanding=2))
    assert memory_of(experiment.to_json()["memory"]) == experiment.memory


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("memory = 3", "memory must be an object, not 3"),
        (
            "[memory]\nkind = 'fixed_latency'\nlatency = 0",
            "memory.latency must be an integer in 1 … 4096, not 0",
        ),
        ("nam = 1", "the file has no field 'nam'"),
        ("name = 'a b'", "name must be at most 64 letters, digits and underscores, not 'a b'"),
        ("name = 3", "name must be at most 64 letters, digits and underscores, not 3"),
        ("space = 'huge'", "space must be one of tiny, edge, not 'huge'"),
        (
            'name = "a\\u0000b"',
            "name must be at most 64 letters, digits and underscores, not 'a\\x00b'",
        ),
        (
            f"name = '{'a' * 65}'",
            "name must be at most 64 letters, digits and underscores, "
            f"not '{'a' * 27}...{'a' * 28}'",
        ),
        (
            "[search]\nlatency_weight = nan",
            "search.latency_weight must be a number in 0.0 … 100.0, not nan",
        ),
        (
            "[train]\nlearning_rate = inf",
            "train.learning_rate must be a number in 1e-06 … 1.0, not inf",
        ),
        (
            "[train]\nepochs = 1979-05-27",
            "train.epochs must be an integer in 1 … 100000, not datetime.date(1979, 5, 27)",
        ),
        ("[[search]]\n[[search]]", "search must be an object, not [{}, {}]"),
        ("task = 3", "task must be an object, not 3"),
        ("[task]\nname = 'mnist'", "task.name must be one of digits, not 'mnist'"),
        (
            "[task]\ntest_images = 9000",
            "task.test_images must be an integer in 1 … 800, not 9000",
        ),
        (
            "[search]\nrounds = 1.5",
            "search.rounds must be an integer in 1 … 10000, not 1.5",
        ),
        (
            "[search]\nrounds = true",
            "search.rounds must be an integer in 1 … 10000, not True",
        ),
        (
            "[search]\nlatency_weight = 'high'",
            "search.latency_weight must be a number in 0.0 … 100.0, not 'high'",
        ),
        (
            "[search]\nmetric = 'power'",
            "search.metric must be one of latency, edp, not 'power'",
        ),
        ("[train]\nlr = 1", "train has no field 'lr'"),
        (
            "[task]\ntest_images = 800\nvalidation_images = 800\n[train]\nbatch = 500",
            "train.batch must be at most the 197 training images, not 500",
        ),
    ],
)
def test_a_mistake_is_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CosilicoError) as caught:
        _load(tmp_path, text)
    assert str(caught.value) == f"{tmp_path / 'experiment.toml'}: {message}"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    message = r"^experiment .*nothing\.toml cannot be read: No such file or directory$"
    with pytest.raises(CosilicoError, match=message):
        load_experiment(tmp_path / "nothing.toml")
    with pytest.raises(CosilicoError, match=r"must be TOML: "):
        _load(tmp_path, "name =")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = " + "[" * 100_000, "must be TOML"),
        ("a = " + "{a=" * 100_000, "must be TOML"),
        ("[train]\nepochs = " + "9" * 5000, "must be TOML: "),
        ("name = 'a'\nname = 'b'", "must be TOML: "),
        ("name = 'a\0b'", "must be TOML: "),
        ("#" * (1 << 21), "must have at most 1048576 bytes, not 2097152"),
    ],
)
def test_strange_files_are_one_line(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(CosilicoError) as caught:
        _load(tmp_path, text)
    line = str(caught.value)
    assert f"experiment.toml {reason}" in line
    assert line.isprintable()
    assert len(line) < 300
