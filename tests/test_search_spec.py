"""Specifications: defaults, the example, and one line for every mistake."""

from pathlib import Path

import pytest

from search.spec import SearchSpec, load_spec
from sim.spec.errors import CosilicoError

EXAMPLE = Path(__file__).parent.parent / "examples" / "digits.toml"


def _load(folder: Path, text: str) -> SearchSpec:
    path = folder / "spec.toml"
    path.write_text(text)
    return load_spec(path)


def test_the_example_states_the_defaults() -> None:
    assert load_spec(EXAMPLE) == SearchSpec(name="digits")


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    assert _load(tmp_path, "") == SearchSpec()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nam = 1", "nam must be one of name, space, task, search, train"),
        ("name = 'a b'", "name must be letters, digits and underscores, not 'a b'"),
        ("name = 3", "name must be letters, digits and underscores, not 3"),
        ("space = 'huge'", "space must be one of 'tiny', 'edge', not 'huge'"),
        ("task = 3", "task must be a section, not 3"),
        ("[task]\nname = 'mnist'", "task.name must be one of 'digits', not 'mnist'"),
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
            "search.metric must be one of 'latency', 'edp', not 'power'",
        ),
        ("[train]\nlr = 1", "train.lr must be one of epochs, batch, learning_rate"),
        (
            "[task]\ntest_images = 800\nvalidation_images = 800\n[train]\nbatch = 500",
            "train.batch must be at most the 197 training images, not 500",
        ),
    ],
)
def test_a_mistake_is_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CosilicoError) as caught:
        _load(tmp_path, text)
    assert str(caught.value) == f"{tmp_path / 'spec.toml'}: {message}"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CosilicoError, match=r"nothing\.toml does not exist$"):
        load_spec(tmp_path / "nothing.toml")
    with pytest.raises(CosilicoError, match=r"must be TOML: "):
        _load(tmp_path, "name =")
