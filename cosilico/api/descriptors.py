"""Descriptors of a pair's program: which layer each belongs to, and the bytes that layers move."""

from typing import NamedTuple

import numpy as np

from sim.arrays.tables import COLUMNS, accelerator_row
from sim.plan import map_network
from sim.spec.descriptor import Queue
from sim.spec.design import Design
from sim.timing.cycles import summarize

__all__ = ["Descriptors", "descriptors"]


class Descriptors(NamedTuple):
    """Descriptors in program order, and the external bytes of every layer.

    Parameters
    ----------
    queues : list of str
        Name of every descriptor's queue.
    layers : list of str
        Name of every descriptor's layer.
    read_bytes, write_bytes : list of int
        External traffic of every layer, for all images.
    """

    queues: list[str]
    layers: list[str]
    read_bytes: list[int]
    write_bytes: list[int]


def descriptors(design: Design, images: int) -> Descriptors:
    """Map a realizable pair and return its descriptors."""
    mapped = map_network(design.accelerator, design.network, images)
    hw = accelerator_row(design.accelerator, images)
    rows = mapped.rows
    nothing = np.zeros(len(rows), np.int64)
    moved = []
    for i in range(len(design.network.layers)):
        own = rows[:, COLUMNS["layer"]] == i
        _, traffic = summarize(rows[own], hw, nothing[own], nothing[own])
        moved.append((int(traffic[0]), int(traffic[1])))
    names = [layer.name for layer in design.network.layers]
    return Descriptors(
        queues=[Queue(queue).name for queue in rows[:, COLUMNS["queue"]].tolist()],
        layers=[names[layer] for layer in rows[:, COLUMNS["layer"]].tolist()],
        read_bytes=[read for read, _ in moved],
        write_bytes=[written for _, written in moved],
    )
