"""The project's folder, wherever the test that asks lies."""

from pathlib import Path

__all__ = ["ROOT"]

ROOT = next(
    folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").is_file()
)
"""Folder of ``pyproject.toml``."""
