"""Experiments: defaults, the example, and one line for every mistake."""

from pathlib import Path

import pytest

from project_root import ROOT
from search.experiment import Experiment, load_experiment
from search.networks.settings import NetworkSettings
from search.tasks.digits_settings import DigitsSettings
from sim.spec.errors import CosilicoError
from sim.spec.memories import FixedLatency
from sim.spec.memory_record import memory_of

EXAMPLE = ROOT / "examples" / "digits.toml"

TASK = "[task]\nname = 'digits'\n"


def _load(folder: Path, text: str) -> Experiment:
    path = folder / "experiment.toml"
    path.write_text(text)
    return load_experiment(path)


def test_the_example_states_the_defaults() -> None:
    digits = Experiment(
        name="digits", task=DigitsSettings(), network=NetworkSettings(space="digits")
    )
    assert load_experiment(EXAMPLE) == digits


def test_a_task_alone_is_the_default(tmp_path: Path) -> None:
    assert _load(tmp_path, TASK) == Experiment(task=DigitsSettings())


def test_a_memory_is_a_section_as_in_a_file_of_its_own(tmp_path: Path) -> None:
    text = "[memory]\nkind = 'fixed_latency'\nlatency = 60\noutstanding = 2"
    experiment = _load(tmp_path, f"{TASK}\n{text}")
    memory = FixedLatency(latency=60, outstanding=2)
    assert experiment == Experiment(task=DigitsSettings(), memory=memory)
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
        (
            "[hardware]\nspace = 'huge'",
            "hardware.space must be one of tiny, edge, nahas, not 'huge'",
        ),
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
        (
            "[task]\nname = 'mnist'",
            "task.name must be one of digits, fashion_mnist, cifar10, folder, npz, entry, not 'mnist'",
        ),
        (
            "[task]\ntest_images = 3",
            "task.name must be given, one of digits, fashion_mnist, cifar10, folder, npz, entry",
        ),
        ("[task]\nname = 'npz'", "task.path must be given"),
        (
            "[task]\nname = 'npz'\npath = ''",
            "task.path must be a path of 1 … 1000 printable characters, not ''",
        ),
        (
            "[task]\nentry = 'package'",
            "task.entry must be package:object, at most 200 characters, not 'package'",
        ),
        (
            "[network]\nspace = 'resnet'",
            "network.space must be one of digits, fashion, mobilenet_v2, efficientnet, fbnet, "
            "not 'resnet'",
        ),
        ("[network]\nkernels = [3, 4]", "network.kernels must be odd, not 4"),
        (
            "[network]\nkernels = [5, 3]",
            "network.kernels must be a rising list of 1 … 6 integers in 1 … 11, not [5, 3]",
        ),
        (
            "[network]\nimage = [28]",
            "network.image must be a list of 2 integers in 1 … 4096, not [28]",
        ),
        ("[[network.stages]]\nblocks = 2", "network.stages[0].widths must be given"),
        (
            "[[network.stages]]\nwidths = [8]\n[[network.stages]]\nwidths = [8]\nblocks = 0",
            "network.stages[1].blocks must be an integer in 1 … 64, not 0",
        ),
        (
            "[[network.stages]]\nwidths = [8]\nkernels = [2]",
            "network.stages[0].kernels must be odd, not 2",
        ),
        (
            "[network]\nentry = 'a:b'\nskip = true",
            "network.skip must not be given beside entry",
        ),
        (
            "[hardware.values]\npes_x = [1, 4]",
            "hardware.default.pes_x must be one of [1, 4], not 2",
        ),
        (
            "[hardware.values]\nsimd_units = [8, 4]",
            "hardware.values.simd_units must be a rising list of 1 … 64 integers in "
            "1 … 4294967295, not [8, 4]",
        ),
        (
            "[hardware]\narea_budget = 0",
            "hardware.area_budget must be a number in 1e-06 … 1000000.0, not 0",
        ),
        ("[hardware.values]\nclock_mhz = [1]", "hardware.values has no field 'clock_mhz'"),
        (
            "[[workload.networks]]\nruns = 2",
            "workload.networks[0].network must be given",
        ),
        (
            "[task]\nname = 'digits'\ntest_images = 9000",
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
            "[objective]\nmetric = 'power'",
            "objective.metric must be one of latency, edp, energy, area, not 'power'",
        ),
        ("[train]\nlr = 1", "train has no field 'lr'"),
        (
            "[task]\nname = 'digits'\ntest_images = 800\nvalidation_images = 800\n[train]\nbatch = 500",
            "train.batch must be at most the 197 training images, not 500",
        ),
    ],
)
def test_a_mistake_is_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    whole = text if "task" in text else f"{text}\n{TASK}"
    with pytest.raises(CosilicoError) as caught:
        _load(tmp_path, whole)
    assert str(caught.value) == f"{tmp_path / 'experiment.toml'}: {message}"


def test_a_task_must_be_given(tmp_path: Path) -> None:
    with pytest.raises(CosilicoError) as caught:
        _load(tmp_path, "name = 'a'\n")
    assert str(caught.value) == (
        f"{tmp_path / 'experiment.toml'}: task must be given, as a table [task] whose name is one "
        "of digits, fashion_mnist, cifar10, folder, npz, entry"
    )


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
