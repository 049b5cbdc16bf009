"""Networks of a joint space that this project trained, each alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosilico.extras import require_module
from cosilico.joint.accuracy_kind import AccuracyKind
from search.architecture import LayerShape
from search.networks.members import members_of
from search.networks.trained_table import TrainedAccuracy, read_trained_table
from sim.spec.network import Network

__all__ = ["FASHION", "TABLE_SUFFIX", "TrainedJointNetwork", "table_file", "trained_joint_networks"]

FASHION = "fashion"
"""Name of the benchmark whose table is beside this file."""

TABLE_SUFFIX = ".json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedJointNetwork:
    """A network of a joint space: a :class:`cosilico.joint.benchmark.JointMember`.

    Parameters
    ----------
    name : str
        Its key in its family.
    layers : tuple of LayerShape
    accuracy : TrainedAccuracy
    """

    name: str
    layers: tuple[LayerShape, ...]
    accuracy: TrainedAccuracy

    @property
    def accuracies(self) -> Mapping[AccuracyKind, float]:
        """Accuracies of the network trained alone."""
        return {
            AccuracyKind.FULL_PRECISION: self.accuracy.full_precision,
            AccuracyKind.POST_TRAINING: self.accuracy.post_training,
        }

    @property
    def described(self) -> Mapping[str, Any]:
        """Accuracy with the weights of the supernet."""
        return {"shared_weights": self.accuracy.shared_weights}

    def network(self) -> Network:
        """Return the network without its weights, which no cost depends on."""
        from search.export import shape_network

        return shape_network(self.layers, name=self.name)

    def seeded_network(self, seed: int) -> Network:
        """Return the network with weights of a seed, not those it was trained to have; it can run."""
        from search.seeded import seeded_network

        return seeded_network(self.layers, name=self.name, seed=seed)


def table_file(text: str) -> Path:
    """File of the table that a user names."""
    return Path(__file__).with_name(f"{FASHION}.json") if text == FASHION else Path(text)


def trained_joint_networks(path: Path) -> tuple[list[TrainedJointNetwork], dict[str, Any]]:
    """Networks of a table, and the family that they are.

    Raises
    ------
    DesignFileError
        As :func:`search.networks.trained_table.read_trained_table`.
    MissingExtraError
        If torch is not installed, with which such networks are made.
    """
    require_module("joint space of trained networks", "torch")
    table = read_trained_table(path)
    networks = [
        TrainedJointNetwork(
            name=member.key,
            layers=table.family.layers(member),
            accuracy=table.children[member.key],
        )
        for member in members_of(table.family)
    ]
    return networks, {"family": dict(table.document)}
