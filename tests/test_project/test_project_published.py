"""Energies beside published accelerators: their file is the model's."""

import json

from project_root import ROOT
from published_energies import measured, resnet_50
from published_pages import PUBLISHED


def test_published_energies_are_those_of_the_fits() -> None:
    """The smallest accelerator again; the page's other figures are of the same file."""
    file = ROOT / "benchmarks" / "published_energies.json"
    stored = json.loads(file.read_text(encoding="utf-8"))
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))["accelerators"]
    network = resnet_50()
    assert stored["macs"] == sum(layer.macs for layer in network.layers)
    assert [run["macs"] for run in stored["runs"]] == [entry["macs"] for entry in published]
    assert measured(network, published[0]) == stored["runs"][0]
