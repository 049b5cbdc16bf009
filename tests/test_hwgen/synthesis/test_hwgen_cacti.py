"""CACTI makes a sample of the table's macros again, where its sources are installed."""

import json
import os
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

import sram_macros
from hwgen.synthesis.cacti import (
    SETTINGS,
    CactiError,
    MacroRun,
    build_cacti,
    cacti_sources,
    run_macro,
)
from sim.cost.sram_table import Macro, MemoryCells, macro_table

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
    beyond = json.loads(sram_macros.BEYOND.read_text(encoding="utf-8"))
    assert beyond["provenance"]["package"] == origin
    for stated in (beyond["between"][1], beyond["others"][-1]):
        assert own(**stated) == asked(program, **stated)
    with pytest.raises(CactiError, match=r"^CACTI gives no access_ns: ERROR: no valid data array"):
        run_macro(program, width=64, rows=16, ports=2, cells=MemoryCells.HIGH_PERFORMANCE)


@pytest.mark.parametrize(
    "file", [sram_macros.TABLE, sram_macros.BEYOND], ids=lambda file: file.name
)
def test_a_table_says_how_it_was_made(file: Path) -> None:
    provenance = json.loads(file.read_text(encoding="utf-8"))["provenance"]
    assert {name: provenance[name] for name in SETTINGS} == dict(SETTINGS)
    assert re.fullmatch(r"hwcomponents-cacti \d+\.\d+\.\d+", provenance["package"])
    option = " --beyond" if file == sram_macros.BEYOND else ""
    assert provenance["command"] == f"python benchmarks/sram_macros.py{option} --write"
    assert provenance["temperatures"] == "360 K; leakage_uw 300 K"


def test_the_files_have_every_macro_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a CACTI that answers what the files say, the files are written again."""
    table = macro_table()
    beyond = json.loads(sram_macros.BEYOND.read_text(encoding="utf-8"))
    known = dict(table.macros)
    known |= {key(**row): own(**row) for part in ("between", "others") for row in beyond[part]}

    def answer(program: Path, *, width: int, rows: int, ports: int, cells: MemoryCells) -> MacroRun:
        del program
        return MacroRun(macro=known[cells, ports, width, rows], wire=table.wires[cells])

    monkeypatch.setattr(sram_macros, "run_macro", answer)
    texts = {sram_macros.TABLE: sram_macros.table_text, sram_macros.BEYOND: sram_macros.beyond_text}
    for file, text in texts.items():
        written = text(Path("cacti"), table.provenance["package"])
        assert written == file.read_text(encoding="utf-8")


def key(
    cells: str, ports: int, width: int, rows: int, **figures: float
) -> tuple[MemoryCells, int, int, int]:
    del figures
    return MemoryCells(cells), ports, width, rows


def own(cells: str, ports: int, width: int, rows: int, **figures: float) -> Macro:
    """Macro of a file."""
    del cells, ports, width, rows
    return Macro(**figures)


def asked(program: Path, cells: str, ports: int, width: int, rows: int, **figures: float) -> Macro:
    """Macro that CACTI gives for a row of a file."""
    del figures
    run = run_macro(program, width=width, rows=rows, ports=ports, cells=MemoryCells(cells))
    return run.macro


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
