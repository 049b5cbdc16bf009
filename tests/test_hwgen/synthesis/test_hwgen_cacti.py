"""CACTI makes a sample of the table's macros again, where its sources are installed."""

import json
import os
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from hwgen.synthesis.cacti import (
    SETTINGS,
    CactiError,
    build_cacti,
    cacti_sources,
    run_macro,
)
from sim.cost.sram_table import MemoryCells, macro_table

UNPACKED = os.environ.get("COSILICO_CACTI")
"""Folder of the unpacked package, for a Python that it cannot be installed into."""

SAMPLE = (
    (MemoryCells.HIGH_PERFORMANCE, 2, 64, 32),
    (MemoryCells.LOW_OPERATING_POWER, 1, 64, 1024),
    (MemoryCells.LOW_STANDBY_POWER, 2, 32, 256),
)


@pytest.mark.slow
@pytest.mark.skipif(
    UNPACKED is None and find_spec("hwcomponents_cacti") is None, reason="needs the extra sram"
)
def test_cacti_says_of_a_sample_what_the_table_says() -> None:
    program, origin = build_cacti(None if UNPACKED is None else Path(UNPACKED))
    table = macro_table()
    assert table.provenance["package"] == origin
    for cells, ports, width, rows in SAMPLE:
        run = run_macro(program, width=width, rows=rows, ports=ports, cells=cells)
        assert run.macro == table.macros[cells, ports, width, rows]
        assert run.wire == table.wires[cells]
    with pytest.raises(CactiError, match=r"^CACTI gives no access_ns: ERROR: no valid data array"):
        run_macro(program, width=64, rows=16, ports=2, cells=MemoryCells.HIGH_PERFORMANCE)


def test_the_table_says_how_it_was_made() -> None:
    provenance = macro_table().provenance
    assert {name: provenance[name] for name in SETTINGS} == dict(SETTINGS)
    assert re.fullmatch(r"hwcomponents-cacti \d+\.\d+\.\d+", provenance["package"])
    assert provenance["command"].startswith("python benchmarks/sram_macros.py")
    assert provenance["temperatures"] == "360 K; leakage_uw 300 K"


def test_a_folder_without_the_sources_is_refused(tmp_path: Path) -> None:
    line = f"the folder of hwcomponents-cacti must hold cacti/cacti.mk, not so {tmp_path}"
    with pytest.raises(CactiError, match=f"^{re.escape(line)}$"):
        cacti_sources(tmp_path)


def test_the_sources_know_their_version(tmp_path: Path) -> None:
    package, metadata = (
        tmp_path / "hwcomponents_cacti",
        tmp_path / "hwcomponents_cacti-9.8.7.dist-info",
    )
    (package / "cacti").mkdir(parents=True)
    (package / "cacti/cacti.mk").touch()
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: hwcomponents-cacti\nVersion: 9.8.7\n")
    assert cacti_sources(package) == (package / "cacti", "hwcomponents-cacti 9.8.7")


def test_the_tables_text_is_json_with_a_line_for_each_macro() -> None:
    table = Path(__file__).parents[3] / "sim/cost/sram_macros.json"
    text = table.read_text(encoding="utf-8")
    macros = json.loads(text)["macros"]
    assert len(macros) == text.count('{"cells": ') - 3 == 72
