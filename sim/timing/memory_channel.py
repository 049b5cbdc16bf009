"""A channel of the deterministic memory: its clock, the words of its bursts, how many it takes.

docs/reference/memories.md defines the memory. Edge n of its clock comes n periods after the doorbell's cycle 0; it
takes what the port gave in that cycle or before, and gives what the port has in that cycle or
after. A word moves per edge. Three channels work beside each other: reads, writes, descriptors.

A state begins with the channel's columns; what follows belongs to the unit before the channel.
"""

from sim.arrays.geometry import ceil_div
from sim.arrays.kernel import in_place
from sim.timing.calibration import MemoryColumn

__all__ = [
    "ANSWERED",
    "CHANNEL",
    "LIMIT",
    "NEVER",
    "PLAIN",
    "answer",
    "beat_cycle",
    "begin_read",
    "connect",
    "edge_of",
    "keeps_up",
    "unpaced_end",
    "write_words",
]

# Whether the channel is as wide and as fast as its port and takes as many bursts as there are; the
# most bursts that it takes (0: any number); bytes of the port's beat and of a word; both clocks; edges
# between two bursts; the last word's edge; the last write response's cycle.
PLAIN, LIMIT, BEAT_BYTES, WORD_BYTES, CLOCK_MHZ, MEMORY_MHZ, GAP, EDGE, ANSWERED = range(9)

CHANNEL = 9
"""Columns of a channel."""

NEVER = -(1 << 40)
"""Cycle of what has not been: long before any other."""


@in_place
def connect(state, hw, constants, beat_bytes, depth):
    """Begin a channel behind a port.

    Parameters
    ----------
    state : int64[n]
        Receives the columns.
    hw : Hw
        The accelerator, of :func:`sim.arrays.tables.accelerator_row`.
    constants : int64[n]
        :meth:`sim.timing.calibration.Calibration.walked`.
    beat_bytes : int
        Bytes of the port's beat.
    depth : int
        Most bursts that the port has under way, 0 where that is no limit.
    """
    width, mhz = constants[MemoryColumn.WIDTH_BYTES], constants[MemoryColumn.CLOCK_MHZ]
    limit = constants[MemoryColumn.OUTSTANDING]
    if depth > 0 and limit >= depth:
        limit = 0
    state[LIMIT] = limit
    state[BEAT_BYTES] = beat_bytes
    state[WORD_BYTES] = width if width > 0 else beat_bytes
    state[CLOCK_MHZ] = hw.clock_mhz
    state[MEMORY_MHZ] = mhz if mhz > 0 else hw.clock_mhz
    state[GAP] = constants[MemoryColumn.BURST_GAP]
    state[EDGE] = state[ANSWERED] = NEVER
    same = state[MEMORY_MHZ] == hw.clock_mhz and state[WORD_BYTES] >= beat_bytes
    state[PLAIN] = 1 if same and limit == 0 and state[GAP] == 0 else 0


@in_place
def edge_of(state, cycle):
    """First edge that is not before a cycle."""
    if state[MEMORY_MHZ] == state[CLOCK_MHZ]:
        return cycle
    return ceil_div(cycle * state[MEMORY_MHZ], state[CLOCK_MHZ])


@in_place
def _cycle_of(state, edge):
    """First cycle that is not before an edge."""
    if state[MEMORY_MHZ] == state[CLOCK_MHZ]:
        return edge
    return ceil_div(edge * state[CLOCK_MHZ], state[MEMORY_MHZ])


@in_place
def keeps_up(state):
    """Whether the memory moves at least as many bytes in a time as the port."""
    words = state[WORD_BYTES] * state[MEMORY_MHZ]
    return state[BEAT_BYTES] * state[CLOCK_MHZ] <= words


@in_place
def _words(state, beats):
    return ceil_div(beats * state[BEAT_BYTES], state[WORD_BYTES])


@in_place
def begin_read(state, cycle, beats):
    """Give the words of a read burst to the channel.

    Parameters
    ----------
    cycle : int
        Address's handshake and the latency.
    beats : int

    Returns
    -------
    int
        Edge of its first word.
    """
    first = max(edge_of(state, cycle), state[EDGE] + 1 + state[GAP])
    state[EDGE] = first + _words(state, beats) - 1
    return first


@in_place
def beat_cycle(state, first, beat):
    """Cycle from which a read burst's beat is at the port, if its first word has the edge ``first``."""
    return _cycle_of(state, first + _words(state, beat + 1) - 1)


@in_place
def unpaced_end(state, first, beats, end):
    """Cycle in which the port takes the last beat of a read burst, if it takes each at once.

    A slow memory's last word decides, of which several beats can be made.

    Parameters
    ----------
    first : int
        :func:`begin_read`.
    beats : int
    end : int
        Cycle of the last beat of the burst before.
    """
    decisive = 0
    if not keeps_up(state):
        together = max(1, state[WORD_BYTES] // state[BEAT_BYTES])
        decisive = (beats - 1) // together * together
    return max(end + beats, beat_cycle(state, first, decisive) + beats - 1 - decisive)


@in_place
def _beat_at(available, beat, credit, earn, cost):
    """Cycle in which a paced port moves a beat of a burst, as :func:`sim.timing.transfer_unit.paced` says."""
    return available + max(beat, ceil_div(cost * (beat + 1) - credit, earn))


@in_place
def write_words(state, address, available, beats, credit, hw):
    """Take a write burst's beats and write its words; returns the edge of the last.

    A word is written once its last beat and the burst's address are there. Where the memory keeps up
    with the port, the last two words decide; where the port has no pace, the first; else all count.

    Parameters
    ----------
    address : int
        Cycle of the address's handshake.
    available : int
        Cycle from which a beat can move per cycle, with ``credit`` in it.
    beats : int
    credit : int
    hw : Hw
    """
    words = _words(state, beats)
    of_a_beat = max(1, state[BEAT_BYTES] // state[WORD_BYTES])
    together = max(1, state[WORD_BYTES] // state[BEAT_BYTES])
    first = max(edge_of(state, address), state[EDGE] + 1 + state[GAP])
    earn, cost = hw.earn, hw.cost
    if keeps_up(state):
        at = _beat_at(available, beats - 1, credit, earn, cost)
        edge = max(edge_of(state, at) + of_a_beat, first + words) - 1
        if together > 1 and words > 1:
            at = _beat_at(available, (words - 1) * together - 1, credit, earn, cost)
            edge = max(edge, edge_of(state, at) + 1)
    elif earn == cost:
        at = available + min(together, beats) - 1
        edge = max(edge_of(state, at), first) + words - 1
    else:
        edge = first - 1
        beat = min(together, beats) - 1
        while True:
            at = _beat_at(available, beat, credit, earn, cost)
            edge = max(edge_of(state, at), edge + 1) + of_a_beat - 1
            if beat == beats - 1:
                break
            beat = min(beat + together, beats - 1)
    state[EDGE] = edge
    return edge


@in_place
def answer(state, edge, latency):
    """Cycle of a write burst's response, at most one per cycle."""
    state[ANSWERED] = max(_cycle_of(state, edge) + latency, state[ANSWERED] + 1)
    return state[ANSWERED]
