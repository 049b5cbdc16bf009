"""Networks of several inputs: their images, their file, and what is refused of them."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from accelerators import small_accelerator
from sim import golden
from sim.cost.bounds import lower_bounds
from sim.plan import map_network
from sim.spec.design import Design, load, save
from sim.spec.errors import DesignFileError
from sim.spec.inputs import join, split
from sim.spec.network import LayerKind, Network, TensorSpec
from sim.stream import stream_of
from testbench.cases.layers import add, windowed

CONFIG = small_accelerator(1, 2)


def network(name: str = "net", order: tuple[str, str] = ("a", "b")) -> Network:
    """The sum of a convolution of an input and another input."""
    rng = np.random.default_rng(2)
    sources = {
        "a": TensorSpec.of_shape("a", (5, 4, 3), 1.0, 7),
        "b": TensorSpec.of_shape("b", (5, 4, 9), 1.0, -2),
    }
    first = windowed("first", LayerKind.CONV, sources["a"], 1, 1, rng, 9)
    total = add("total", first.output, sources["b"], rng)
    given = [sources[letter] for letter in order]
    return Network(
        name=name, input=given[0], layers=(first, total), further_inputs=tuple(given[1:])
    )


def images(count: int = 3) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.int8]]]:
    rng = np.random.default_rng(4)
    return {
        source.name: rng.integers(-128, 128, (count, *source.shape)).astype(np.int8)
        for source in network().inputs
    }


def test_images_are_the_values_of_one_input_behind_the_other() -> None:
    given = images()
    own = network()
    assert own.image_shape == (5 * 4 * 12,)
    x = join(own.inputs, given)
    assert np.array_equal(x[:, : 5 * 4 * 3], given["a"].reshape(3, -1))
    parts = split(own.inputs, x)
    assert all(np.array_equal(parts[name], values) for name, values in given.items())


def test_the_order_of_inputs_is_nothing_but_an_order() -> None:
    given = images()
    results = []
    for order in (("a", "b"), ("b", "a")):
        own = network(order=order)
        results.append(golden.run(own, join(own.inputs, given))["total"])
    assert np.array_equal(results[0], results[1])


def test_a_file_keeps_all_inputs(tmp_path: Path) -> None:
    design = Design(accelerator=CONFIG, network=network())
    save(design, tmp_path / "design.json")
    assert load(tmp_path / "design.json").network.inputs == design.network.inputs
    text = (tmp_path / "design.json").read_text()
    assert '"version": 3' in text
    (tmp_path / "design.json").write_text(text.replace('"version": 3', '"version": 2'))
    with pytest.raises(
        DesignFileError, match=r"^network\.version must be 3 with further_inputs, not 2$"
    ):
        load(tmp_path / "design.json")


def refused(rule: str, **fields: object) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(rule)}$"):
        replace(network(), **fields)  # type: ignore[arg-type]  # fields by name


def test_refuses_inputs_of_one_name_and_those_that_nothing_reads() -> None:
    own = network()
    third = TensorSpec.of_shape("c", (1, 1, 1), 1.0, 0)
    refused("tensor name 'a' must be unique", further_inputs=(own.input, *own.further_inputs))
    refused(
        "input 'c' of network 'net' must be read by a layer",
        further_inputs=(*own.further_inputs, third),
    )
    refused("output 'b' of network 'net' must be made by layers", outputs=("b",))


def test_refuses_values_that_are_no_images() -> None:
    own, given = network(), images()
    with pytest.raises(
        ValueError, match=r"^x must have shape \(N, \*\(240,\)\), not \(3, 5, 4, 3\)$"
    ):
        golden.run(own, given["a"])
    with pytest.raises(ValueError, match=r"^input 'b' must be given$"):
        join(own.inputs, {"a": given["a"]})
    with pytest.raises(ValueError, match=r"^inputs must be a, b, not c$"):
        join(own.inputs, {**given, "c": given["a"]})
    rule = r"input 'b' must be int8 of shape \(3, 5, 4, 9\), not int8 of shape \(2, 5, 4, 9\)"
    with pytest.raises(ValueError, match=f"^{rule}$"):
        join(own.inputs, {"a": given["a"], "b": given["b"][:2]})


def test_there_is_no_stream_of_several_inputs_and_no_bound() -> None:
    mapped = map_network(CONFIG, network())
    assert mapped.refusal is None
    assert stream_of(mapped) is None
    assert lower_bounds([CONFIG], network()).values["cycles"][0] == 0
