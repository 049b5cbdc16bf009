"""Activation tables: what they must be, in a layer, in a network and in a file."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from accelerators import small_accelerator
from layer_twin import layer_twin
from sim import golden
from sim.realizability import check
from sim.spec.design import Design, load, save
from sim.spec.errors import DesignFileError
from sim.spec.network import ActivationTable, LayerKind, Network
from testbench.cases.random_networks import Stratum, random_network
from testbench.cases.tabled import tabled

VALUES = np.arange(-128, 128)[::-1].astype(np.int8)


def network(kind: LayerKind = LayerKind.CONV, seed: int = 1) -> Network:
    """A network of few channels, each layer of which has a table."""
    stratum = Stratum(kind=kind, kernel=3)
    rng = np.random.default_rng(seed)
    drawn = random_network(stratum, small_accelerator(), rng)
    return tabled(drawn, rng, share=1.0)


@pytest.mark.parametrize("kind", LayerKind)
def test_the_reference_looks_up_what_it_has_clamped(kind: LayerKind) -> None:
    drawn = network(kind)
    x = np.random.default_rng(2).integers(-128, 128, (1, *drawn.input.shape)).astype(np.int8)
    values = golden.run(drawn, x)
    for layer in drawn.layers:
        sources = [drawn.tensors[name] for name in layer.inputs]
        images = [values[name][0].tolist() for name in layer.inputs]
        assert values[layer.name][0].tolist() == layer_twin(layer, sources, images)
        assert layer.table is not None
        plain = replace(
            layer, table=None, output=replace(layer.output, zero_point=layer.result_zero_point)
        )
        before = golden.run_layer(plain, sources, [values[name] for name in layer.inputs])
        assert np.array_equal(layer.table.look_up(before), values[layer.name])


@pytest.mark.parametrize(
    ("values", "zero_point", "line"),
    [
        (VALUES.astype(np.int32), 0, "values of a table must be int8, not int32"),
        (VALUES[1:], 0, "values of a table must have shape (256,), not (255,)"),
        (VALUES, 128, "zero_point of a table must be an integer in -128 … 127, not 128"),
    ],
)
def test_a_table_is_256_int8(values: np.ndarray, zero_point: int, line: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        ActivationTable(values=values, zero_point=zero_point)


def test_a_pool_gives_its_table_what_it_reads() -> None:
    drawn = network(LayerKind.MAX_POOL)
    (layer,) = (layer for layer in drawn.layers if layer.kind is LayerKind.MAX_POOL)
    assert layer.table is not None
    wrong = layer.table.zero_point - 1 if layer.table.zero_point > 0 else layer.table.zero_point + 1
    others = tuple(
        replace(each, table=replace(layer.table, zero_point=wrong)) if each is layer else each
        for each in drawn.layers
    )
    rule = f"must be its input's {layer.table.zero_point}, not {wrong}"
    line = f"zero_point of the table of {layer.name!r} {rule}"
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        replace(drawn, layers=others)


def test_an_accelerator_without_tables_is_refused_by_name() -> None:
    drawn, config = network(), small_accelerator()
    (violation,) = check(config, drawn)
    assert violation.code == "MAP_TABLE"
    name = drawn.layers[0].name
    assert violation.detail == f"layer {name!r} needs an accelerator with activation_table 1, not 0"
    assert violation.excess > 0
    assert check(replace(config, activation_table=1), drawn) == []


def test_tables_are_read_from_the_files_that_they_are_written_to(tmp_path: Path) -> None:
    drawn = network()
    config = replace(small_accelerator(), activation_table=1)
    path = tmp_path / "design.json"
    save(Design(network=drawn, accelerator=config), path)
    read = load(path)
    assert read.accelerator == config
    for layer, same in zip(drawn.layers, read.network.layers, strict=True):
        assert layer.table is not None
        assert same.table is not None
        assert np.array_equal(layer.table.values, same.table.values)
        assert layer.table.zero_point == same.table.zero_point
    document = json.loads(path.read_text())
    name = document["network"]["layers"][0]["name"]
    del document["network"]["layers"][0]["table"]
    path.write_text(json.dumps(document))
    line = f"array {name}.table needs the layer's field of that name"
    with pytest.raises(DesignFileError, match=f"^{re.escape(line)}$"):
        load(path)
    document["network"]["layers"][0]["table"] = {"zero_point": 0, "scale": 1}
    path.write_text(json.dumps(document))
    with pytest.raises(
        DesignFileError, match=r"^network\.layers\[0\]\.table has no field 'scale'$"
    ):
        load(path)
