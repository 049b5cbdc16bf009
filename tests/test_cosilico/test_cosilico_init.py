"""``cosilico init``: what it writes is an experiment with the defaults, and the schema agrees."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cosilico.cli import main
from cosilico.pages.experiment import EXPERIMENT_PAGE, experiment_page
from project_root import ROOT
from search.experiment import Experiment, load_experiment
from search.experiment_fields import experiment_sections, field_lines, inner_sections
from search.experiment_schema import experiment_schema
from search.networks.settings import NetworkSettings
from search.sections import Section
from search.space_settings import load_space_file
from search.tasks import TASKS
from search.tasks.digits_settings import DigitsSettings
from sim.spec.errors import DesignFileError
from sim.spec.memories import FixedLatency

SPACE_FILES = {"joint_space.toml", "joint_fashion_space.toml"}
"""Examples without a task: spaces of accelerators alone."""

EXAMPLES = sorted(
    path for path in (ROOT / "examples").glob("**/*.toml") if path.name not in SPACE_FILES
)


def valid(text: str) -> bool:
    """Whether a schema validator of another project takes the TOML text."""
    validator = jsonschema.Draft202012Validator(experiment_schema())
    return bool(validator.is_valid(tomllib.loads(text)))


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(experiment_schema())


@pytest.mark.parametrize("task", TASKS)
def test_what_is_written_has_the_defaults(
    task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "deep" / "mine.toml"
    assert main(["init", str(path), "--task", task, "--schema"]) == 0
    schema = path.parent / "experiment.schema.json"
    assert capsys.readouterr().out.split() == [str(path), str(schema)]
    experiment = load_experiment(path)
    assert (experiment.name, experiment.task.name) == ("mine", task)
    assert experiment == Experiment(name="mine", task=experiment.task)
    for line in field_lines(type(experiment.task)):
        if not line.required:
            assert getattr(experiment.task, line.name) == line.default
    assert valid(path.read_text())
    assert json.loads(schema.read_text()) == experiment_schema()
    assert path.read_text().startswith("#:schema ./experiment.schema.json\n")
    if task == "digits":
        assert experiment.task == DigitsSettings()
        assert experiment.network == NetworkSettings()


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.toml"
    path.write_text("mine")
    assert main(["init", str(path), "--schema"]) == 2
    assert capsys.readouterr().err == f"cosilico: {path} must be absent; --force replaces it\n"
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]
    assert main(["init", str(path), "--force"]) == 0
    assert load_experiment(path).name == "a"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["x.toml", "--task", "mnist"],
            "--task must be one of digits, fashion_mnist, cifar10, folder, npz, entry, not 'mnist'",
        ),
        (
            ["x.json"],
            "FILE must be NAME.toml, NAME at most 64 letters, digits and underscores, not 'x.json'",
        ),
        (
            ["a-b.toml"],
            "FILE must be NAME.toml, NAME at most 64 letters, digits and underscores, not 'a-b.toml'",
        ),
    ],
)
def test_a_wrong_word_is_one_line(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", *words]) == 2
    assert capsys.readouterr().err == f"cosilico: {line}\n"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_an_experiment_by_both(path: Path) -> None:
    load_experiment(path)
    assert valid(path.read_text())


@pytest.mark.parametrize("name", sorted(SPACE_FILES))
def test_a_space_file_of_the_examples_is_a_space(name: str) -> None:
    assert len(load_space_file(ROOT / "examples" / name)) > 1


TASK = "[task]\nname = 'digits'\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[task]\ntest_images = 3",
        "[task]\nname = 'mnist'",
        "[task]\nname = 'npz'",
        "[task]\nname = 'digits'\npath = 'a'",
        "[task]\nname = 'digits'\ntest_images = 9000",
        f"nam = 1\n{TASK}",
        f"name = 'a b'\n{TASK}",
        f"{TASK}[network]\nkernels = []",
        f"{TASK}[network]\nimage = [28]",
        f"{TASK}[[network.stages]]\nblocks = 2",
        f"{TASK}[hardware]\nspace = 'huge'",
        f"{TASK}[hardware.values]\nclock_mhz = [1]",
        f"{TASK}[search]\nstrategy = 'rhnas'\nrounds = true",
        f"{TASK}[train]\nlearning_rate = 'high'",
        f"{TASK}[memory]\nlatency = 40",
        f"{TASK}[memory]\nkind = 'dram'",
        f"{TASK}[memory]\nkind = 'fixed_latency'\nlatency = 'long'",
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(DesignFileError, match=re.escape(str(path))):
        load_experiment(path)
    assert not valid(text)


def test_a_memory_is_taken_by_both(tmp_path: Path) -> None:
    text = f"{TASK}[memory]\nkind = 'fixed_latency'\nlatency = 40\noutstanding = 2\n"
    path = tmp_path / "x.toml"
    path.write_text(text)
    assert load_experiment(path).memory == FixedLatency(latency=40, outstanding=2)
    assert valid(text)


def kinds(section: type[Section]) -> list[type[Section]]:
    inner = [kind for _, kind, _ in inner_sections(section)]
    return [section, *(kind for each in inner for kind in kinds(each))]


def test_every_field_is_explained() -> None:
    for sections in experiment_sections().values():
        for section in sections:
            for kind in kinds(section):
                for line in field_lines(kind):
                    assert line.text.endswith("."), (kind.__name__, line.name)


def test_the_page_of_fields_is_current() -> None:
    assert (ROOT / EXPERIMENT_PAGE).read_text() == experiment_page(), "run make supported"


def test_defaults_of_the_page_are_those_of_an_experiment() -> None:
    experiment: Any = Experiment(task=DigitsSettings())
    for name, (*_, section) in experiment_sections().items():
        if name not in ("task", "search"):
            made = getattr(experiment, name)
            assert all(getattr(made, line.name) == line.default for line in field_lines(section))
