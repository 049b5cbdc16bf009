"""Where the time of each layer goes: computing, waiting for LOAD, waiting for STORE, and the rest."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosilico.timeline import NOBODY, Timeline
from sim.prediction import cycles_by_layer
from sim.spec.descriptor import Queue

__all__ = ["STATES", "Segments", "layer_times", "layer_turns", "segments"]

STATES = ("computing", "waits_load", "waits_store", "other")
"""States of EXECUTE, each cycle of a run in one of them."""

_COMPUTING, _WAITS_LOAD, _WAITS_STORE, _OTHER = range(len(STATES))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segments:
    """A run from doorbell to done, cut wherever EXECUTE's state changes.

    Parameters
    ----------
    bounds : int64[n + 1]
        Cycles, rising, from 0 to the run's total.
    states : int64[n]
        Place in :data:`STATES`.
    """

    bounds: NDArray[np.int64]
    states: NDArray[np.int64]

    def until(self, state: int, times: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the cycles in a state from the doorbell until each of ``times``."""
        lengths = np.where(self.states == state, np.diff(self.bounds), 0)
        before = np.concatenate(([0], np.cumsum(lengths)))
        place = np.clip(
            np.searchsorted(self.bounds, times, side="right") - 1, 0, len(self.states) - 1
        )
        within = np.where(self.states[place] == state, times - self.bounds[place], 0)
        return np.asarray(before[place] + within, np.int64)


def segments(timeline: Timeline) -> Segments:
    """Cut a run by what EXECUTE does.

    It computes up to the cycle before an EXECUTE's done, as its counter has it. Between two EXECUTEs it waits for LOAD until the token of the LOAD that the second needs has come, then for
    STORE likewise; what is left is fetching and draining. After the last EXECUTE it waits for STORE until the last
    STORE is done. While that LOAD, or an earlier LOAD of the queue, is itself held by a STORE, EXECUTE waits for STORE:
    the accelerator's counter of waits for LOAD counts these cycles too.
    """
    bounds, last, held = [0], 0, _held_by_store(timeline)
    states: list[int] = []

    def extend(until: int, state: int) -> None:
        if until <= bounds[-1]:
            return
        if states and states[-1] == state:
            bounds[-1] = until
            return
        bounds.append(until)
        states.append(state)

    def waits_for(giver: int, start: int, state: int) -> None:
        if giver != NOBODY:
            token = int(timeline.done[giver]) + timeline.token_cycles
            extend(min(int(held[giver]), token, start), _WAITS_STORE)
            extend(min(token, start), state)

    for place in timeline.of_queue(Queue.EXECUTE).tolist():
        start = int(timeline.start[place])
        extend(min(last, start), _OTHER)
        waits_for(int(timeline.after_load[place]), start, _WAITS_LOAD)
        waits_for(int(timeline.after_store[place]), start, _WAITS_STORE)
        extend(start, _OTHER)
        last = int(timeline.done[place])
        extend(last - 1, _COMPUTING)
    extend(last, _OTHER)
    stores = timeline.of_queue(Queue.STORE)
    if len(stores):
        extend(min(int(timeline.done[stores].max()), timeline.total_cycles), _WAITS_STORE)
    extend(timeline.total_cycles, _OTHER)
    return Segments(bounds=np.array(bounds, np.int64), states=np.array(states, np.int64))


def _held_by_store(timeline: Timeline) -> NDArray[np.int64]:
    """Return for each LOAD until when a STORE held it or an earlier LOAD, 0 for never : int64[n].

    A STORE holds a LOAD that begins in the cycle in which the STORE's token comes. LOADs begin in order, so whoever
    waits for a later one waits for this STORE first.
    """
    held = np.zeros(len(timeline), np.int64)
    loads = timeline.of_queue(Queue.LOAD)
    givers = timeline.after_store[loads]
    tokens = np.where(givers != NOBODY, timeline.done[givers] + timeline.token_cycles, 0)
    bound = np.where(timeline.start[loads] <= tokens, tokens, 0)
    held[loads] = np.maximum.accumulate(bound)
    return held


def layer_times(timeline: Timeline) -> list[dict[str, Any]]:
    """Return the cycles of every layer in each of :data:`STATES`, which add up to the layer's cycles.

    A layer's time is that of :func:`sim.prediction.cycles_by_layer`: from the end of the layer before to its own.
    Where layers end in another order than they begin, shares may be negative, as the layer's cycles are.
    """
    cut = segments(timeline)
    shares = [
        cycles_by_layer(
            timeline.queues,
            timeline.layer_indices,
            cut.until(state, timeline.done),
            len(timeline.layers),
        )
        for state in range(len(STATES))
    ]
    return [
        {name: int(share[layer]) for name, share in zip(STATES, shares, strict=True)}
        for layer in range(len(timeline.layers))
    ]


def layer_turns(timeline: Timeline) -> list[tuple[int, int, int]]:
    """Return (layer, begin, end) of every turn of a layer, in order; they fill the run up to its last STORE.

    A turn ends with its last EXECUTE or STORE, and not before the turn before it.
    """
    turns = np.cumsum(np.diff(timeline.layer_indices, prepend=timeline.layer_indices[0]) != 0)
    ends = np.zeros(turns[-1] + 1, np.int64)
    chosen = timeline.queues != Queue.LOAD
    np.maximum.at(ends, turns[chosen], timeline.done[chosen])
    ends = np.maximum.accumulate(ends)
    layers = timeline.layer_indices[np.flatnonzero(np.diff(turns, prepend=-1))]
    begins = np.concatenate(([0], ends[:-1]))
    return list(zip(layers.tolist(), begins.tolist(), ends.tolist(), strict=True))
