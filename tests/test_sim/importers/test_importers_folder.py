"""The folder of an imported network."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from project_root import ROOT
from sim.importers.folder import load, save
from sim.importers.supported import SUPPORTED_PAGE, supported_operators
from sim.spec.errors import DesignFileError
from testbench.cases.tflite_models import draw_imported


def test_reads_what_it_wrote(tmp_path: Path) -> None:
    imported, _ = draw_imported(7)
    save(imported, tmp_path)
    loaded = load(tmp_path)
    assert loaded.host == imported.host
    assert loaded.source == dict(imported.source)
    assert loaded.network.input == imported.network.input
    for layer, other in zip(loaded.network.layers, imported.network.layers, strict=True):
        for name in layer.__slots__:
            assert np.array_equal(getattr(layer, name), getattr(other, name)), name


def test_names_what_is_wrong(tmp_path: Path) -> None:
    imported, _ = draw_imported(7)
    save(imported, tmp_path)
    path = tmp_path / "network.json"

    def expect(line: str) -> None:
        with pytest.raises(DesignFileError, match=f"^{re.escape(line)}$"):
            load(tmp_path)

    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"schema": 2}))
    expect("schema must be 1, not 2")
    path.write_text(json.dumps({key: document[key] for key in document if key != "host"}))
    expect("network.host must be given")
    path.write_text(json.dumps(document))
    weights = tmp_path / "weights.npz"
    content = weights.read_bytes()
    weights.write_bytes(content[:-40])
    expect(f"weights file {weights} is truncated or not an npz file")
    save(draw_imported(8)[0], tmp_path)
    path.write_text(json.dumps(document))
    expect(f"weights file {weights} does not match the network's weights.sha256")
    path.unlink()
    expect(f"network file {path} cannot be read: No such file or directory")


def test_the_page_of_supported_operators_is_generated() -> None:
    page = ROOT / SUPPORTED_PAGE
    assert page.read_text() == supported_operators(), "run make supported"
