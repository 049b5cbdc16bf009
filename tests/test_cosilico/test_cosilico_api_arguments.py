"""Arguments of the public API: each is refused in a line that names it."""

import functools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cosilico
from sim.spec.errors import CosilicoError
from sim.spec.memory_record import MEMORY_NAMES

COUNT = "must be a positive integer"
SEED = "must be an integer from 0 to 2147483647"
WRONG_COUNTS = ((1.5, TypeError), ("2", TypeError), (None, TypeError), (True, TypeError),
                (0, ValueError), (-1, ValueError))  # fmt: skip
WRONG_SEEDS = ((-1, ValueError), (2**31, ValueError), ("a", TypeError), (None, TypeError))
API: Any = cosilico  # its wrong use is what is tested

CALLS: dict[str, tuple[Callable[[Any], object], ...]] = {
    "images": (
        lambda value: API.predict("ds_cnn", "tiny", images=value),
        lambda value: API.check("ds_cnn", "tiny", images=value),
        lambda value: API.generate("ds_cnn", "tiny", out="absent", images=value),
    ),
    "batch": (lambda value: API.simulate("ds_cnn", "tiny", batch=value),),
    "jobs": (
        lambda value: API.enumerate("ds_cnn", jobs=value),
        lambda value: API.predict_many("ds_cnn", ["tiny"], jobs=value),
    ),
    "seed": (
        lambda value: API.predict("ds_cnn", "tiny", seed=value),
        lambda value: API.predict_many("ds_cnn", ["tiny"], seed=value),
        lambda value: API.load_network("ds_cnn", seed=value),
        lambda value: API.generate("ds_cnn", "tiny", out="absent", seed=value),
        lambda value: API.simulate("ds_cnn", "tiny", seed=value),
        lambda value: API.search("absent.toml", seed=value),
        lambda value: API.search_accelerator("ds_cnn", seed=value),
    ),
}


@pytest.mark.parametrize(
    ("name", "value", "error", "rule"),
    [
        *((name, *case, COUNT) for name in ("images", "batch", "jobs") for case in WRONG_COUNTS),
        *(("seed", *case, SEED) for case in WRONG_SEEDS),
    ],
)
def test_a_wrong_integer_is_refused(
    name: str, value: object, error: type[Exception], rule: str
) -> None:
    for call in CALLS[name]:
        with pytest.raises(error, match=f"^{re.escape(f'{name} {rule}, not {value!r}')}$"):
            call(value)


@functools.cache
def costs_of_the_default() -> Any:
    return API.predict_many("ds_cnn", ["tiny"])


@pytest.mark.parametrize(
    ("call", "error", "line"),
    [
        (lambda: API.simulate("ds_cnn", "tiny", images=0), ValueError, f"images {COUNT}, not 0"),
        (lambda: API.simulate("ds_cnn", "tiny", stall_seed="a"), TypeError,
         f"stall_seed {SEED}, not 'a'"),
        (lambda: API.simulate("ds_cnn", "tiny", view="x"), ValueError,
         "view must be synthesis or simulation, not 'x'"),
        (lambda: API.predict("ds_cnn", "tiny", memory="x"), CosilicoError,
         f"memory must be {', '.join(MEMORY_NAMES)}, a .toml file or values as "
         "latency=40,outstanding=4, not 'x'"),
        (lambda: API.enumerate("ds_cnn", memory="dram"), CosilicoError,
         "memory must have a fixed latency where many accelerators are compared, not lpddr4-3200"),
        (lambda: API.predict("ds_cnn", "tiny", memory=1), TypeError,
         "memory must be a memory or its text, not 1"),
        (lambda: API.predict("ds_cnn", "tiny", calibration=1), TypeError,
         "calibration must be a path, not 1"),
        (lambda: costs_of_the_default().best("1"), TypeError, "area_budget_mm2 must be a number, not '1'"),
        (lambda: costs_of_the_default().best(float("nan")), ValueError, "area_budget_mm2 must be a number, not nan"),
        (lambda: API.load_network(5), TypeError,
         "network must be a network, its name or its path, not 5"),
        (lambda: API.load_accelerator(5), TypeError,
         "accelerator must be an accelerator, its name or its path, not 5"),
        (lambda: API.load_space(["x"]), TypeError,
         "space must be a hardware space or its name, not ['x']"),
        (lambda: API.load_design(5), TypeError, "path must be a path, not 5"),
        (lambda: API.save_design(5, "x"), TypeError, "design must be a Design, not 5"),
        (lambda: API.import_network(5), TypeError, "model must be a path, not 5"),
        (lambda: API.import_network("m.pt2", "x.npz", ranges="all"), ValueError,
         "ranges must be one of min_max, percentile, mse, not 'all'"),
        (lambda: API.search(5), TypeError, "experiment must be a path, not 5"),
        (lambda: API.search("x.toml", 5), TypeError, "out must be a path, not 5"),
        (lambda: API.generate("ds_cnn", "tiny", out=5), TypeError, "out must be a path, not 5"),
        (
            lambda: API.generate("ds_cnn", "tiny", out="absent", testbench="vhdl"),
            ValueError,
            "testbench must be none or verilog or cocotb, not 'vhdl'",
        ),
        (lambda: API.predict_many("ds_cnn", "tiny"), TypeError,
         "accelerators must be a sequence that is not empty, not 'tiny'"),
        (lambda: API.predict_many("ds_cnn", 5), TypeError,
         "accelerators must be a sequence that is not empty, not 5"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_refused(
    call: Callable[[], object], error: type[Exception], line: str
) -> None:
    with pytest.raises(error, match=f"^{re.escape(line)}$"):
        call()


def test_an_integer_of_numpy_is_an_integer() -> None:
    run = API.predict("ds_cnn", "tiny", images=np.int64(2), seed=np.int64(1))
    assert type(run.images) is int
    assert run.to_json() == API.predict("ds_cnn", "tiny", images=2, seed=1).to_json()


def test_the_rows_of_many_costs_are_iterated() -> None:
    costs = API.predict_many("ds_cnn", ["tiny", "edge"])
    assert list(costs) == costs.rows()
    assert len(list(costs)) == 2
