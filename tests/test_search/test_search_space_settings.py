"""Hardware spaces from files: what changes, what is refused, and what their budget is."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from cosilico.accelerators import named_space
from search.space_settings import HardwareSpaceSettings, load_space_file
from sim.cost.area import area, area_budget
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.spaces import EDGE, NAHAS, SPACE_NAMES, TINY, HardwareSpace

OWN = """
[hardware]
space = "edge"
name = "narrow"
clock_mhz = 400
area_budget = 12.5
[hardware.values]
pes_x = [2, 4]
io_bandwidth_gbps = [5, 20.0]
[hardware.default]
pes_x = 2
"""


def own(folder: Path, text: str) -> Path:
    path = folder / "space.toml"
    path.write_text(text)
    return path


def test_a_file_changes_what_it_gives(tmp_path: Path) -> None:
    space = load_space_file(own(tmp_path, OWN))
    assert (space.name, space.clock_mhz, space.area_budget) == ("narrow", 400, 12.5)
    assert dict(space.values) == dict(EDGE.values) | {
        "pes_x": (2, 4), "io_bandwidth_gbps": (5.0, 20.0)
    }  # fmt: skip
    assert space.default.to_json() == EDGE.default.to_json() | {"pes_x": 2, "clock_mhz": 400}
    assert len(space) == len(EDGE) * 2 * 2 // (6 * 5) == 76_800
    assert all(config.clock_mhz == 400 for config in (space.at(0), space.at(len(space) - 1)))
    assert space.to_json()["area_budget"] == 12.5
    assert area_budget(space) == 12.5


def test_a_fixed_accelerator_is_the_only_point_with_its_budget(tmp_path: Path) -> None:
    space = load_space_file(own(tmp_path, OWN.replace("[hardware]", "[hardware]\nfixed = true")))
    whole = load_space_file(own(tmp_path, OWN))
    assert list(space) == [whole.default]
    assert space.default == whole.default
    assert (space.name, space.area_budget) == ("narrow", 12.5)
    fixed = HardwareSpaceSettings(fixed=True).hardware_space()
    assert fixed.name == "tiny_fixed"
    assert area_budget(fixed) == area_budget(TINY)


def test_nahas_with_a_weight_store_is_another_space(tmp_path: Path) -> None:
    text = '[hardware]\nspace = "nahas"\n[hardware.values]\nweight_store_kb = [0, 2048]\n'
    space = load_space_file(own(tmp_path, text))
    assert len(space) == 2 * len(NAHAS)
    assert (space.default, space.at(1)) == (
        NAHAS.default,
        replace(NAHAS.at(0), weight_store_kb=2048),
    )


@pytest.mark.parametrize("name", SPACE_NAMES)
def test_a_section_without_changes_is_the_space_itself(name: str) -> None:
    space = HardwareSpaceSettings(space=name).hardware_space()
    assert space is SPACE_NAMES[name]
    assert area_budget(space) == area(space.default).total
    assert "area_budget" not in space.to_json()


def test_the_space_option_takes_a_file(tmp_path: Path) -> None:
    path = own(tmp_path, OWN)
    assert named_space(str(path)).to_json() == load_space_file(path).to_json()
    with pytest.raises(CosilicoError, match=r"^space file .*absent\.toml cannot be read: "):
        named_space(str(tmp_path / "absent.toml"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name = 'a'", "hardware must be given, as a table"),
        ("[hardware]\nspaces = 1", "hardware has no field 'spaces'"),
        ("hardware = 3", "hardware must be an object, not 3"),
        (
            "[hardware.values]\npes_x = []",
            "hardware.values.pes_x must be a rising list of 1 … 64 integers in 1 … 4294967295, not []",
        ),
        (
            "[hardware.values]\npes_x = [1.5]",
            "hardware.values.pes_x must be a rising list of 1 … 64 integers in 1 … 4294967295, "
            "not [1.5]",
        ),
        (
            "[hardware.default]\nsimd_units = 64",
            "hardware.default.simd_units must be one of [4, 8, 16, 32], not 64",
        ),
        (
            "[hardware.default]\nio_bandwidth_gbps = 0.8001\n[hardware.values]\n"
            "io_bandwidth_gbps = [0.8001]",
            "hardware.io_bandwidth_gbps must be a multiple of 0.001, not 0.8001",
        ),
        (
            "[hardware]\nname = 'a b'",
            "hardware.name must be at most 64 letters, digits and underscores, not 'a b'",
        ),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    path = own(tmp_path, text)
    with pytest.raises(DesignFileError, match=f"^{re.escape(f'{path}: {line}')}$"):
        load_space_file(path)


@pytest.mark.parametrize("values", [(), (2, 2), (4, 2)])
def test_a_space_has_rising_values(values: tuple[int, ...]) -> None:
    line = f"values.pes_x must be a rising list, not {list(values)!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        HardwareSpace(
            name="x",
            clock_mhz=200,
            values=dict(TINY.values) | {"pes_x": values},
            default=TINY.default,
        )


def test_a_space_may_have_activation_tables(tmp_path: Path) -> None:
    """As a choice, or in all its accelerators: networks with tables need them."""
    text = "[hardware.values]\nactivation_table = [0, 1]\n"
    space = load_space_file(own(tmp_path, text))
    assert len(space) == 2 * len(TINY)
    assert space.at(1) == replace(TINY.at(0), activation_table=1)
    assert space.default == TINY.default
    space = load_space_file(own(tmp_path, "[hardware.default]\nactivation_table = 1\n"))
    assert len(space) == len(TINY)
    assert space.default == replace(TINY.default, activation_table=1)
    assert {space.at(place).activation_table for place in (0, len(space) - 1)} == {1}
    assert area_budget(space) > area_budget(TINY)
