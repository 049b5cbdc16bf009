"""A bank's port: reads and stores that share it, and the time that the compiler leaves for both.

A bank is read or written in a cycle. Stores of CONV and ADD wait for cycles in which EXECUTE reads none of their banks; reads
of DEPTHWISE and POOL wait for stores, whatever their banks are. Nothing else may wait: all stores of a set must be through when the
next set's come, and all reads of a set before its steps.
"""

from typing import NamedTuple

from sim.arrays.geometry import ceil_div, pixel_lanes
from sim.arrays.kernel import in_place
from sim.spec.accelerator import ADD_HOLD, STORE_DISTANCE
from sim.spec.descriptor import STORE_SLACK_BITS, ExecuteOp

__all__ = [
    "MOST_SLACK",
    "NO_PORTS",
    "Ports",
    "base_hold",
    "drained_hold",
    "port_variants",
    "port_waits",
    "set_reads",
    "share_port",
    "stores_met",
]

MOST_SLACK = (1 << STORE_SLACK_BITS) - 1
"""Most cycles that a set's stores may wait."""

_NEVER = 1 << 40


class Ports(NamedTuple):
    """Reads of a convolution from the banks, and the banks that it stores to.

    Parameters
    ----------
    taps : int
        Kernel positions of a set, in all splits the most.
    groups : int
        Input channel groups of a set, in all splits the most.
    first : int
        Bank of the first.
    quads : int
        Fewest steps of a vector.
    lanes : int
        Banks (L).
    spread : int
        Whether a set may be stored to any bank: PE columns split the output channel groups, or tensors begin elsewhere.
    """

    taps: int
    groups: int
    first: int
    quads: int
    lanes: int
    spread: int


NO_PORTS = Ports(0, 0, 0, 0, 1, 0)
"""Ports of other operations."""


@in_place
def port_variants(op, pixels, ports):
    """Different answers that a layer's rounds have to the question which of their banks are read.

    Rounds take turns: round r stores to the r-th L / P banks, modulo P. Where as many groups as banks are read, they count alike.
    """
    if op != ExecuteOp.CONV or ports.spread or ports.groups >= ports.lanes:
        return 1
    return pixels


@in_place
def set_reads(op, pixels, ports, variant):
    """Reads of a set from the banks that rounds of that variant store to, as far as stores wait for them."""
    if op == ExecuteOp.ADD:
        return 2 * pixels
    if op != ExecuteOp.CONV:
        return 0
    size = pixel_lanes(ports.lanes, pixels)
    groups = 0
    if ports.spread:
        groups = ports.groups
    elif ports.groups >= ports.lanes:
        groups = min(ports.groups, ceil_div(ports.groups, ports.lanes) * size)
    else:
        low = variant * size  # the groups' banks go on with the first behind the last
        groups = _common(ports.first, ports.groups, low, size)
        groups += _common(ports.first, ports.groups, low + ports.lanes, size)
    return ports.taps * pixels * groups


@in_place
def _common(first, count, other, size):
    """Numbers among ``count`` from ``first`` on that are among ``size`` from ``other`` on."""
    return max(0, min(first + count, other + size) - max(first, other))


@in_place
def base_hold(op, pixels):
    """Idle cycles after any descriptor: CONV's skewed steps, ADD's last operand."""
    if op == ExecuteOp.CONV:
        return pixels - 1
    return ADD_HOLD if op == ExecuteOp.ADD else 0


@in_place
def drained_hold(op, pixels, stores):
    """Idle cycles after a descriptor until its last set's stores, that many, meet no read of the next descriptor."""
    return STORE_DISTANCE + stores + (pixels - 1 if op == ExecuteOp.CONV else 0)


@in_place
def port_waits(reads, stores, gap, pixels):
    """Most cycles that a set's stores wait, where sets like it follow one another in time enough for both."""
    if gap > 0:
        return min(reads, pixels * ceil_div(stores, gap))
    return reads


@in_place
def share_port(least, stores, floor, reads, gap, pixels, sets, mixed, drained):
    """(interval, cycles that a set's stores may wait, whether the descriptor is to hold until it has drained).

    With n cycles free of reads in each interval, k stores wait for the reads of ⌈k / n⌉ intervals at most. Or,
    where P reads of a vector are followed by ``gap`` other cycles, for those of ⌈k / gap⌉ vectors.

    Parameters
    ----------
    least : int
        Least interval for other reasons than stores.
    stores : int
        Most stores of a set.
    floor : int
        Least interval of what may follow: the layer's other descriptors.
    reads : int
        Of a set, from the banks that are stored to.
    gap : int
        Cycles of a vector without reads, less than 1 for none.
    pixels : int
    sets : int
        Of the descriptor.
    mixed : bool
        What follows may read in another order.
    drained : int
        Cycles that it costs to hold until the descriptor has drained.
    """
    if reads == 0:
        return max(least, stores), 0, False
    own = max(least, stores + port_waits(reads, stores, gap, pixels))
    waits = pixels * ceil_div(stores, gap) if gap > 0 else _NEVER
    if not mixed and floor > reads:
        waits = min(waits, reads * ceil_div(stores, floor - reads))
    interval = max(least, stores + waits)
    if waits <= MOST_SLACK and interval * sets <= own * sets + drained:
        return interval, waits, False
    return own, 0, True


@in_place
def stores_met(cycles, interval, stores, lead):
    """Most stores in the first cycles of a column of DEPTHWISE's sets that begins when a set has ended.

    Sets before it ended an interval apart or more, the next set ends ``lead`` cycles later than that.
    """
    end = cycles - STORE_DISTANCE
    met = max(0, min(end, stores)) + _bursts(
        min(cycles, STORE_DISTANCE + stores - interval), interval, stores
    )
    return met + max(0, _bursts(end - lead, interval, stores) - stores)


@in_place
def _bursts(cycles, interval, stores):
    """Most stores in so many cycles, where ``stores`` follow one another once in an interval."""
    if cycles <= 0:
        return 0
    if cycles < interval:
        return min(cycles, stores)
    return cycles // interval * stores + min(cycles % interval, stores)
