"""Shapes of netlists: the same whatever names and order, different for every change of a cell or a net."""

import copy
from typing import Any

import pytest

from netlist_shapes import shape


def cell(kind: str, /, **pins: int | str) -> dict[str, Any]:
    outputs = {"Y", "Q", "z"}
    return {
        "type": kind,
        "connections": {pin: [bit] for pin, bit in pins.items()},
        "port_directions": {pin: "output" if pin in outputs else "input" for pin in pins},
    }


def netlist() -> dict[str, Any]:
    """Two registers in a loop through gates, and an instance behind them."""
    return {
        "ports": {
            "a": {"direction": "input", "bits": [2]},
            "b": {"direction": "input", "bits": [3]},
            "q": {"direction": "output", "bits": [8]},
        },
        "cells": {
            "and": cell("$_AND_", A=2, B=7, Y=4),
            "mux": cell("$_MUX_", A=4, B=3, S="1", Y=5),
            "first": cell("DFF_X1", D=5, Q=6),
            "second": cell("DFF_X1", D=6, Q=7),
            "unit": cell("unit", x=7, y=6, z=8),
        },
    }


def test_names_order_and_the_inputs_of_a_gate_do_not_count() -> None:
    other = netlist()
    other["cells"] = {f"$1{name}": other["cells"][name] for name in reversed(other["cells"])}
    other["cells"]["$1and"]["connections"] = {"A": [7], "B": [2], "Y": [4]}
    numbers = {bit: 100 - bit for bit in range(2, 9)}
    for pins in [
        *(port for port in other["ports"].values()),
        *(each["connections"] for each in other["cells"].values()),
    ]:
        for name, bits in pins.items():
            if name != "direction":
                pins[name] = [numbers.get(bit, bit) for bit in bits]
    other["cells"]["$1unit"]["type"] = "unit_of_this_design"
    assert shape(netlist(), {}) == shape(other, {"unit_of_this_design": "unit"})
    assert sum(shape(netlist(), {}).values()) == 6


@pytest.mark.parametrize(
    ("name", "pin", "bit"),
    [
        ("and", "A", 3), ("and", "B", 6), ("mux", "S", "0"), ("mux", "A", 3), ("second", "D", 5),
        ("first", "D", 4), ("unit", "x", 6), ("unit", "z", 9),
    ],
)  # fmt: skip
def test_every_net_counts(name: str, pin: str, bit: int | str) -> None:
    other = netlist()
    other["cells"][name]["connections"][pin] = [bit]
    assert shape(other, {}) != shape(netlist(), {})


def test_every_kind_counts() -> None:
    for name in netlist()["cells"]:
        other = copy.deepcopy(netlist())
        other["cells"][name]["type"] += "X"
        if name in ("and", "mux"):
            other["cells"][name]["type"] = "$_OR_" if name == "and" else "$_NMUX_"
        assert shape(other, {}) != shape(netlist(), {})
        del other["cells"][name]
        assert shape(other, {}) != shape(netlist(), {})


def test_gates_without_registers_have_a_shape() -> None:
    ports = {
        "a": {"direction": "input", "bits": [2, 3]},
        "z": {"direction": "output", "bits": [5]},
    }
    shapes = [
        shape(
            {
                "ports": ports,
                "cells": {"x": cell(inner, A=2, B=3, Y=4), "y": cell("$_NOT_", A=4, Y=5)},
            },
            {},
        )
        for inner in ("$_AND_", "$_OR_")
    ]
    assert not shapes[0] & shapes[1]
