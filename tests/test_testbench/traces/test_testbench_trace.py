"""Traces as files: what is written is read again, and what is wrong is said in a line."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from project_root import ROOT
from sim.spec.errors import DesignFileError
from sim.spec.spaces import TINY
from testbench.traces.trace import Trace, TraceRecord, read_trace, write_trace

CSV = """\
# accelerator: tiny
# network: ds_cnn
# seed: 3
# total_cycles: 900
# exported by a logic analyser
descriptor,queue,start,end
0,load,40,61
1, execute, 62, 70
2,store,,99
"""


def a_trace() -> Trace:
    return Trace(
        run="first",
        system="board",
        accelerator=TINY.default,
        network="ds_cnn",
        total_cycles=900,
        queues=np.array([0, 1, 2]),
        start=np.array([40, 62, -1]),
        end=np.array([61, 70, 99]),
        issue_end=np.array([-1, 65, -1]),
    )


def test_json_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_trace(path, a_trace())
    assert read_trace(path).to_json() == a_trace().to_json()


def test_csv_of_a_logic_analyser(tmp_path: Path) -> None:
    path = tmp_path / "probe.csv"
    path.write_text(CSV)
    trace = read_trace(path)
    assert (trace.run, trace.system, trace.accelerator) == ("probe", "unknown", "tiny")
    assert (trace.network, trace.seed, trace.total_cycles) == ("ds_cnn", 3, 900)
    assert trace.queues.tolist() == [0, 1, 2]
    assert trace.start.tolist() == [40, 62, -1]
    assert trace.end.tolist() == [61, 70, 99]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"schema": 2}, "schema must be an integer in 1 … 1, not 2"),
        ({"start": [1, 2]}, "start must have an entry for each of the 3 descriptors, not 2"),
        ({"end": [1, 2, -2]}, "end[2] must be"),
        ({"program": {}}, "program must name either a network or a microbenchmark"),
        ({"colour": 1}, "has no field 'colour'"),
    ],
)
def test_wrong_json_is_refused(tmp_path: Path, change: dict[str, Any], line: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(a_trace().to_json() | change))
    with pytest.raises(DesignFileError) as raised:
        read_trace(path)
    text = str(raised.value)
    assert text.startswith(f"trace {path}")
    assert line in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("old", "given", "line"),
    [
        ("descriptor,", "index,", "must have the columns descriptor, queue, start, end"),
        (
            "1, execute",
            "2, execute",
            "row 1: descriptor must be its number in program order, 1, not '2'",
        ),
        ("store", "dma", "row 2: queue must be load or execute or store, not 'dma'"),
        ("40,61", "40,late", "row 0: end must be"),
        ("# accelerator: tiny\n", "", "must have a comment '# accelerator: …'"),
        ("# seed", "# colour", "comment must be of system, run"),
        ("2,store,,99", "2,store,99", "row 2 must have 4 cells, not 3"),
    ],
)
def test_wrong_csv_is_refused(tmp_path: Path, old: str, given: str, line: str) -> None:
    path = tmp_path / "run.csv"
    path.write_text(CSV.replace(old, given))
    with pytest.raises(DesignFileError, match=re.escape(line)):
        read_trace(path)


def test_schema_is_that_of_the_docs() -> None:
    """The page's list of fields is the schema's."""
    text = (ROOT / "docs" / "explanation" / "calibration.md").read_text()
    properties = TraceRecord.model_json_schema(by_alias=True)["properties"]
    assert {name for name in properties if f"`{name}`" not in text} == set()
