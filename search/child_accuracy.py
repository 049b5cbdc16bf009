"""Accuracies of a family's networks on the test images: trained alone, or with a supernet's weights."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from search.children import Child, build_from_layers
from search.experiment import TrainSettings
from search.export import export
from search.finalist import float_accuracy, int8_accuracy
from search.networks.family import NetworkFamily, SharedNetwork
from search.tasks.task import Task, chunked
from search.training import ChildTraining

__all__ = ["ChildAccuracy", "accuracy_alone", "accuracy_with_shared_weights", "take_statistics"]


class ChildAccuracy(NamedTuple):
    """Shares of test images: in real numbers, and as int8 after quantization."""

    full_precision: float
    post_training: float


def accuracy_alone(
    family: NetworkFamily, task: Task, architecture: Any, train: TrainSettings, seed: int
) -> ChildAccuracy:
    """Train a network from scratch on the training images, and test it.

    Weights, order and augmentation follow from the seed alone.

    Parameters
    ----------
    family : NetworkFamily
    task : Task
    architecture : member of the family
    train : TrainSettings
    seed : int
    """
    child = build_from_layers(family.layers(architecture), seed)
    training = ChildTraining(
        child,
        task.train,
        epochs=train.epochs,
        batch=train.batch,
        learning_rate=train.learning_rate,
        seed=seed,
    )
    for _ in range(train.epochs):
        training.epoch()
    return _tested(child, task, architecture.key)


def accuracy_with_shared_weights(
    supernet: SharedNetwork, family: NetworkFamily, task: Task, architecture: Any
) -> ChildAccuracy:
    """Test a network with the weights that it has in a supernet, and with statistics of its own.

    A supernet normalizes by its batch. The network's batch normalization therefore takes the statistics of the
    training images first.

    Parameters
    ----------
    supernet : SharedNetwork
        Of the family.
    family : NetworkFamily
    task : Task
    architecture : member of the family
    """
    child = build_from_layers(family.layers(architecture), seed=0)
    supernet.inherit(child, architecture)
    take_statistics(child, task.train.images)
    return _tested(child, task, architecture.key)


def take_statistics(child: Child, images: Tensor) -> None:
    """Set a child's batch normalization to the means over parts of ``images`` [N, C, H, W].

    Each layer's statistics are those of its input where the layers before it normalize by the part.
    """
    norms = [child.norm(name) for name in child.norms]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch: the mean of all batches
    child.train()
    with torch.no_grad():
        for part in chunked(images):
            child(part)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _tested(child: Child, task: Task, name: str) -> ChildAccuracy:
    full_precision = float_accuracy(child, task.test)
    network = export(child, task.train.images, name=name, input_scale=task.input_scale)
    return ChildAccuracy(full_precision, int8_accuracy(network, task))
