"""Packages through the public API: which files, in which folder, and what is refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import cosilico
from accelerators import SMALLEST
from standalone_folders import one_layer, several_ends


@pytest.mark.parametrize(
    ("network", "arguments", "line"),
    [
        (False, {}, "package must be False without a network, not True"),
        (True, {"testbench": "cocotb"}, "testbench must be 'none' with package, not 'cocotb'"),
        (True, {"prefix": "acme_"}, "prefix must be 'cosilico_' with package, not 'acme_'"),
        (True, {"single_file": True}, "single_file must be False with package, not True"),
    ],
)
def test_what_a_package_cannot_be_is_refused(
    network: bool, arguments: dict[str, Any], line: str, tmp_path: Path
) -> None:
    source = one_layer() if network else None
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        cosilico.generate(source, SMALLEST, package=True, out=tmp_path / "ip", **arguments)
    assert not (tmp_path / "ip").exists()


def test_the_files_of_a_package_are_told_apart(tmp_path: Path) -> None:
    out = tmp_path / "ip"
    files = cosilico.generate(one_layer(), SMALLEST, package=True, out=out)
    there = {path for path in out.rglob("*") if path.is_file() and ".cosilico" not in path.parts}
    assert set(files.files) == there
    assert len(files.files) == len(there)
    assert files.file_list == out / "rtl" / "cosilico.f"
    listed = files.file_list.read_text().split()
    assert [path.name for path in files.verilog] == listed
    assert files.program == out / "sw" / "program.bin"
    assert {path.relative_to(out).parts[0] for path in files.testbench} == {"sim"}
    assert files.package[-1] == out / "package.json"
    document = files.to_json()
    assert document["program"]["memory_bytes"] == files.program.stat().st_size
    with pytest.raises(cosilico.CosilicoError, match=r"^out must be a folder that is absent "):
        cosilico.generate(one_layer(), SMALLEST, package=True, out=out)
    (out / "sw" / "own.c").write_text("mine")
    again = cosilico.generate(one_layer(), SMALLEST, package=True, trace=False, out=out, force=True)
    assert (out / "sw" / "own.c").read_text() == "mine"
    assert not (out / "sim" / "testbench.v").exists()
    assert set(again.files) < there


def test_a_package_names_all_inputs_and_outputs(tmp_path: Path) -> None:
    out = tmp_path / "ip"
    cosilico.generate(several_ends(), SMALLEST, package=True, out=out)
    manifest = json.loads((out / "sw" / "program.json").read_text())
    assert list(manifest["inputs"]) == ["a", "b"]
    assert list(manifest["outputs"]) == ["mean", "b_seen", "both"]
    page = (out / "docs" / "memory_map.md").read_text()
    assert "The input b: 3 rows of 2 pixels of 5 channels" in page
    assert "The output both: 3 rows of 2 pixels of 9 channels" in page
    assert re.search(r"int8; channels lie at 0 … 2, \d+ … \d+\.", page)
    readme = (out / "README.md").read_text()
    assert "cosilico_write_further(&device, 0, 0, further_0); /* b: int8 [3][2][5] */" in readme
    assert "cosilico_read_further(&device, 1, 0, result_2); /* both: int8 [3][2][9] */" in readme
