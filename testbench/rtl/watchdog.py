"""Why a program stopped: which queue is blocked, and which token it lacks."""

from collections.abc import Mapping, Sequence

from hwgen.program import Program
from sim.spec.descriptor import DESCRIPTOR_BYTES, Queue, decode

__all__ = ["explain_hang", "program_descriptors", "watchdog_cycles"]

SLACK_CYCLES = 20_000
"""Far more than any memory latency or queue delay between two events of a program."""


def program_descriptors(program: Program) -> list[dict[str, int]]:
    """All descriptors of a program's image, decoded, in program order."""
    first = program.header_address + DESCRIPTOR_BYTES
    return [
        decode(program.image[address : address + DESCRIPTOR_BYTES])
        for address in range(
            first, first + DESCRIPTOR_BYTES * len(program.descriptors), DESCRIPTOR_BYTES
        )
    ]


def watchdog_cycles(descriptors: Sequence[Mapping[str, int]]) -> int:
    """Cycles without any beat, start or end after which a program counts as stopped.

    The longest silence of a healthy run is one EXECUTE descriptor; its sets of windows are at most
    its windows, its bands its rows.
    """
    longest = max(
        (
            d["window_rows"] * (d["window_columns"] * d["initiation_interval"] + d["row_lead"])
            for d in descriptors
            if d["queue"] == Queue.EXECUTE
        ),
        default=0,
    )
    return 2 * longest + SLACK_CYCLES


def explain_hang(
    descriptors: Sequence[Mapping[str, int]],
    started: Mapping[Queue, int],
    finished: Mapping[Queue, int],
) -> str:
    """Say where every unfinished queue stands, in one line.

    Parameters
    ----------
    descriptors : sequence
        As :func:`program_descriptors` gives them.
    started, finished : mapping of Queue to int
        Descriptors of each queue that have started and finished.

    Returns
    -------
    str
        For each unfinished queue: the descriptor that runs and does not end, or the head that does
        not start and the queues whose token it lacks.
    """
    own = {queue: [d for d in descriptors if d["queue"] == queue] for queue in Queue}
    parts = []
    for queue in Queue:
        total, begun, ended = len(own[queue]), started[queue], finished[queue]
        if ended >= total:
            continue
        if begun > ended:
            parts.append(f"{queue.name} descriptor {ended} of {total} started and did not end")
        if begun < total:
            missing = [
                source.name
                for source in Queue
                if own[queue][begun]["wait"] >> source & 1
                and _tokens(own, started, finished, source, queue) <= 0
            ]
            reason = (
                f"lacks a token of {' and '.join(missing)}"
                if missing
                else "has its tokens and is not accepted"
            )
            parts.append(f"{queue.name} descriptor {begun} of {total} {reason}")
    return "; ".join(parts) or "all descriptors are done, but the program does not end"


def _tokens(
    own: Mapping[Queue, Sequence[Mapping[str, int]]],
    started: Mapping[Queue, int],
    finished: Mapping[Queue, int],
    source: Queue,
    target: Queue,
) -> int:
    given = sum(d["post"] >> target & 1 for d in own[source][: finished[source]])
    taken = sum(d["wait"] >> source & 1 for d in own[target][: started[target]])
    return given - taken
