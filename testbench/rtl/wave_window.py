"""Part of a run that waveforms show: a layer, a descriptor or a range of cycles."""

from collections.abc import Sequence
from dataclasses import dataclass

from sim.spec.descriptor import Queue
from sim.spec.errors import CosilicoError
from sim.spec.network import Network

__all__ = ["WaveSelection", "WaveWindow", "window_of"]

NOTHING = (-1, -1)
"""First and last descriptor of a queue of which no descriptor is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveSelection:
    """Part of a run in a user's words; one of the three is given.

    Parameters
    ----------
    layer : str, optional
        Name of a layer.
    descriptor : int, optional
        Number of a descriptor in program order, from 0.
    cycles : (int, int), optional
        First cycle, and that behind the last; cycle 0 is the first in which ``trace_busy`` is high.

    Raises
    ------
    CosilicoError
        If none or several are given, or the range is empty.
    """

    layer: str | None = None
    descriptor: int | None = None
    cycles: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Check that it is one part."""
        given = sum(value is not None for value in (self.layer, self.descriptor, self.cycles))
        if given != 1:
            raise CosilicoError(
                "waves must show one of a layer, a descriptor and a range of cycles, "
                f"not {given or 'none'} of them"
            )
        if self.cycles is not None and not 0 <= self.cycles[0] < self.cycles[1]:
            first, end = self.cycles
            raise CosilicoError(
                f"cycles of waves must be FIRST:END with 0 <= FIRST < END, not {first}:{end}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveWindow:
    """Part of a run in the harness's words: a range of cycles, or descriptors of each queue.

    Parameters
    ----------
    cycles : (int, int), optional
        First cycle, and that behind the last.
    descriptors : tuple of (int, int)
        Without ``cycles``, of every queue the first and the last descriptor, numbered in that queue, or
        (-1, -1). The window lasts from the cycle in which the first of them starts to that in which the last is done.
    """

    cycles: tuple[int, int] | None = None
    descriptors: tuple[tuple[int, int], ...] = ()

    @property
    def job_line(self) -> str:
        """Line of ``job.txt``."""
        if self.cycles is not None:
            return "waves_cycles {} {}".format(*self.cycles)
        bounds = (str(bound) for pair in self.descriptors for bound in pair)
        return f"waves_descriptors {' '.join(bounds)}"


def window_of(
    selection: WaveSelection, descriptors: Sequence[tuple[int, int]], network: Network
) -> WaveWindow:
    """Return where a program's run is what a user wants to see.

    Parameters
    ----------
    selection : WaveSelection
    descriptors : sequence of (queue, layer)
        Of the program, in its order.
    network : Network

    Raises
    ------
    CosilicoError
        If the network has no such layer, or the program no such descriptor.
    """
    if selection.cycles is not None:
        return WaveWindow(cycles=selection.cycles)
    if selection.descriptor is not None:
        count = len(descriptors)
        if not 0 <= selection.descriptor < count:
            raise CosilicoError(
                f"descriptor of waves must be from 0 to {count - 1}, not {selection.descriptor}"
            )
        return _spanning(descriptors, [selection.descriptor])
    names = [layer.name for layer in network.layers]
    if selection.layer not in names:
        raise CosilicoError(
            f"layer of waves must be a layer of network {network.name!r}, not {selection.layer!r}"
        )
    index = names.index(selection.layer)
    chosen = [number for number, (_, layer) in enumerate(descriptors) if layer == index]
    if not chosen:
        raise CosilicoError(
            f"layer of waves must have descriptors, and {selection.layer!r} has none"
        )
    return _spanning(descriptors, chosen)


def _spanning(descriptors: Sequence[tuple[int, int]], chosen: Sequence[int]) -> WaveWindow:
    """Window around descriptors, whose numbers are those in program order and ascend."""
    queues = [queue for queue, _ in descriptors]
    bounds = []
    for queue in Queue:
        own = [queues[:number].count(queue) for number in chosen if queues[number] == queue]
        bounds.append((own[0], own[-1]) if own else NOTHING)
    return WaveWindow(descriptors=tuple(bounds))
