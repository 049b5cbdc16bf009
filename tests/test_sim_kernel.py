"""Kernels are compiled once for all integers, whether they are literals where they are called."""

import numpy as np

from sim.kernel import in_place, inlined, kernel


@in_place
def _add(values, n):  # type: ignore[no-untyped-def]  # numba infers the types
    values[0] += n


@inlined
def _add_twice(values, n):  # type: ignore[no-untyped-def]
    _add(values, n)
    _add(values, n)


@kernel
def _count(most):  # type: ignore[no-untyped-def]
    values = np.zeros(1, np.int64)
    n = 0  # a literal at first
    while n < most:
        _add(values, n)
        _add_twice(values, n=1)
        n += 1
    _add(values, 100)
    return values[0]


def test_a_literal_argument_is_an_integer_as_any_other() -> None:
    assert _count(4) == 0 + 1 + 2 + 3 + 2 * 4 + 100
    assert len(_add.signatures) == 1  # type: ignore[attr-defined]
    assert len(_add_twice.signatures) == 1  # type: ignore[attr-defined]
