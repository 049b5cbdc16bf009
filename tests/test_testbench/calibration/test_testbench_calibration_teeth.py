"""A deeper pipeline in a copy of the gateware: refused as stale, recalibrated, exact again."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hwgen
import sim

ROOT = Path(sim.__path__[0]).parent

EDITS = {
    # A further register between the EXECUTE unit and the PEs: all that EXECUTE does is a cycle later
    "accelerator.py": (
        (
            "        wiring.connect(m, execute.control, grid.control)\n",
            "        for name in execute.control.signature.members:\n"
            "            m.d.sync += getattr(grid.control, name).eq(getattr(execute.control, name))\n",
        ),
    ),
    "execute/unit.py": (
        ("self.done.eq(stores.done)", 'self.done.eq(delay(m, stores.done, 1, "late_done"))'),
        (
            "self.done_post.eq(stores.done_post)",
            'self.done_post.eq(delay(m, stores.done_post, 1, "late_post"))',
        ),
        (
            "down = stores.finishing & (stores.finishing_half == half)",
            "down = delay(\n"
            "                m, stores.finishing & (stores.finishing_half == half), 1, f'down_{half}'\n"
            "            )",
        ),
    ),
    # Fewer reads in flight
    "transfer/load.py": (("OUTSTANDING: ClassVar[int] = 8", "OUTSTANDING: ClassVar[int] = 4"),),
}
"""File of the gateware, and what is replaced in it by what."""

SCRIPT = """
import json
from pathlib import Path

import hwgen
from hwgen.gateware_hash import gateware_hash
from sim.timing import calibration
from sim.spec.errors import StaleCalibrationError
from sim.spec.spaces import TINY
from testbench.calibration.microbenchmarks import calibrate
from testbench.cases.random_networks import draw_cases
from testbench.validation.random_pairs import run_case

shipped = calibration.default()
try:
    shipped.require_hash(gateware_hash())
    refusal = ""
except StaleCalibrationError as error:
    refusal = str(error)
measured = calibrate(held_out=2).calibration
# Behind the held-out networks, on their accelerator, so that it is built once.
case = draw_cases(3, TINY, 0)[2]
before = run_case(case, calibration=shipped)
after = run_case(case, calibration=measured)
print(json.dumps({
    "gateware": str(Path(next(iter(hwgen.__path__))).parent),
    "refusal": refusal,
    "current": measured.gateware_hash == gateware_hash(),
    "changed": {
        name: [value, measured.constants[name]]
        for name, value in shipped.constants.items()
        if measured.constants[name] != value
    },
    "bits": before.bit_differences + after.bit_differences,
    "descriptors": after.descriptors,
    "before": before.timing_differences,
    "after": after.timing_differences,
}))
"""


@pytest.fixture(scope="module")
def deeper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the gateware with the edits made."""
    root = tmp_path_factory.mktemp("deeper")
    shutil.copytree(next(iter(hwgen.__path__)), root / "hwgen")
    for name, edits in EDITS.items():
        path = root / "hwgen" / "gateware" / name
        text = path.read_text()
        for old, new in edits:
            assert text.count(old) == 1, f"{name} does not have {old!r} once"
            text = text.replace(old, new)
        path.write_text(text)
    return root


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.long
def test_a_changed_pipeline_is_refused_recalibrated_and_exact_again(deeper: Path) -> None:
    environment = os.environ | {"PYTHONPATH": f"{deeper}{os.pathsep}{ROOT}"}
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=deeper,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    report = json.loads(result.stdout.splitlines()[-1])
    assert report["gateware"] == str(deeper)
    assert report["refusal"].endswith("run cosilico calibrate")
    assert report["current"]
    later = {name: now - was for name, (was, now) in report["changed"].items()}
    drains = {f"drain_{op}": 1 for op in ("conv", "depthwise", "add", "pool")}
    assert later == drains | {"read_bursts": -4}
    assert report["bits"] == 0
    assert report["before"] > 0
    assert report["after"] == 0 < report["descriptors"]
