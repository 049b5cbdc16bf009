"""Accelerators by name and from files."""

import json
import re
from pathlib import Path

import pytest

from cosilico.accelerators import accelerator_argument, named_space
from sim.spec.errors import CosilicoError
from sim.spec.rules import shown
from sim.spec.spaces import EDGE, NAHAS, TINY


def test_a_spaces_name_is_its_default() -> None:
    assert accelerator_argument("edge") == EDGE.default
    assert accelerator_argument("tiny") == TINY.default
    assert named_space("edge") is EDGE
    assert named_space("nahas") is NAHAS


@pytest.mark.parametrize("wrap", [False, True])
def test_reads_fields_or_a_design(tmp_path: Path, wrap: bool) -> None:
    path = tmp_path / "a.json"
    fields = TINY.at(77).to_json()
    path.write_text(json.dumps({"accelerator": fields, "schema": 1} if wrap else fields))
    assert accelerator_argument(str(path)) == TINY.at(77)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "accelerator file {path} is not JSON: "),
        ("[]", "accelerator must be an object, not []"),
        ('{"lanes": 1}', "accelerator has no field 'lanes'"),
        (
            json.dumps(TINY.default.to_json())[:-1] + ', "pes_x": 2}',
            "accelerator file {path} must give 'pes_x' once",
        ),
        (None, "accelerator file {path} cannot be read: No such file or directory"),
    ],
)
def test_says_what_is_wrong_with_a_file(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CosilicoError, match="^" + re.escape(message.format(path=path))):
        accelerator_argument(str(path))


@pytest.mark.parametrize("name", TINY.default.to_json())
@pytest.mark.parametrize(
    "value", [0, -1, 1 << 32, True, "2", None, [2], 10**30, float("1e308"), "x" * 1000]
)
def test_every_field_has_a_type_and_a_range(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(TINY.default.to_json() | {name: value}))
    rule = "an integer in 1 … 4294967295"
    if name == "io_bandwidth_gbps":
        rule = "a number in 0.001 … 1000000.0"
    message = f"accelerator.{name} must be {rule}, not {shown(value)}"
    with pytest.raises(CosilicoError, match=f"^{re.escape(message)}$"):
        accelerator_argument(str(path))


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    message = r"^accelerator must be one of tiny, edge, nahas, or a JSON file, not 'huge'$"
    with pytest.raises(CosilicoError, match=message):
        accelerator_argument("huge")
    message = r"^space must be one of tiny, edge, nahas, or a TOML file, not 'huge'$"
    with pytest.raises(CosilicoError, match=message):
        named_space("huge")
