"""Packages through the public API: which files, in which folder, and what is refused."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import cosilico
from accelerators import SMALLEST
from sim.spec.network import Concatenation, Network
from standalone_folders import one_layer, pooled_network


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


def test_networks_that_the_driver_does_not_know_are_refused(tmp_path: Path) -> None:
    network = pooled_network()
    first = network.layers[0]
    several = replace(network, outputs=(first.name, network.layers[-1].name))
    line = f"network {network.name!r} must have a single output for a package, not 2"
    with pytest.raises(cosilico.CosilicoError, match=f"^{re.escape(line)}$"):
        cosilico.generate(several, SMALLEST, package=True, out=tmp_path / "ip")
    wide = replace(first.output, name="both", channels=2 * first.output.channels)
    twin = replace(first, name="twin", output=replace(first.output, name="twin"))
    both = Concatenation(name="both", parts=(first.name, "twin"), output=wide)
    joined = Network(
        name="joined",
        input=network.input,
        layers=(first, twin),
        concatenations=(both,),
        outputs=("both",),
    )
    line = "output of network 'joined' must be no concatenation for a package, not 'both'"
    with pytest.raises(cosilico.CosilicoError, match=f"^{re.escape(line)}$"):
        cosilico.generate(joined, SMALLEST, package=True, out=tmp_path / "ip")
    assert not (tmp_path / "ip").exists()
