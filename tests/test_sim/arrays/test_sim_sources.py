"""A kernel's code has the same digest until code that it is made of changes."""

import shutil
from pathlib import Path

import pytest

import sim
from sim.arrays.sources import code_digest

MAPPER = "sim.mapping.mapper"
ROOT = Path(sim.__path__[0]).resolve()


def changed(folder: Path, file: str, before: str, after: str) -> str:
    """Return the mapper's digest in a copy of the package with another text in a file."""
    copy = folder / "sim"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("__pycache__"))
    path = copy / file
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    return code_digest(MAPPER, copy)


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("importers/tflite/reader.py", "import", "# a comment\nimport"),
        ("importers/tflite/reader.py", "import", "LIMIT = 3\nimport"),
        ("spec/documents.py", "import", "# a comment\n\nimport"),
        ("mapping/mapper.py", "import numpy", "# a comment\nimport numpy"),
        ("mapping/mapper.py", '"""The mapper', '"""A mapper'),
        ("mapping/mapper.py", '"""Map a network', '"""Maps a network'),
        ("arrays/geometry.py", '"""Largest value', '"""The largest value'),
        ("timing/dram.py", "NEVER = 1 << 30", "NEVER = 1 << 31"),
    ],
)
def test_text_and_other_modules_do_not_change_the_digest(
    tmp_path: Path, file: str, before: str, after: str
) -> None:
    assert changed(tmp_path, file, before, after) == code_digest(MAPPER, ROOT)


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("mapping/mapper.py", "ALIGNMENT_BYTES = 128", "ALIGNMENT_BYTES = 64"),
        ("arrays/geometry.py", "MAX_HALO = 7", "MAX_HALO = 6"),
        ("arrays/geometry.py", "return (a + b - 1) // b", "return (a + b) // b"),
        ("arrays/geometry.py", "return count + east + west", "return west + east + count"),
        ("spec/accelerator.py", "DOT_WIDTH = 4", "DOT_WIDTH = 8"),
    ],
)
def test_code_that_kernels_are_made_of_changes_the_digest(
    tmp_path: Path, file: str, before: str, after: str
) -> None:
    assert changed(tmp_path, file, before, after) != code_digest(MAPPER, ROOT)


def test_imports_are_followed_from_module_to_module(tmp_path: Path) -> None:
    package = tmp_path / "p"
    (package / "q").mkdir(parents=True)
    files = {
        "__init__.py": "",
        "a.py": "from p import b",
        "b.py": "from .q import c\nimport numpy",
        "q/__init__.py": "",
        "q/c.py": "try:\n    from p.d import X\nexcept ImportError:\n    X = 1",
        "d.py": "import p.a\nX = 2",
    }
    for name, text in files.items():
        (package / name).write_text(text)
    twin = tmp_path / "twin" / "p"
    shutil.copytree(package, twin)
    assert code_digest("p.a", twin) == code_digest("p.a", package)
    other = tmp_path / "other" / "p"
    shutil.copytree(package, other)
    (other / "d.py").write_text("import p.a\nX = 3")
    assert code_digest("p.a", other) != code_digest("p.a", package)
