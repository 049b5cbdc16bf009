"""Programs of networks with concatenations and several inputs and outputs, run by the emulator."""

import itertools

import numpy as np
import pytest

from emulator import Emulator
from hwgen.placement import TensorPlacement
from hwgen.program import compile_mapped
from hwgen.tensor_region import TensorRegion
from sampled import sampled
from sim import golden
from sim.arrays.plan_columns import LayerPlan, TensorPlan
from sim.realizability import map_realizable
from sim.spec.spaces import TINY
from testbench.cases.random_graphs import draw_graph_group
from testbench.rtl.activations import assemble_activations

PER_GROUP = 4


@pytest.mark.parametrize("groups", sampled([8, 12], lambda groups: groups == 8))
def test_every_output_and_activation_is_that_of_the_reference(groups: int) -> None:
    joined = aside = several = 0
    for group in range(groups):
        for case in draw_graph_group(group, 0, PER_GROUP, TINY, 7, max_macs=128):
            mapped = map_realizable(case.config, case.network, case.batch)
            program = compile_mapped(mapped)
            images = case.images[: case.batch]
            expected = golden.run(case.network, images)
            emulator = Emulator(case.config, program)
            _, dumps = emulator.run(images)
            region = program.outputs
            data = emulator.memory[region.address : region.address + region.size_bytes]
            outputs = region.unpack(data.tobytes())
            assert list(outputs) == list(case.network.outputs)
            for name, values in outputs.items():
                np.testing.assert_array_equal(values, expected[name], case.title)
            raw = np.frombuffer(b"".join(itertools.chain(*dumps.values())), np.int8)[None]
            activations = assemble_activations(case.config, case.network, program.probes, raw)
            for index, layer in enumerate(case.network.layers):
                np.testing.assert_array_equal(activations[index], expected[layer.name], layer.name)
            joined += int(mapped.tensor_plan[:, TensorPlan.JOINED].sum())
            aside += int((mapped.layer_plan[:, LayerPlan.OUT_BANK] > 0).sum())
            several += len(case.network.outputs) > 1
    assert min(joined, aside, several) > 3


def place(address: int, channels: int, **fields: object) -> TensorPlacement:
    options = {"height": 2, "width": 3, "vector_bytes": 4, "pixel_bytes": 4} | fields
    return TensorPlacement(address=address, channels=channels, **options)  # type: ignore[arg-type]  # fields of several types


def test_a_region_holds_all_images_of_its_tensors_and_what_lies_between_them() -> None:
    region = TensorRegion(places={"b": place(512, 3), "a": place(256, 5)}, images=2)
    assert (region.address, region.size_bytes) == (256, 256 + 2 * 24)
    assert region.first.channels == 3
    rng = np.random.default_rng(0)
    images = [
        {
            "a": rng.integers(-128, 128, (2, 3, 5), np.int8),
            "b": rng.integers(-128, 128, (2, 3, 3), np.int8),
        }
        for _ in range(2)
    ]
    data = region.pack(images)
    assert data[:48] == place(0, 5).pack(images[0]["a"])
    assert data[256 + 24 :] == place(0, 3).pack(images[1]["b"])
    for index, image in enumerate(images):
        for name, values in region.unpack(data).items():
            np.testing.assert_array_equal(values[index], image[name])
    mask = np.frombuffer(region.mask, np.uint8)
    assert set(mask.tolist()) == {0, 255}
    assert int((mask == 255).sum()) == 2 * 6 * (5 + 3)


def test_parts_of_a_tensor_share_its_bytes() -> None:
    """An output of two parts, and the second part itself, with a gap of two channels between them."""
    whole = place(0, 7, segments=((0, 2), (4, 5)), image_bytes=96)
    part = place(24, 5, image_bytes=96)
    assert whole.groups == 3
    x = np.random.default_rng(1).integers(-128, 128, (2, 3, 7)).astype(np.int8)
    region = TensorRegion(places={"whole": whole, "part": part}, images=1)
    data = region.pack([{"whole": x, "part": x[..., 2:]}])
    assert data == whole.pack(x)
    outputs = region.unpack(data)
    np.testing.assert_array_equal(outputs["whole"][0], x)
    np.testing.assert_array_equal(outputs["part"][0], x[..., 2:])
