"""The examples of the cocotb bench run, and show every public method."""

import importlib
import inspect
import pkgutil
import re
import runpy
import sys
from pathlib import Path

import pytest

import testbench.cocotb
from project_root import ROOT

FOLDER = ROOT / "examples" / "cocotb"


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.long
def test_the_examples_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As docs/reference/cocotb.md runs them."""
    monkeypatch.setattr(sys, "argv", ["run_benches.py", str(tmp_path)])
    monkeypatch.setattr(sys, "path", [*sys.path])
    main = runpy.run_path(str(FOLDER / "run_benches.py"))["main"]
    assert main() == 0
    said = capsys.readouterr().out
    for name in ("layer_tests", "network_tests"):
        count = (FOLDER / f"{name}.py").read_text().count("@cocotb.test()")
        run = re.search(rf"^{name}: (\d+) tests, 0 failed;", said, re.MULTILINE)
        assert run is not None
        assert int(run[1]) >= count


def public_methods() -> set[str]:
    """Names of the public methods, properties and functions of the bench."""
    names = set()
    for entry in pkgutil.iter_modules(testbench.cocotb.__path__):
        module = importlib.import_module(f"testbench.cocotb.{entry.name}")
        for name in module.__all__:
            item = getattr(module, name)
            if inspect.isfunction(item):
                names.add(name)
            if not inspect.isclass(item) or getattr(item, "_is_protocol", False):
                continue
            names |= {
                method
                for method, value in vars(item).items()
                if not method.startswith("_")
                and (inspect.isfunction(value) or isinstance(value, property | classmethod))
            }
    return names


def test_every_public_method_is_in_an_example() -> None:
    texts = "\n".join(path.read_text() for path in sorted(FOLDER.glob("*_tests.py")))
    methods = public_methods()
    assert len(methods) > 30
    missing = sorted(name for name in methods if not re.search(rf"\b{name}\b[^A-Za-z_]", texts))
    assert missing == []
