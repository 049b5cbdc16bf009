"""Traces of runs: when each descriptor started and ended, as anybody's bench or logic analyser gives it.

JSON has everything of a run in a file; CSV is what a logic analyser exports, with the run's identity in
comments. docs/explanation/calibration.md describes both.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.spec.accelerator import AcceleratorConfig
from sim.spec.accelerator_record import accelerator_of
from sim.spec.archives import read_bytes
from sim.spec.descriptor import Queue
from sim.spec.documents import DOCUMENT_LIMIT_BYTES, Record, checked, parse_json
from sim.spec.errors import DesignFileError
from sim.spec.files import write_atomic
from sim.spec.rules import Digest, Integer, Name, OrNone, shown

__all__ = ["SCHEMA", "UNKNOWN", "Trace", "TraceRecord", "read_trace", "write_trace"]

SCHEMA = 1
UNKNOWN = -1
"""Time of an event that was not seen."""

_TIME = Integer(UNKNOWN, 1 << 40)
_SEED = Integer(0, (1 << 31) - 1)
_IMAGES = Integer(1, 4096)
_QUEUES = {queue.name.lower(): queue for queue in Queue}


class _Program(Record):
    """Program that ran: of a network, or a microbenchmark of ``cosilico calibrate --propose``."""

    network: Annotated[str | None, OrNone(Name())] = None
    seed: Annotated[int, _SEED] = 0
    images: Annotated[int, _IMAGES] = 1
    microbenchmark: Annotated[str | None, OrNone(Name())] = None
    schedule_digest: Annotated[str | None, OrNone(Digest())] = None


class TraceRecord(Record):
    """A traced run: JSON files of this schema are what ``calibrate --trace`` reads."""

    version: Annotated[int, Integer(SCHEMA, SCHEMA)] = Field(alias="schema")
    kind: Literal["trace"]
    run: Annotated[str, Name()]
    system: Annotated[str, Name()]
    accelerator: dict[str, Any] | str
    program: _Program
    total_cycles: Annotated[int, _TIME] = UNKNOWN
    queue: list[Literal["load", "execute", "store"]]
    start: list[Annotated[int, _TIME]]
    end: list[Annotated[int, _TIME]]
    issue_end: list[Annotated[int, _TIME]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """A run of a program on a system, in cycles of the accelerator.

    Parameters
    ----------
    run, system : str
        Names of the run and of the system on which it ran.
    accelerator : AcceleratorConfig or str
        Its record, or what ``--accelerator`` takes.
    network : str or None
        As the command line takes it; a path is relative to the trace's folder.
    seed, images : int
        Of a named network's weights, and images per program.
    microbenchmark : str or None
        Instead of a network.
    schedule_digest : str or None
        SHA-256 of the schedule, where the writer knows it.
    total_cycles : int
        From doorbell to done, -1 if unknown.
    queues : int64[n]
        Queue of every descriptor, in program order.
    start, end, issue_end : int64[n]
        Cycles after the doorbell, -1 where unknown.
    """

    run: str
    system: str
    accelerator: AcceleratorConfig | str
    network: str | None = None
    seed: int = 0
    images: int = 1
    microbenchmark: str | None = None
    schedule_digest: str | None = None
    total_cycles: int = UNKNOWN
    queues: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    issue_end: NDArray[np.int64]

    def to_json(self) -> dict[str, Any]:
        """Content of the trace's file, as a JSON object of :class:`TraceRecord`."""
        config = self.accelerator
        return {
            "schema": SCHEMA,
            "kind": "trace",
            "run": self.run,
            "system": self.system,
            "accelerator": config if isinstance(config, str) else config.to_json(),
            "program": {
                "network": self.network,
                "seed": self.seed,
                "images": self.images,
                "microbenchmark": self.microbenchmark,
                "schedule_digest": self.schedule_digest,
            },
            "total_cycles": self.total_cycles,
            "queue": [Queue(queue).name.lower() for queue in self.queues.tolist()],
            "start": self.start.tolist(),
            "end": self.end.tolist(),
            "issue_end": self.issue_end.tolist(),
        }


def write_trace(path: Path, trace: Trace) -> None:
    """Write a trace as JSON."""
    write_atomic(path, json.dumps(trace.to_json()) + "\n")


def read_trace(path: Path) -> Trace:
    """Read a trace; CSV if the file's name ends so, else JSON.

    Raises
    ------
    DesignFileError
        One line that names the file, the rule and the value.
    """
    content = read_bytes(path, "trace", DOCUMENT_LIMIT_BYTES)
    what = f"trace {path}"
    if path.suffix == ".csv":
        try:
            text = content.decode()
        except UnicodeDecodeError:
            raise DesignFileError(f"{what} must be text in UTF-8") from None
        return _of_csv(text, what, path.stem)
    record = checked(TraceRecord, parse_json(content, what), what)
    return _of_record(record, what)


