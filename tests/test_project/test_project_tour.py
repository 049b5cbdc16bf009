"""The tour's notebook: its cells run, and print what is committed with them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from project_root import ROOT

CELLS: list[dict[str, Any]] = json.loads((ROOT / "docs" / "tutorials" / "tour.ipynb").read_text())[
    "cells"
]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]
MARK = "\N{END OF TRANSMISSION BLOCK}"
LIMIT_BYTES = 64 * 1024


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def printed(cell: dict[str, Any]) -> str:
    streams = (output for output in cell["outputs"] if output["output_type"] == "stream")
    return "".join("".join(output["text"]) for output in streams)


def test_the_cells_print_what_is_committed(tmp_path: Path) -> None:
    program = f"\nprint({MARK!r}, end='')\n".join(source(cell) for cell in CODE)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split(MARK) == [printed(cell) for cell in CODE]


def test_a_hundred_accelerators_are_predicted_and_plotted_in_ten_lines() -> None:
    (cell,) = (cell for cell in CODE if "plt.plot" in source(cell))
    lines = [line for line in source(cell).splitlines() if line.strip()]
    assert len(lines) <= 10
    assert "on 100 accelerators" in printed(cell)
    assert any("image/png" in output.get("data", {}) for output in cell["outputs"])


def test_the_outputs_are_small() -> None:
    assert (ROOT / "docs" / "tutorials" / "tour.ipynb").stat().st_size <= LIMIT_BYTES
