"""Traces for people: a run in the trace-event format, which Perfetto and Chrome show.

Google, "Trace Event Format" (2016): complete events (``X``), flow events (``s``, ``f``) and metadata (``M``). One µs of the viewer is one µs at the accelerator's clock.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cosilico.layer_times import STATES, layer_turns, segments
from cosilico.timeline import NOBODY, Timeline
from sim.spec.descriptor import Queue
from sim.spec.files import write_atomic

__all__ = ["trace_events", "write_trace_events"]

_RUN, _LAYERS, _STATE = 1, 1, 2
_FIRST_ROW = {Queue.LOAD: 100, Queue.EXECUTE: 200, Queue.STORE: 300}
"""Threads: of each queue from these on, as many as descriptors overlap."""


def trace_events(timeline: Timeline, name: str) -> dict[str, Any]:
    """Return a run as a JSON object of the trace-event format.

    Parameters
    ----------
    timeline : Timeline
    name : str
        Of the run, as the viewer's process.

    Returns
    -------
    dict
        Threads: the layers, what EXECUTE does, and each queue. A slice for every descriptor, in a further
        row of its queue while the descriptor before it is not done; a flow for every token. Exact cycles are in
        ``args``.
    """
    events = [
        *_names(timeline, name),
        *_layer_slices(timeline),
        *_state_slices(timeline),
        *_descriptors(timeline),
    ]
    return {
        "displayTimeUnit": "ns",
        "otherData": {
            "source": timeline.source,
            "clock_mhz": timeline.clock_mhz,
            "total_cycles": timeline.total_cycles,
        },
        "traceEvents": events,
    }


def write_trace_events(path: Path, timeline: Timeline, name: str) -> None:
    """Write a run in the trace-event format."""
    write_atomic(path, json.dumps(trace_events(timeline, name), separators=(",", ":")) + "\n")


def _names(timeline: Timeline, name: str) -> Iterator[dict[str, Any]]:
    yield _metadata("process_name", 0, name=f"{name}, {timeline.source}")
    threads = {_LAYERS: "layers", _STATE: "EXECUTE is"}
    for queue, first in _FIRST_ROW.items():
        rows = set(_rows(timeline, timeline.of_queue(queue).tolist()))
        threads |= {first + row: queue.name + (f" ({row + 1})" if row else "") for row in rows}
    for order, (thread, title) in enumerate(sorted(threads.items())):
        yield _metadata("thread_name", thread, name=title)
        yield _metadata("thread_sort_index", thread, sort_index=order)


def _metadata(kind: str, thread: int, **arguments: Any) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": _RUN, "tid": thread, "args": arguments}


def _layer_slices(timeline: Timeline) -> Iterator[dict[str, Any]]:
    for layer, start, end in layer_turns(timeline):
        yield _slice(timeline, timeline.layers[layer], _LAYERS, start, end)


def _state_slices(timeline: Timeline) -> Iterator[dict[str, Any]]:
    cut = segments(timeline)
    titles = ("computing", "waiting for LOAD", "waiting for STORE", "fetching or draining")
    assert len(titles) == len(STATES)
    for state, start, end in zip(cut.states, cut.bounds[:-1], cut.bounds[1:], strict=True):
        yield _slice(timeline, titles[state], _STATE, int(start), int(end))


def _descriptors(timeline: Timeline) -> Iterator[dict[str, Any]]:
    threads: dict[int, int] = {}
    for queue, first in _FIRST_ROW.items():
        places = timeline.of_queue(queue).tolist()
        rows = _rows(timeline, places)
        threads |= {place: first + row for place, row in zip(places, rows, strict=True)}
    waits = (timeline.after_load, timeline.after_execute, timeline.after_store)
    for place in range(len(timeline)):
        start, done = int(timeline.start[place]), int(timeline.done[place])
        yield _slice(
            timeline,
            timeline.layers[timeline.layer_indices[place]],
            threads[place],
            start,
            done,
            descriptor=place,
            issued=int(timeline.issued[place]),
            image=int(timeline.images[place]),
        )
        for queue, after in zip(Queue, waits, strict=True):
            giver = int(after[place])
            if giver == NOBODY:
                continue
            common = {"cat": "token", "name": f"token of {queue.name}", "pid": _RUN}
            common["id"] = f"{giver}-{place}"
            # A flow is bound to the slice in which it begins: its last cycle, not the first after it
            given = max(int(timeline.start[giver]), int(timeline.done[giver]) - 1)
            yield common | {
                "ph": "s", "tid": threads[giver], "ts": timeline.microseconds(given)
            }  # fmt: skip
            yield common | {
                "ph": "f", "bp": "e", "tid": threads[place], "ts": timeline.microseconds(start)
            }  # fmt: skip


def _slice(
    timeline: Timeline, title: str, thread: int, start: int, end: int, **arguments: Any
) -> dict[str, Any]:
    return {
        "ph": "X",
        "name": title,
        "pid": _RUN,
        "tid": thread,
        "ts": timeline.microseconds(start),
        "dur": timeline.microseconds(end - start),
        "args": {"start": start, "done": end, **arguments},
    }


def _rows(timeline: Timeline, places: Iterable[int]) -> list[int]:
    """Row of each descriptor of a queue: the first whose descriptors are all done when it starts."""
    free: list[int] = []
    rows = []
    for place in places:
        start, done = int(timeline.start[place]), int(timeline.done[place])
        row = next((i for i, end in enumerate(free) if end <= start), len(free))
        if row == len(free):
            free.append(done)
        free[row] = done
        rows.append(row)
    return rows
