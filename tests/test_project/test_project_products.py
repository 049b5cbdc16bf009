"""Figures of the decision on products of activations: predicted cycles of whole networks."""

from dataclasses import replace

import pytest

from mobile_models import MOBILE_MODELS, mobile_model
from project_root import ROOT
from sim.importers.tflite.conversion import lower_tflite
from sim.importers.tflite.reader import parse_tflite
from sim.model import predict
from sim.spec.network import PRODUCT_KINDS
from sim.spec.spaces import EDGE


@pytest.mark.slow
@pytest.mark.parametrize("name", MOBILE_MODELS)
def test_cycles_of_products_are_those_of_the_page(name: str) -> None:
    text = " ".join((ROOT / "docs" / "adr" / "0037-products.md").read_text().split())
    network = lower_tflite(parse_tflite(mobile_model(name), "model"), name).network
    prediction = predict(replace(EDGE.default, activation_table=1), network)
    products = sum(
        times.cycles
        for times, layer in zip(prediction.layers, network.layers, strict=True)
        if layer.kind in PRODUCT_KINDS
    )
    count = sum(layer.kind in PRODUCT_KINDS for layer in network.layers) // 2
    assert count == {"mobilenet_v3_small": 9, "efficientnet_b0": 16}[name]
    assert f"{prediction.total_cycles:,}" in text
    assert f" {products:,}" in text
