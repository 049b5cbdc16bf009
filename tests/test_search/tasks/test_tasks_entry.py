"""Tasks and network spaces of a user's own module, which lies beside the experiment."""

import re
from pathlib import Path

import pytest

from search.architecture import Architecture
from search.experiment import load_experiment
from search.loading import load_family, load_task
from sim.spec.errors import DesignFileError

MODULE = """
import numpy as np

from search.networks.plans import NETWORK_PLANS

number = 3


def data(argument):
    count = int(argument or 40)
    x = np.arange(count * 16, dtype=np.uint8).reshape(count, 4, 4)
    y = np.arange(count) % 2
    return {"train": (x, y), "validation": (x[:8], y[:8]), "test": (x[:4], y[:4])}


def wrong(argument):
    return {"train": 3}


def no_networks(image, classes):
    return classes


def networks(image, classes):
    return NETWORK_PLANS["digits"].space(image, classes)
"""


def experiment(folder: Path, text: str, module: str) -> Path:
    (folder / f"{module}.py").write_text(MODULE)
    path = folder / "experiment.toml"
    path.write_text(text)
    return path


def test_a_module_beside_the_experiment_makes_data_and_networks(tmp_path: Path) -> None:
    text = (
        "[task]\nentry = 'own_entries:data'\nargument = '60'\n"
        "[network]\nentry = 'own_entries:networks'\n[train]\nbatch = 8\n"
    )
    loaded = load_experiment(experiment(tmp_path, text, "own_entries"))
    task = load_task(loaded)
    assert [len(part) for part in (task.train, task.validation, task.test)] == [60, 8, 4]
    family = load_family(loaded, task)
    smallest = family.architecture(dict.fromkeys(family.decisions, 0))
    assert isinstance(smallest, Architecture)
    assert family.layers(smallest)[0].in_shape == (4, 4, 1)
    assert family.layers(smallest)[-1].out_shape == (1, 1, 2)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "entry = 'absent_module:data'",
            "task.entry must be package:object, but there is no module 'absent_module'",
        ),
        (
            "entry = 'faulty:absent'",
            "task.entry must be package:object, but 'faulty:absent' has no 'absent'",
        ),
        (
            "entry = 'faulty:number'",
            "task.entry must be an object that can be called, not 'faulty:number'",
        ),
        (
            "entry = 'faulty:wrong'",
            "task.entry 'faulty:wrong' must return a dict of train, validation, test, not {'train': 3}",
        ),
        ("entry = 'faulty:data'", "train.batch must be at most the 40 training images, not 96"),
    ],
)
def test_a_wrong_entry_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    loaded = load_experiment(experiment(tmp_path, f"[task]\n{text}\n", "faulty"))
    with pytest.raises(DesignFileError, match=f"^{re.escape(line)}$"):
        load_task(loaded)


def test_an_entry_that_makes_no_family_is_refused(tmp_path: Path) -> None:
    text = "[task]\nname = 'digits'\n[network]\nentry = 'faulty_family:no_networks'\n"
    loaded = load_experiment(experiment(tmp_path, text, "faulty_family"))
    line = "network.entry must make a network family, but 'faulty_family:no_networks' has no 'decisions'"
    with pytest.raises(DesignFileError, match=f"^{re.escape(line)}$"):
        load_family(loaded, load_task(loaded))
