"""Folders that shadow Cosilico's packages: each is named in a line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from project_root import ROOT

ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True, text=True, check=False, cwd=folder, env=ENVIRONMENT,
    )  # fmt: skip


def line(folder: Path, name: str) -> str:
    place = folder.resolve() / name
    return (
        f"package {Path(name).stem} must be Cosilico's, but {place} shadows it: "
        "run elsewhere or rename the folder"
    )


@pytest.mark.parametrize("name", ["sim", "search", "hwgen", "testbench"])
def test_the_command_says_what_shadows_a_package(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    done = python(tmp_path, "-m", "cosilico", "--version")
    assert done.returncode == 2
    assert done.stderr == f"cosilico: {line(tmp_path, name)}\n"
    assert done.stdout == ""


def test_the_import_says_what_shadows_a_package(tmp_path: Path) -> None:
    (tmp_path / "sim.py").write_text("")
    done = python(tmp_path, "-c", "import cosilico")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"ImportError: {line(tmp_path, 'sim.py')}"


def test_a_folder_that_is_no_package_shadows_nothing(tmp_path: Path) -> None:
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "top.v").write_text("")
    done = python(tmp_path, "-m", "cosilico", "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("cosilico ")
