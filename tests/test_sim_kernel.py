"""Kernels are compiled once for all integers, whether they are literals where they are called."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sim.kernel
from sim.kernel import in_place, inlined, kernel


def test_a_literal_argument_is_an_integer_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A kernel that a run before has left on disk has no callee compiled.
    monkeypatch.setattr(sim.kernel, "_CACHE", str(tmp_path))

    def _add(values, n):  # type: ignore[no-untyped-def]  # numba infers the types
        values[0] += n

    add: Any = in_place(_add)

    def _add_twice(values, n):  # type: ignore[no-untyped-def]  # as above
        add(values, n)
        add(values, n)

    add_twice: Any = inlined(_add_twice)

    def _count(most):  # type: ignore[no-untyped-def]  # as above
        values = np.zeros(1, np.int64)
        n = 0  # a literal at first
        while n < most:
            add(values, n)
            add_twice(values, n=1)
            n += 1
        add(values, 100)
        return values[0]

    assert kernel(_count)(4) == 0 + 1 + 2 + 3 + 2 * 4 + 100
    assert len(add.signatures) == 1
    assert len(add_twice.signatures) == 1
