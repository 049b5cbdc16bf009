"""Concatenations: tensors that consist of the channels of others."""

from dataclasses import dataclass

from sim.spec.tensors import NAME, TensorSpec

__all__ = ["Concatenation", "require_parts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Concatenation:
    """A tensor of the channels of others, its parts; nothing is computed.

    Parameters
    ----------
    name : str
    parts : tuple of str
        Names of the tensors, two or more, in the order of their channels: outputs of layers, or other
        concatenations. No tensor is a part of two.
    output : TensorSpec
        ``output.name == name``; quantized as all parts are.
    starts : tuple of int
        First channel of each part, where channels of no part lie between them; without it parts lie side
        by side. A network as it is given has none: the mapper lays parts out in whole vectors.
    """

    name: str
    parts: tuple[str, ...]
    output: TensorSpec
    starts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check what can be checked without the parts."""
        NAME.require(self.name, "name of a concatenation")
        if self.output.name != self.name:
            raise ValueError(f"output of concatenation {self.name!r} must bear its name")
        if len(self.parts) < 2:
            raise ValueError(
                f"concatenation {self.name!r} must have 2 parts or more, not {len(self.parts)}"
            )
        if self.starts and len(self.starts) != len(self.parts):
            raise ValueError(f"starts of concatenation {self.name!r} must be one for each part")


def require_parts(joint: Concatenation, parts: list[TensorSpec]) -> None:
    """Check a concatenation against its parts.

    Raises
    ------
    ValueError
        If sizes, channels or quantization do not fit together.
    """
    out = joint.output
    for part in parts:
        if (part.height, part.width) != (out.height, out.width):
            size, given = (out.height, out.width), (part.height, part.width)
            rule = f"must have its size {size}, not {given}"
            raise ValueError(f"part {part.name!r} of concatenation {joint.name!r} {rule}")
        if (part.scale, part.zero_point) != (out.scale, out.zero_point):
            rule = "must be quantized as it is"
            raise ValueError(f"part {part.name!r} of concatenation {joint.name!r} {rule}")
    if joint.starts:
        ends = [start + part.channels for start, part in zip(joint.starts, parts, strict=True)]
        if any(start < end for start, end in zip(joint.starts, [0, *ends[:-1]], strict=True)):
            raise ValueError(f"starts of concatenation {joint.name!r} must rise from part to part")
        channels = ends[-1]
    else:
        channels = sum(part.channels for part in parts)
    if out.channels != channels:
        rule = f"must have {channels} channels, those of its parts, not {out.channels}"
        raise ValueError(f"concatenation {joint.name!r} {rule}")
