"""Labels of a comparison's contenders."""

from collections.abc import Sequence

from sim.spec.errors import CosilicoError

__all__ = ["require_different"]


def require_different(labels: Sequence[str]) -> None:
    """Raise ``CosilicoError`` if a strategy is named twice."""
    if len(set(labels)) < len(labels):
        raise CosilicoError(f"strategies must be different ones, not {', '.join(labels)!r}")
