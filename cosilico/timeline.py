"""Timelines: when each descriptor of a run started and ended, and for which others it waited."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.arrays.schedule_columns import (
    AFTER_EXECUTE,
    AFTER_LOAD,
    AFTER_STORE,
    IMAGE,
    LAYER,
    QUEUE,
)
from sim.plan import Mapped
from sim.spec.descriptor import Queue
from sim.spec.documents import Record, checked, read_json
from sim.spec.errors import DesignFileError
from sim.spec.files import write_atomic
from sim.spec.network import LAYERS_LIMIT
from sim.spec.rules import Integer, Name

__all__ = ["NOBODY", "Timeline", "read_timeline", "timeline_of", "write_timeline"]

SCHEMA = 1
NOBODY = -1
"""Place of the descriptor that is waited for where none is."""

_LIMIT_BYTES = 1 << 26
_QUEUES = {queue.name.lower(): int(queue) for queue in Queue}
_TIME = Integer(0, 1 << 40)
_PLACE = Integer(NOBODY, 1 << 31)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeline:
    """Descriptors of a program's run, in program order.

    Parameters
    ----------
    source : str
        "measured", of the RTL, or "predicted", of the model.
    layers : tuple of str
        Names of the network's layers.
    total_cycles : int
        From doorbell to done.
    clock_mhz : int
    token_cycles : int
        From a descriptor's done until a descriptor that waits for it may start.
    queues, layer_indices, images : int64[n]
        Queue, place in ``layers``, image (0 for weights).
    after_load, after_execute, after_store : int64[n]
        Place of the LOAD, EXECUTE and STORE that is waited for, -1 for none.
    start, issued, done : int64[n]
        Cycles after the doorbell, as of :class:`sim.prediction.DescriptorTimes`.
    """

    source: str
    layers: tuple[str, ...]
    total_cycles: int
    clock_mhz: int
    token_cycles: int
    queues: NDArray[np.int64]
    layer_indices: NDArray[np.int64]
    images: NDArray[np.int64]
    after_load: NDArray[np.int64]
    after_execute: NDArray[np.int64]
    after_store: NDArray[np.int64]
    start: NDArray[np.int64]
    issued: NDArray[np.int64]
    done: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of descriptors."""
        return len(self.queues)

    def of_queue(self, queue: Queue) -> NDArray[np.int64]:
        """Return the places of a queue's descriptors, in order."""
        return np.flatnonzero(self.queues == queue)

    def microseconds(self, cycles: int) -> float:
        """Return a time in µs at the accelerator's clock."""
        return cycles / self.clock_mhz

    def to_json(self) -> dict[str, Any]:
        """Return the timeline as a JSON object of columns."""
        names = {value: name for name, value in _QUEUES.items()}
        return {
            "schema": SCHEMA,
            "source": self.source,
            "layers": list(self.layers),
            "total_cycles": self.total_cycles,
            "clock_mhz": self.clock_mhz,
            "token_cycles": self.token_cycles,
            "queue": [names[queue] for queue in self.queues.tolist()],
            "layer": self.layer_indices.tolist(),
            "image": self.images.tolist(),
            **{name: getattr(self, name).tolist() for name in (*_WAITS, *_TIMES)},
        }


_WAITS = ("after_load", "after_execute", "after_store")
_TIMES = ("start", "issued", "done")


def timeline_of(
    mapped: Mapped,
    *,
    source: Literal["measured", "predicted"],
    start: NDArray[np.int64],
    issued: NDArray[np.int64],
    done: NDArray[np.int64],
    total_cycles: int,
    token_cycles: int,
) -> Timeline:
    """Put the times of a run beside the schedule of its program.

    Parameters
    ----------
    mapped : Mapped
    source : "measured" or "predicted"
    start, issued, done : int64[n]
        Of every descriptor, in program order; ``issued`` may be negative for LOAD and STORE.
    total_cycles : int
    token_cycles : int
        The timing constant ``token``.
    """
    rows = mapped.rows
    return Timeline(
        source=source,
        layers=tuple(layer.name for layer in mapped.source.layers),
        total_cycles=int(total_cycles),
        clock_mhz=mapped.config.clock_mhz,
        token_cycles=int(token_cycles),
        queues=rows[:, QUEUE].copy(),
        layer_indices=rows[:, LAYER].copy(),
        images=rows[:, IMAGE].copy(),
        after_load=rows[:, AFTER_LOAD].copy(),
        after_execute=rows[:, AFTER_EXECUTE].copy(),
        after_store=rows[:, AFTER_STORE].copy(),
        start=start.copy(),
        issued=np.where(issued < 0, done, issued),
        done=done.copy(),
    )


class _TimelineRecord(Record):
    version: Annotated[int, Integer(SCHEMA, SCHEMA)] = Field(alias="schema")
    source: Literal["measured", "predicted"]
    layers: Annotated[list[Annotated[str, Name()]], Field(min_length=1, max_length=LAYERS_LIMIT)]
    total_cycles: Annotated[int, _TIME]
    clock_mhz: Annotated[int, Integer(1, 10_000)]
    token_cycles: Annotated[int, _TIME]
    queue: list[Literal["load", "execute", "store"]]
    layer: list[Annotated[int, _PLACE]]
    image: list[Annotated[int, _PLACE]]
    after_load: list[Annotated[int, _PLACE]]
    after_execute: list[Annotated[int, _PLACE]]
    after_store: list[Annotated[int, _PLACE]]
    start: list[Annotated[int, _TIME]]
    issued: list[Annotated[int, _TIME]]
    done: list[Annotated[int, _TIME]]


def write_timeline(path: Path, timeline: Timeline) -> None:
    """Write a timeline as JSON."""
    write_atomic(path, json.dumps(timeline.to_json(), separators=(",", ":")) + "\n")


def read_timeline(path: Path) -> Timeline:
    """Read a timeline.

    Raises
    ------
    DesignFileError
        One line that names the file, the rule and the value.
    """
    what = f"timeline {path}"
    record = checked(_TimelineRecord, read_json(path, "timeline", _LIMIT_BYTES), what)
    count, layers = len(record.queue), len(record.layers)
    columns = {
        name: np.array(getattr(record, name), np.int64)
        for name in ("layer", "image", *_WAITS, *_TIMES)
    }
    for name, column in columns.items():
        if len(column) != count:
            raise DesignFileError(
                f"{what}.{name} must have an entry for each of the {count} descriptors, "
                f"not {len(column)}"
            )
    limits = {"layer": layers, **dict.fromkeys(_WAITS, count)}
    for name, limit in limits.items():
        low = 0 if name == "layer" else NOBODY
        bad = columns[name][(columns[name] < low) | (columns[name] >= limit)]
        if len(bad):
            raise DesignFileError(f"{what}.{name} must be in {low} … {limit - 1}, not {bad[0]}")
    if (columns["start"] > columns["done"]).any():
        raise DesignFileError(f"{what}.done must be no less than start, for every descriptor")
    return Timeline(
        source=record.source,
        layers=tuple(record.layers),
        total_cycles=record.total_cycles,
        clock_mhz=record.clock_mhz,
        token_cycles=record.token_cycles,
        queues=np.array([_QUEUES[name] for name in record.queue], np.int64),
        layer_indices=columns["layer"],
        images=columns["image"],
        **{name: columns[name] for name in (*_WAITS, *_TIMES)},
    )
