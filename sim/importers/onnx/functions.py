"""Functions of real numbers in single precision, with the bits that onnxruntime's kernels give.

Its sigmoid and hyperbolic tangent are quotients of polynomials, those of Eigen, whose products and sums
are fused on processors that fuse them; its exponential function is Eigen's, too, which does not. Where a
tensor's size is no multiple of four, the last values have the C library's exponential instead, so that
functions of it have two forms here.

All take and return float32[forms, 256]: a row for each form that a value may have.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Function",
    "Reals",
    "celu",
    "elu",
    "hard_sigmoid",
    "hard_swish",
    "leaky_relu",
    "prelu",
    "sigmoid",
    "tanh",
]

Reals = NDArray[np.float32]
Function = Callable[[Reals], Reals]

_F = np.float32

_SIGMOID_REACH = _F(18)
_SIGMOID_ABOVE = (4.37031012579801e-11, 1.15627324459942e-07, 6.08574864600143e-05, 8.51377133304701e-03,
                  2.48287947061529e-01)  # fmt: skip
_SIGMOID_BELOW = (6.10247389755681e-13, 5.76102136993427e-09, 6.29106785017040e-06, 1.70198817374094e-03,
                  1.16817656904453e-01, 9.93151921023180e-01)  # fmt: skip

_TANH_REACH = _F(9)
_TANH_ABOVE = (-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08,
               1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03)  # fmt: skip
_TANH_BELOW = (
    1.19825839466702e-06,
    1.18534705686654e-04,
    2.26843463243900e-03,
    4.89352518554385e-03,
)

_EXP_ENDS = (_F(-104), _F(88.723))
_LOG2_E = _F(1.44269504088896341)
_LN_2_PARTS = (_F(-0.693359375), _F(2.12194440e-4))
_EXP_EVEN = (_F(1.37449637986719608306884765625e-3), _F(4.166965186595916748046875e-2),
             _F(0.49999988079071044921875))  # fmt: skip
_EXP_ODD = (_F(8.36894474923610687255859375e-3), _F(0.16666518151760101318359375))


def sigmoid(x: Reals) -> Reals:
    """1 / (1 + exp(-x))."""
    quotient = _quotient(x, _SIGMOID_REACH, _SIGMOID_ABOVE, _SIGMOID_BELOW)
    result: Reals = (quotient + _F(0.5)).clip(_F(0), _F(1))
    return result


def tanh(x: Reals) -> Reals:
    """Hyperbolic tangent."""
    return _quotient(x, _TANH_REACH, _TANH_ABOVE, _TANH_BELOW)


def hard_sigmoid(x: Reals, alpha: float, beta: float) -> Reals:
    """Return alpha · x + beta between 0 and 1."""
    result: Reals = (_F(alpha) * x + _F(beta)).clip(_F(0), _F(1))
    return result


def hard_swish(x: Reals) -> Reals:
    """Return x times its hard sigmoid of 1/6 and 1/2."""
    return x * hard_sigmoid(x, 1 / 6, 0.5)


def leaky_relu(x: Reals, alpha: float) -> Reals:
    """Return x from 0 on, alpha · x below."""
    return np.where(x >= 0, x, _F(alpha) * x)


def prelu(x: Reals, slope: float) -> Reals:
    """Return x above 0, slope · x elsewhere."""
    return np.where(x > 0, x, x * _F(slope))


def elu(x: Reals, alpha: float) -> Reals:
    """Return x from 0 on, alpha · (exp(x) - 1) below, in both forms of the exponential function."""
    forms = [np.where(x >= 0, x, _F(alpha) * (power - _F(1))) for power in _exponentials(x)]
    return np.concatenate(forms)


def celu(x: Reals, alpha: float) -> Reals:
    """Return max(0, x) + min(0, alpha · (exp(x / alpha) - 1)), in both forms of the exponential function."""
    forms = [
        np.maximum(x, _F(0)) + np.minimum(_F(alpha) * (power - _F(1)), _F(0))
        for power in _exponentials(x / _F(alpha))
    ]
    return np.concatenate(forms)


def _quotient(
    x: Reals, reach: np.float32, above: tuple[float, ...], below: tuple[float, ...]
) -> Reals:
    """Return x · p(x²) / q(x²) of numbers clamped to ``reach``; coefficients of the highest powers first."""
    inner = x.clip(-reach, reach)
    square = inner * inner
    result: Reals = _polynomial(square, above) * inner / _polynomial(square, below)
    return result


def _polynomial(x: Reals, coefficients: tuple[float, ...]) -> Reals:
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = _fused(total, x, _F(coefficient))
    return total


def _fused(a: Reals, b: Reals, c: np.float32) -> Reals:
    """Return a · b + c, rounded once.

    A product of two float32 is exact in float64. The sum's float64, if rounded, is made the one of its
    two neighbours that is odd, which no second rounding takes for a tie.
    """
    product = a.astype(np.float64) * b.astype(np.float64)
    total = product + np.float64(c)
    part = total - product
    error = (product - (total - part)) + (np.float64(c) - part)
    even = total.view(np.int64) & 1 == 0
    beyond = np.nextafter(total, np.where(error > 0, np.inf, -np.inf))
    result: Reals = np.where((error != 0) & even, beyond, total).astype(np.float32)
    return result


def _exponentials(x: Reals) -> tuple[Reals, Reals]:
    """Exponential function of vectors, and that of single numbers, which is rounded correctly."""
    with np.errstate(over="ignore"):  # what is infinite is refused where it is a result
        return _vector_exp(x), np.exp(x.astype(np.float64)).astype(np.float32)


def _vector_exp(x: Reals) -> Reals:
    """2^m · exp(r) with a polynomial in r, -ln(2)/2 … ln(2)/2; every product and sum is rounded."""
    inner = x.clip(*_EXP_ENDS)
    power = np.floor(inner * _LOG2_E + _F(0.5))
    rest = power * _LN_2_PARTS[0] + inner
    rest = power * _LN_2_PARTS[1] + rest
    square = rest * rest
    even = square * (square * _EXP_EVEN[0] + _EXP_EVEN[1]) + _EXP_EVEN[2]
    odd = square * _EXP_ODD[0] + _EXP_ODD[1]
    part = square * (rest * odd + even) + (rest + _F(1))
    result: Reals = np.ldexp(part, power.astype(np.int32)).astype(np.float32)
    return result
