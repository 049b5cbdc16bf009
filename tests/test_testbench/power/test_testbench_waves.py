"""Waveforms: values at the end of every cycle, as registers take them."""

from pathlib import Path

import pytest

from sim.spec.errors import CosilicoError
from testbench.power.waves import read_waves, wave_paths

TEXT = """$timescale 1ns $end
 $scope module TOP $end
  $var wire 1 ! clk $end
  $scope module design $end
   $var wire 1 ! clk $end
   $var wire 4 " value [3:0] $end
   $scope module below $end
    $var wire 1 # taken $end
    $var wire 4 " shown [3:0] $end
   $upscope $end
  $upscope $end
 $upscope $end
$enddefinitions $end
#0
0!
b0101 "
0#
#1
1!
1#
#2
0!
b1100 "
#3
1!
0#
#4
0!
#5
1!
b0001 "
"""


@pytest.fixture
def waves(tmp_path: Path) -> Path:
    """File of three cycles."""
    path = tmp_path / "waves.vcd"
    path.write_text(TEXT)
    return path


def test_a_value_is_that_before_the_clock_rises(waves: Path) -> None:
    read = read_waves(waves, ["design.value", "design.below.taken", "design.none"])
    assert read.cycles == 3
    # What changes with the rising clock belongs to the next cycle
    assert read.changes["design.value"] == [(0, 0b0101), (1, 0b1100)]
    assert read.bits("design.value").tolist() == [[1, 0, 1, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    assert read.bits("design.below.taken").tolist() == [[0], [1], [0]]
    assert set(read.changes) == {"design.value", "design.below.taken"}


def test_two_names_of_a_signal_have_the_same_values(waves: Path) -> None:
    read = read_waves(waves, ["design.value", "design.below.shown"])
    assert read.changes["design.value"] == read.changes["design.below.shown"]
    assert read.widths["design.below.shown"] == 4


def test_paths_are_those_below_the_outermost_scope(waves: Path) -> None:
    assert wave_paths(waves) == [
        "clk",
        "design.clk",
        "design.value",
        "design.below.taken",
        "design.below.shown",
    ]


def test_a_file_without_a_clock_is_refused(waves: Path, tmp_path: Path) -> None:
    with pytest.raises(
        CosilicoError, match=r"^waveforms .*waves\.vcd must have the signal 'tick'$"
    ):
        read_waves(waves, [], clock="tick")
    with pytest.raises(CosilicoError, match=r"^waveforms .*none\.vcd: No such file or directory$"):
        read_waves(tmp_path / "none.vcd", [])
