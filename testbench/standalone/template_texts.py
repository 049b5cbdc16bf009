"""Texts of this room's templates."""

from importlib import resources

__all__ = ["template"]


def template(name: str) -> str:
    """Return a template's text."""
    folder = resources.files("testbench.standalone") / "templates"
    return (folder / name).read_text(encoding="utf-8")
