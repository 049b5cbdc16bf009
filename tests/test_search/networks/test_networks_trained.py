"""Trained networks: every member of their family has an accuracy, and a table that says less is refused."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from search.children import build_from_layers
from search.export import export
from search.networks.known import KnownNetworks
from search.networks.members import members_of
from search.networks.trained import TrainedNetworks
from search.networks.trained_table import read_trained_table
from sim.cost.costs import evaluate_many
from sim.scales import Scale
from sim.spec.errors import DesignFileError
from sim.spec.spaces import TINY
from trained_tables import IMAGE, few_networks, write_trained_table


def known() -> TrainedNetworks:
    family = few_networks()
    accuracies = {member.key: i / 100 for i, member in enumerate(members_of(family))}
    return TrainedNetworks(family, accuracies)


def test_every_choice_is_a_member_with_its_accuracy() -> None:
    networks, family = known(), few_networks()
    assert isinstance(networks, KnownNetworks)
    members = list(members_of(family))
    assert networks.size == family.size == len({member.key for member in members}) == 24
    for i, member in enumerate(members):
        assert networks.architecture(networks.choices(member)) == member
        assert networks.known_accuracy(member) == i / 100
        assert networks.network(member).name == member.key
        assert networks.encode(member).tolist() == family.encode(member).tolist()
    shapes = {str(family.layers(member)) for member in members}
    assert len(shapes) == len(members)


def test_costs_are_those_of_the_network_with_its_weights() -> None:
    networks, family = known(), few_networks()
    random = torch.Generator().manual_seed(1)
    images = torch.rand(64, IMAGE[2], *IMAGE[:2], generator=random)
    configs = [TINY.default, TINY.at(0), TINY.at(len(TINY) // 3), TINY.at(len(TINY) - 1)]
    for member in list(members_of(family))[::7]:
        child = build_from_layers(family.layers(member), seed=3)
        whole = export(child, images, name=member.key, input_scale=Scale(1 / 255, -128))
        exact, shapes = (evaluate_many(configs, made) for made in (whole, networks.network(member)))
        assert exact.violations == shapes.violations
        for column in ("cycles", "energy"):
            np.testing.assert_array_equal(exact[column], shapes[column])


def test_accuracies_of_other_networks_are_refused() -> None:
    family = few_networks()
    accuracies = {member.key: 0.5 for member in members_of(family)}
    first = next(iter(accuracies))
    fewer = {key: share for key, share in accuracies.items() if key != first}
    with pytest.raises(ValueError, match=r"^networks must be the 24 of their family, not 23$"):
        TrainedNetworks(family, fewer)
    with pytest.raises(ValueError, match=rf"^networks must have one for '{first}'$"):
        TrainedNetworks(family, fewer | {"other": 0.5})


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = write_trained_table(tmp_path / "few.json")
    table, document = read_trained_table(path), json.loads(path.read_text())
    assert table.document == document["family"]
    assert table.training == document["training"]
    assert table.family.decisions == few_networks().decisions
    assert list(table.children) == [member.key for member in members_of(table.family)]
    for key, child in document["children"].items():
        made = table.children[key]
        assert made.full_precision == child["full_precision"]
        assert made.post_training == child["post_training"]
        assert made.shared_weights == child["shared_weights"]
        assert list(made.other_seeds) == child.get("other_seeds", [])


def spoilt(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    return spoil


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda x: x.update(schema=2), r"table of accuracies \S+\.schema must be an integer in 1 … 1, not 2"),
        (lambda x: x.update(children={}), r".* must have networks that were trained, but has none yet"),
        (lambda x: x.pop("family"), r".* must have networks that were trained, but has none yet"),
        (
            lambda x: x["children"].update({next(iter(x["children"])): {"full_precision": 1}}),
            r"table of accuracies \S+\.children\.\w.*\.post_training must be given",
        ),
        (
            lambda x: next(iter(x["children"].values())).update(post_training=1.5),
            r"table of accuracies \S+\..*\.post_training must be a number in 0 … 1, not 1\.5",
        ),
        (
            lambda x: x["children"].pop(next(iter(x["children"]))),
            r".*: networks must be the 24 of their family, not 23",
        ),
        (
            lambda x: x["family"]["network"].update(entry="os:system"),
            r".*: family\.network\.entry must not be given in a file of accuracies",
        ),
        (
            lambda x: x["family"]["network"].update(heads=[-1]),
            r".*: family\.network\.heads must be a rising list.*, not \[-1\]",
        ),
        (
            lambda x: x["family"].update(image=[8, 8]),
            r"table of accuracies \S+\.family\.image must be a list of 3 integers in 1 … 4096, not \[8, 8\]",
        ),
    ],
)  # fmt: skip
def test_a_wrong_table_is_one_line(change: Any, line: str, tmp_path: Path) -> None:
    path = write_trained_table(tmp_path / "few.json")
    spoilt(change)(path)
    with pytest.raises(DesignFileError) as refused:
        read_trained_table(path)
    assert re.fullmatch(line, str(refused.value)), str(refused.value)
