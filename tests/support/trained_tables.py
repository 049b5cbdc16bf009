"""Small tables of trained networks: a family of a dozen networks, with accuracies that a test chooses."""

import json
from pathlib import Path

import numpy as np

from search.networks.family import NetworkFamily
from search.networks.family_record import family_document
from search.networks.members import members_of
from search.networks.settings import NetworkSettings, StageSettings
from search.networks.trained_table import SCHEMA

__all__ = ["FEW", "few_networks", "write_trained_table"]

FEW = NetworkSettings(
    space="fashion",
    kernels=(3,),
    expansions=(1, 2),
    heads=(0,),
    stages=(
        StageSettings(widths=(8, 16), blocks=0),
        StageSettings(widths=(16, 24), blocks=2, stride=2),
    ),
)
"""Networks of a stem and one or two blocks."""

IMAGE, CLASSES = (8, 8, 1), 5


def few_networks() -> NetworkFamily:
    """Family of the table."""
    return FEW.family(IMAGE, CLASSES, default="digits")


def write_trained_table(path: Path) -> Path:
    """Write a table whose accuracies rise with the number of layers and channels; return the path."""
    random = np.random.default_rng(2)
    family = few_networks()
    children = {}
    for member in members_of(family):
        work = len(family.layers(member)) + sum(member.widths) / 8
        aware = 0.6 + work / 50 + 0.02 * float(random.random())
        children[member.key] = {
            "full_precision": aware + 0.01,
            "post_training": aware,
            "shared_weights": aware - 0.1 * float(random.random()),
        }
    children[next(iter(children))]["other_seeds"] = [0.7, 0.71]
    document = {
        "schema": SCHEMA,
        "family": family_document(FEW, IMAGE, CLASSES),
        "training": {"seed": 0, "cpu_s": {"all": 1800.0}},
        "children": children,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path
