"""Nothing in the packages runs what a file holds: the calls that could are not there."""

import ast
from pathlib import Path

import pytest

from project_root import ROOT

PACKAGES = ("search", "hwgen", "sim", "testbench", "cosilico", "examples", "benchmarks")
MODULES = ("pickle", "cPickle", "dill", "marshal", "shelve", "yaml", "cloudpickle")
"""Modules whose loading runs code."""

CALLS = (
    "eval", "exec", "os.system", "os.popen", "np.load", "numpy.load", "torch.jit.load",
    "torch.package.PackageImporter", "sympy.sympify", "sympify",
)  # fmt: skip
ALLOWED = {
    ("sim/importers/pytorch/conversion.py", "torch.export.load"),
    ("sim/arrays/kernel.py", "pickle"),
    ("search/tasks/array_pickle.py", "pickle"),
    ("search/networks/cell_accuracies.py", "pickle"),
}
"""Calls of what :mod:`sim.importers.pytorch.archive` has cleaned; compiled kernels in the user's own cache.

The reader of CIFAR-10's pickles knows four names, that of NAS-Bench-201's accuracies two, of which none is code from outside its own file.
"""


def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def faults(source: str, path: str) -> list[str]:
    """Calls and imports of a module that could run what a file holds."""
    tree = ast.parse(source)
    named = []
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        named += [
            name
            for name in names
            if name.partition(".")[0] in MODULES and (path, name) not in ALLOWED
        ]
    for name, call in calls(tree):
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if name in CALLS or given.get("shell") == "True" or given.get("allow_pickle") == "True":
            named.append(name)
        if name == "torch.load" and given.get("weights_only") != "True":
            named.append(name)
        if name.endswith("export.load") and (path, name) not in ALLOWED:
            named.append(name)
    return named


def test_the_reader_of_array_pickles_loads_by_its_own_class_alone() -> None:
    path = ROOT / "search" / "tasks" / "array_pickle.py"
    used = [name for name, _ in calls(ast.parse(path.read_text())) if "pickle" in name.lower()]
    assert used == ["_Unpickler(io.BytesIO(content), encoding='latin1').load", "_Unpickler"]


def test_the_reader_of_accuracies_loads_by_its_own_class_alone() -> None:
    path = ROOT / "search" / "networks" / "cell_accuracies.py"
    used = [name for name, _ in calls(ast.parse(path.read_text())) if "pickle" in name.lower()]
    assert used == ["_Unpickler(io.BytesIO(content)).load", "_Unpickler"]


def sources() -> list[Path]:
    return sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))


def test_no_module_runs_what_a_file_holds() -> None:
    named = {
        str(path.relative_to(ROOT)): faults(path.read_text(), str(path.relative_to(ROOT)))
        for path in sources()
    }
    assert len(named) > 150
    assert {path: names for path, names in named.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from yaml import load",
        "import numpy as np\nnp.load('x')",
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "torch.export.load(file)",
        "subprocess.run('ls', shell=True)",
        "np.lib.format.read_array(file, allow_pickle=True)",
        "eval(text)",
    ],
)
def test_what_could_is_noticed(source: str) -> None:
    assert len(faults(source, "search/x.py")) == 1


def test_loading_weights_alone_is_none() -> None:
    assert faults("torch.load(file, weights_only=True)", "search/x.py") == []
    assert faults("torch.export.load(archive)", "sim/importers/pytorch/conversion.py") == []
