"""Predictions as records: a short repr, JSON, bytes by layer, the descriptors' timeline."""

import dataclasses
import json

import pytest

from sim.arrays.tables import COLUMNS
from sim.model import predict, predict_mapped
from sim.networks.named import named_network
from sim.plan import Mapped
from sim.prediction import LayerPrediction, Prediction
from sim.realizability import map_realizable
from sim.spec.descriptor import Queue
from sim.spec.memories import DETERMINISTIC, DRAM
from sim.spec.memory_record import memory_of
from sim.spec.spaces import NAHAS


@pytest.fixture(scope="module")
def mapped() -> Mapped:
    return map_realizable(NAHAS.default, named_network("mobilenet_v1_025"), 2)


@pytest.fixture(scope="module")
def prediction(mapped: Mapped) -> Prediction:
    return predict_mapped(mapped)


def test_the_repr_is_one_short_line(prediction: Prediction) -> None:
    changed = dataclasses.replace(prediction, total_cycles=16330, utilization=0.5312)
    layers = len(prediction.layers)
    assert repr(changed) == (
        f"Prediction(16,330 cycles for 2 images on deterministic memory, 53.1 % utilization, "
        f"{layers} layers)"
    )
    single = dataclasses.replace(changed, images=1, memory=DRAM, layers=prediction.layers[:1])
    assert repr(single) == (
        "Prediction(16,330 cycles for 1 image on lpddr4-3200 memory, 53.1 % utilization, 1 layer)"
    )


def test_layers_add_up_to_the_program(prediction: Prediction) -> None:
    for name in ("read_bytes", "write_bytes", "execute_busy"):
        total = sum(getattr(layer, name) for layer in prediction.layers)
        assert total == getattr(prediction, name) > 0


def test_the_first_layer_reads_the_images_and_the_last_writes_the_outputs(
    prediction: Prediction,
) -> None:
    network = named_network("mobilenet_v1_025")
    source = network.input
    assert prediction.layers[0].read_bytes > 2 * source.height * source.width * source.channels
    assert prediction.layers[-1].write_bytes >= 2 * network.output.channels


def test_the_timeline_has_every_descriptor_in_program_order(
    prediction: Prediction, mapped: Mapped
) -> None:
    timeline = list(prediction.timeline())
    assert len(timeline) == len(mapped.rows)
    assert max(times.done for times in timeline) < prediction.total_cycles
    for times, row in zip(timeline, mapped.rows, strict=True):
        assert times.queue is Queue(row[COLUMNS["queue"]])
        assert times.layer == mapped.source.layers[row[COLUMNS["layer"]]].name
        assert 0 <= times.start < times.issued <= times.done
        if times.queue is not Queue.EXECUTE:
            assert times.issued == times.done
    assert [times.start for times in timeline] == prediction.start.tolist()
    assert [times.issued for times in timeline] == prediction.issued.tolist()


def test_json_has_every_figure_and_no_descriptor(prediction: Prediction) -> None:
    document = json.loads(json.dumps(prediction.to_json()))
    names = {field.name for field in dataclasses.fields(Prediction)}
    assert names - document.keys() == {"queues", "layer_indices", "start", "issued", "done"}
    assert memory_of(document["memory"]) == DETERMINISTIC
    assert document["total_cycles"] == prediction.total_cycles
    assert len(document["layers"]) == len(prediction.layers)
    first = prediction.layers[0]
    assert document["layers"][0] == {
        field.name: getattr(first, field.name) for field in dataclasses.fields(LayerPrediction)
    }


def test_both_ways_to_predict_agree(mapped: Mapped, prediction: Prediction) -> None:
    alone = predict(mapped.config, mapped.source, images=2)
    assert alone.to_json() == prediction.to_json()
    assert list(alone.timeline()) == list(prediction.timeline())
