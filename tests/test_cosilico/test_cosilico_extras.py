"""Extras of the installation: the bare wheel predicts and imports, and says what is missing."""

import os
import re
import runpy
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from cosilico.cli import main
from cosilico.extras import EXTRAS, MissingExtraError, missing_extra, require_extra
from project_root import ROOT
from testbench.cases.tflite_models import random_model

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAME = re.compile(r"[A-Za-z0-9_.-]+")


def packages(requirements: list[str]) -> set[str]:
    matches = (NAME.match(text) for text in requirements)
    return {matched[0] for matched in matches if matched is not None}


def test_the_extras_are_those_of_the_project() -> None:
    stated = PROJECT["optional-dependencies"]
    for name, modules in EXTRAS.items():
        assert set(modules.values()) == packages(stated[name])
        assert not set(modules.values()) & packages(PROJECT["dependencies"])
    (everything,) = (text for text in stated["dev"] if text.startswith("cosilico["))
    without_licence = {"nas-bench"}
    tested = set(everything[9:-1].split(","))
    assert (set(EXTRAS) - without_licence) | {"docs", "examples"} == tested


def test_make_installs_all_extras() -> None:
    assert '--editable ".[dev]"' in (ROOT / "Makefile").read_text()


def test_an_absent_package_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "cosilico.extras.find_spec", lambda name: None if name == "pyosys" else find_spec(name)
    )
    line = (
        "cosilico simulate must have the extra rtl: pip install 'cosilico[rtl]', "
        "for package pyosys is not installed"
    )
    with pytest.raises(MissingExtraError, match=f"^{re.escape(line)}$"):
        require_extra("cosilico simulate", "search", "rtl")
    assert main(["simulate", "resnet8", "--accelerator", "tiny"]) == 2
    assert capsys.readouterr().err == f"cosilico: {line}\n"


def test_a_parquet_file_needs_the_extra_of_reports(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("cosilico.extras.find_spec", lambda name: None)
    words = ["enumerate", "ds_cnn", "--space", "tiny", "--out", str(tmp_path / "x.parquet")]
    assert main(words) == 2
    assert capsys.readouterr().err == (
        "cosilico: cosilico enumerate to a .parquet file must have the extra report: "
        "pip install 'cosilico[report]', for package pyarrow is not installed\n"
    )
    assert not any(tmp_path.iterdir())


def test_a_search_needs_its_own_extra_only(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("colour = 3\n")
    others = {module for name in ("rtl", "report") for module in EXTRAS[name]} - set(
        EXTRAS["search"]
    )
    program = (
        bare(others) + 'from cosilico.cli import main\nmain(["search", "wrong.toml", "--out", "s"])'
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "colour" in done.stderr
    assert "must have the extra" not in done.stderr
    assert not (tmp_path / "s").exists()


def test_a_module_belongs_to_an_extra_or_to_none() -> None:
    assert str(missing_extra("x", "matplotlib.figure")) == (
        "x must have the extra report: pip install 'cosilico[report]', "
        "for package matplotlib is not installed"
    )
    assert missing_extra("x", "nonsense") is None


def bare(refused: set[str]) -> str:
    """Beginning of a program that does not see these modules."""
    return f"""
import sys

REFUSED = {sorted(refused)!r}


class Bare:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Bare())
"""


BARE = bare(
    {module for modules in EXTRAS.values() for module in modules}
    | {"pytest", "pandas", "tflite_micro", "onnxruntime", "hypothesis"}
)

COMMANDS = """
import cosilico
from cosilico.cli import main

print(cosilico.__file__)
print(main(["import", "m.tflite", "--out", "net"]), main(["predict", "net", "--accelerator", "tiny"]))
print(main(["check", "design.json"]), main(["predict", "design.json", "--json", "p.json"]))
print(len(cosilico.predict_many("design.json", list(cosilico.load_space("tiny"))[:3])))
for words in (
    ["simulate", "design.json"],
    ["generate", "design.json", "--out", "v"],
    ["validate", "design.json"],
    ["calibrate", "--out", "c.json"],
    ["report", "run"],
    ["search", "x.toml", "--out", "s"],
    ["import", "m.pt2", "--calibration", "x.npz", "--out", "p"],
):
    print(main(words))
for call in (
    lambda: cosilico.simulate("design.json"),
    lambda: cosilico.generate("design.json", out="v"),
    lambda: cosilico.search("x.toml"),
    lambda: cosilico.search_accelerator("design.json"),
    lambda: cosilico.import_network("m.pt2", "x.npz"),
):
    try:
        call()
    except cosilico.CosilicoError as error:
        print(error, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        check=True, cwd=ROOT, capture_output=True,
    )  # fmt: skip
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    runpy.run_path(str(ROOT / "examples" / "handwritten" / "make_weights.py"))["main"](tmp_path)
    (tmp_path / "m.tflite").write_bytes(random_model(5).content)
    return tmp_path


def test_the_bare_wheel_predicts_and_imports(wheel: Path, inputs: Path) -> None:
    site = inputs / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    assert all((site / name / "py.typed").exists() for name in ("cosilico", "sim", "hwgen"))
    done = subprocess.run(
        [sys.executable, "-c", BARE + COMMANDS],
        capture_output=True, text=True, check=False, cwd=inputs,
        env=os.environ | {"PYTHONPATH": str(site)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == str(site / "cosilico" / "__init__.py")
    assert [line for line in lines if re.fullmatch(r"[\d ]+", line)] == (
        ["0 0", "0 0", "3"] + ["2"] * 7
    )
    assert (inputs / "p.json").exists()
    told = [
        ("cosilico simulate", "rtl"),
        ("cosilico generate", "rtl"),
        ("cosilico validate", "rtl"),
        ("cosilico calibrate", "rtl"),
        ("cosilico report", "report"),
        ("cosilico search", "search"),
        ("cosilico import MODEL.pt2", "search"),
        ("simulate", "rtl"),
        ("generate", "rtl"),
        ("search", "search"),
        ("search_accelerator", "search"),
        ("import_network", "search"),
    ]
    assert len(done.stderr.splitlines()) == len(told), done.stderr
    for line, (subject, extra) in zip(done.stderr.splitlines(), told, strict=True):
        expected = f"{subject} must have the extra {extra}: pip install 'cosilico[{extra}]', for "
        assert line.removeprefix("cosilico: ").startswith(expected)


@pytest.mark.long
def test_the_wheel_installs_without_extras_and_predicts(wheel: Path, inputs: Path) -> None:
    venv.create(inputs / "venv", with_pip=True)
    programs = inputs / "venv" / "bin"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    pip = (programs / "python", "-m", "pip", "install", "--quiet", "--no-compile", wheel)
    subprocess.run(pip, check=True, cwd=inputs, env=environment)
    for words in (
        ("import", "m.tflite", "--out", "net"),
        ("predict", "net", "--accelerator", "tiny"),
        ("predict", "design.json"),
    ):
        subprocess.run([programs / "cosilico", *words], check=True, cwd=inputs, env=environment)
    done = subprocess.run(
        [programs / "cosilico", "simulate", "design.json"],
        capture_output=True, text=True, check=False, cwd=inputs, env=environment,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("cosilico: cosilico simulate must have the extra rtl: ")