def _of_record(record: TraceRecord, what: str) -> Trace:
    count = len(record.queue)
    columns = {"start": record.start, "end": record.end}
    if record.issue_end is not None:
        columns["issue_end"] = record.issue_end
    for name, values in columns.items():
        if len(values) != count:
            raise DesignFileError(
                f"{what}.{name} must have an entry for each of the {count} descriptors, "
                f"not {len(values)}"
            )
    program, config = record.program, record.accelerator
    try:
        accelerator = config if isinstance(config, str) else accelerator_of(config)
    except DesignFileError as error:
        raise DesignFileError(f"{what}: {error}") from None
    _require_program(program.network, program.microbenchmark, what)
    issued = record.issue_end if record.issue_end is not None else [UNKNOWN] * count
    return Trace(
        run=record.run,
        system=record.system,
        accelerator=accelerator,
        network=program.network,
        seed=program.seed,
        images=program.images,
        microbenchmark=program.microbenchmark,
        schedule_digest=program.schedule_digest,
        total_cycles=record.total_cycles,
        queues=np.array([_QUEUES[name] for name in record.queue], np.int64),
        start=np.array(record.start, np.int64),
        end=np.array(record.end, np.int64),
        issue_end=np.array(issued, np.int64),
    )


def _require_program(network: str | None, microbenchmark: str | None, what: str) -> None:
    if (network is None) == (microbenchmark is None):
        raise DesignFileError(f"{what}.program must name either a network or a microbenchmark")


_COLUMNS = ("descriptor", "queue", "start", "end")
_KEYS = {
    "system": Name(),
    "run": Name(),
    "accelerator": Name(),
    "network": Name(),
    "microbenchmark": Name(),
}
_NUMBERS = {"seed": _SEED, "images": _IMAGES, "total_cycles": _TIME}


def _of_csv(text: str, what: str, stem: str) -> Trace:
    identity, lines = _comments(text, what)
    reader = csv.reader(io.StringIO("\n".join(lines)))
    header = tuple(cell.strip() for cell in next(reader, []))
    if header != _COLUMNS:
        raise DesignFileError(
            f"{what} must have the columns {', '.join(_COLUMNS)}, not {shown(header)}"
        )
    queues: list[int] = []
    times: dict[str, list[int]] = {"start": [], "end": []}
    for row in reader:
        if not row:
            continue
        where = f"{what}: row {len(queues)}"
        cells = [cell.strip() for cell in row]
        if len(cells) != len(_COLUMNS):
            raise DesignFileError(f"{where} must have {len(_COLUMNS)} cells, not {len(cells)}")
        if cells[0] != str(len(queues)):
            raise DesignFileError(
                f"{where}: descriptor must be its number in program order, {len(queues)}, "
                f"not {shown(cells[0])}"
            )
        if cells[1] not in _QUEUES:
            raise DesignFileError(
                f"{where}: queue must be {' or '.join(_QUEUES)}, not {shown(cells[1])}"
            )
        queues.append(_QUEUES[cells[1]])
        for name, cell in zip(times, cells[2:], strict=True):
            times[name].append(_number(cell or str(UNKNOWN), _TIME, f"{where}: {name}"))
    _require_program(identity.get("network"), identity.get("microbenchmark"), what)
    if "accelerator" not in identity:
        raise DesignFileError(f"{what} must have a comment '# accelerator: …'")
    given: dict[str, Any] = {"run": stem, "system": "unknown", **identity}
    return Trace(
        **given,
        queues=np.array(queues, np.int64),
        start=np.array(times["start"], np.int64),
        end=np.array(times["end"], np.int64),
        issue_end=np.full(len(queues), UNKNOWN, np.int64),
    )


def _comments(text: str, what: str) -> tuple[dict[str, Any], Sequence[str]]:
    """Values of the lines ``# key: value``, and the other lines."""
    identity: dict[str, Any] = {}
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            lines.append(line)
            continue
        key, colon, value = (part.strip() for part in line[1:].partition(":"))
        if not colon:
            continue
        if key in _NUMBERS:
            identity[key] = _number(value, _NUMBERS[key], f"{what}: {key}")
        elif key in _KEYS:
            _KEYS[key].require(value, f"{what}: {key}")
            identity[key] = value
        else:
            raise DesignFileError(
                f"{what}: comment must be of {', '.join((*_KEYS, *_NUMBERS))}, not {shown(key)}"
            )
    return identity, lines


def _number(text: str, rule: Integer, what: str) -> int:
    try:
        value: Any = int(text) if len(text) < 20 else text
    except ValueError:
        value = text
    if not rule.accepts(value):
        raise DesignFileError(f"{what} must be {rule}, not {shown(text)}")
    return int(value)
