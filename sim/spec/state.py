"""States: tensors that a run finds as the run before has left them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.spec.concatenation import Concatenation, PixelPlace
from sim.spec.tensors import NAME, TensorSpec

__all__ = ["State", "require_next"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """A tensor whose values are those that another tensor had in the run before.

    In external memory both lie at the same place: the layer that makes ``next`` stores to where the state lies, after all
    layers that read the state.

    Parameters
    ----------
    name : str
    next : str
        Layer whose output the state is in the next run; its channels lie side by side.
    output : TensorSpec
        ``output.name == name``; of the shape and quantization of ``next``.
    initial : int8[height, width, channels]
        Values in the first run.
    """

    name: str
    next: str
    output: TensorSpec
    initial: NDArray[np.int8]

    def __post_init__(self) -> None:
        """Check what can be checked without the layer."""
        NAME.require(self.name, "name of a state")
        if self.output.name != self.name:
            raise ValueError(f"output of state {self.name!r} must bear its name")
        if self.initial.dtype != np.int8 or self.initial.shape != self.output.shape:
            given = f"{self.initial.dtype}{list(self.initial.shape)}"
            rule = f"must be int8{list(self.output.shape)}, not {given}"
            raise ValueError(f"initial of state {self.name!r} {rule}")

    @property
    def place(self) -> Concatenation:
        """Return the state as a mosaic of one part: ``next`` is stored into it."""
        return Concatenation(
            name=self.name, parts=(self.next,), output=self.output, pixels=(PixelPlace(),)
        )


def require_next(state: State, made: TensorSpec, segments: tuple[int, ...]) -> None:
    """Check a state against the tensor that it is in the next run, which lies in ``segments`` of channels.

    Raises
    ------
    ValueError
        If shapes or quantization differ, or channels do not lie side by side.
    """
    what = f"next of state {state.name!r}"
    if made.shape != state.output.shape:
        raise ValueError(f"{what} must have its shape {state.output.shape}, not {made.shape}")
    if (made.scale, made.zero_point) != (state.output.scale, state.output.zero_point):
        raise ValueError(f"{what} must be quantized as it is")
    if len(segments) > 1:
        raise ValueError(f"{what} must not consist of concatenated parts, as {made.name!r} does")
