"""Calibration files: every constant has a type and a range, and each fault is one line."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sim.spec.errors import DesignFileError
from sim.spec.rules import Integer, shown
from sim.timing import calibration
from sim.timing.calibration import CONSTANT_RULES, DRAM_RULES, Constant
from sim.timing.dram import MEASURED, PIECES


def document() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(json.dumps(calibration.default().to_json()))
    return parsed


def refused(folder: Path, data: Any, message: str) -> None:
    path = folder / "calibration.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    line = f"calibration file {path}{message}"
    with pytest.raises(DesignFileError, match=f"^{re.escape(line)}$"):
        calibration.load(path)


WRONG: list[Any] = [-1, 0.5, True, None, "x", [], {}, 1e308, 10**12, 10**39]


@pytest.mark.parametrize("value", WRONG, ids=str)
@pytest.mark.parametrize("constant", Constant)
def test_every_constant_has_a_range(tmp_path: Path, constant: Constant, value: Any) -> None:
    name = constant.name.lower()
    data = document()
    data["constants"][name] = value
    rule = CONSTANT_RULES[name]
    refused(tmp_path, data, f": calibration constant {name!r} must be {rule}, not {shown(value)}")


@pytest.mark.parametrize("value", WRONG, ids=str)
@pytest.mark.parametrize("parameter", MEASURED)
def test_every_parameter_of_the_dram_has_a_range(
    tmp_path: Path, parameter: Any, value: Any
) -> None:
    name = parameter.name.lower()
    data = document()
    data["drams"]["lpddr4-3200"]["parameters"][name] = value
    rule = DRAM_RULES[name]
    refused(tmp_path, data, f": calibration parameter {name!r} must be {rule}, not {shown(value)}")


def test_counts_are_at_least_one_and_cycles_may_be_none() -> None:
    counts = {name for name, rule in CONSTANT_RULES.items() if rule == Integer(1, 256)}
    assert counts == {"fetch_depth", "queue_depth", "read_bursts", "write_bursts", "transfers"}
    assert {rule.low for name, rule in CONSTANT_RULES.items() if name not in counts} == {0}


def test_a_refresh_leaves_time_for_accesses(tmp_path: Path) -> None:
    data = document()
    data["drams"]["lpddr4-3200"]["parameters"] |= {"refresh_interval": 2048, "refresh": 513}
    message = (
        ": calibration parameter 'refresh' must be at most a quarter of refresh_interval, 512, "
        "not 513"
    )
    refused(tmp_path, data, message)
    data["drams"]["lpddr4-3200"]["parameters"]["refresh"] = 512
    (tmp_path / "calibration.json").write_text(json.dumps(data))
    assert calibration.load(tmp_path / "calibration.json").drams


def test_a_burst_has_a_piece_for_each_of_its_accesses() -> None:
    """Accesses have 16 bytes at least, and a burst 4 KiB at most, which may begin within an access."""
    assert PIECES >= 4096 // 16 + 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 1}, ": schema must be 2, not 1"),
        ({"constant": {}}, ": calibration has no field 'constant'"),
        ({"constants": []}, ": calibration.constants must be an object, not []"),
        ({"constants": {}}, ": calibration constant 'drain_add' must be given"),
        ({"gateware_hash": 7}, ": calibration.gateware_hash must be 64 hexadecimal digits, not 7"),
        (
            {"simulator": "a\0"},
            r": calibration.simulator must be a name of 1 … 200 printable characters, not 'a\x00'",
        ),
        ({"drams": 3}, ": calibration.drams must be an object, not 3"),
        ({"drams": {"x": 3}}, ": calibration.drams.x must be an object, not 3"),
        ({"drams": {"x": {}}}, ": calibration.drams.x.digest must be given"),
    ],
)
def test_every_field_has_a_type(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    refused(tmp_path, document() | change, message)


def test_fit_figures_have_a_range(tmp_path: Path) -> None:
    for name, value, rule in (
        ("layers", -1, "an integer in 0 … 1000000"),
        ("mean", "x", "a number in 0 … 1"),
        ("worst", 2, "a number in 0 … 1"),
        ("spearman", -1.5, "a number in -1 … 1"),
    ):
        data = document()
        data["drams"]["lpddr4-3200"][name] = value
        message = f": calibration.drams.lpddr4-3200.{name} must be {rule}, not {shown(value)}"
        refused(tmp_path, data, message)


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    text = json.dumps(document())
    refused(
        tmp_path, text.replace('"mean": 0.0', '"mean": NaN'), " must have finite numbers, not NaN"
    )
    huge = text.replace('"token": 1', '"token": 1' + "0" * 4999)
    refused(tmp_path, huge, " must have integers of at most 40 digits, not 5000")
    refused(tmp_path, "[" * 100_000, " must be nested at most 32 deep")
    refused(tmp_path, "[]", ": calibration must be an object, not []")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    message = f"^calibration file {re.escape(str(path))} cannot be read: No such file or directory$"
    with pytest.raises(DesignFileError, match=message):
        calibration.load(path)
