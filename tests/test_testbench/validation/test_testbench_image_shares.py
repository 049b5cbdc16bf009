"""Images that several accelerators share."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest

from accelerators import STORED as CONFIG
from hwgen.program import compile_mapped
from sim.realizability import map_realizable
from sim.spec.design import Design
from sim.spec.memories import DETERMINISTIC, DRAM, MemorySystem
from sim.spec.network import LayerKind, Network, Padding
from testbench.cases.layers import fully_connected, padded, random_tensor
from testbench.rtl.harness import Harness, HarnessError, build
from testbench.rtl.memory_model import MemoryModel
from testbench.rtl.run_result import Progress
from testbench.validation.image_shares import shared
from testbench.validation.simulate import simulate
from testbench.validation.simulation_result import SimulationResult
from testbench.validation.store_runs import steps_of


def design() -> Design:
    """Three layers whose weights stay in the store, and whose input may come beside them."""
    rng = np.random.default_rng(6)
    source = random_tensor("input", 13, 11, 3, rng)
    around = Padding(top=1, bottom=1, left=1, right=1)
    stem = padded("stem", LayerKind.CONV, source, (3, 3), (2, 2), around, rng, 8)
    expand = padded("expand", LayerKind.CONV, stem.output, (1, 1), (1, 1), Padding(), rng, 24)
    classes = fully_connected("classes", expand.output, 5, rng)
    network = Network(name="shares", input=source, layers=(stem, expand, classes))
    return Design(accelerator=CONFIG, network=network)


def images(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    shape = (count, *design().network.input.shape)
    return np.random.default_rng(5).integers(-128, 128, shape, np.int8)


def figures(result: SimulationResult) -> dict[str, object]:
    """All that a result says but how long it took."""
    record = dataclasses.asdict(result)
    del record["cycles_per_s"]
    outputs = record.pop("named_outputs")
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in (record | outputs).items()
    }


@pytest.mark.parametrize(
    ("count", "jobs", "sizes"),
    [(7, 1, [7]), (7, 3, [2, 2, 3]), (7, 2, [4, 3]), (3, 2, [2, 1]), (2, 9, [2]), (1, 2, [1])],
)
def test_shares_are_whole_programs_of_even_size(count: int, jobs: int, sizes: list[int]) -> None:
    batch = 2 if count != 7 or jobs == 2 else 1
    mapped = map_realizable(CONFIG, design().network, batch)
    given = images(count)
    cold, warm = steps_of(compile_mapped(mapped), given)
    behind = replace(warm, input_stride=4096)
    sequences = shared([cold, warm, behind], 1, jobs)
    assert [len(sequence[1].inputs) for sequence in sequences] == sizes
    assert all(sequence[0] is cold for sequence in sequences)
    assert np.array_equal(np.concatenate([steps[1].inputs for steps in sequences]), given)
    assert [len(sequence) for sequence in sequences] == [3] + [2] * (len(sizes) - 1)
    assert sequences[0][2] is behind


@pytest.mark.rtl
@pytest.mark.parametrize("stream", [False, True])
def test_shared_images_give_the_results_of_a_single_accelerator(stream: bool) -> None:
    states: list[Progress] = []
    results = [
        simulate(design(), inputs=images(5), stream=stream, jobs=jobs, progress=states.append)
        for jobs in (1, 3)
    ]
    assert results[0].exact
    assert figures(results[0]) == figures(results[1])
    # a cold run on each of three accelerators
    behind = 6 if stream else 0
    assert states[-1].runs == states[-1].runs_done == 3 + 5 + behind
    assert [state.runs_done for state in states[-3:]] == sorted(
        state.runs_done for state in states[-3:]
    )


@pytest.mark.rtl
@pytest.mark.parametrize(("memory", "stalls"), [(DETERMINISTIC, 3), (DRAM, None)])
def test_images_that_depend_on_those_before_are_not_shared(
    memory: MemorySystem, stalls: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Harness, sequences: list[object], **others: object) -> None:
        assert len(sequences) == 1
        raise HarnessError("seen")

    monkeypatch.setattr(Harness, "run_side_by_side", refuse)
    with pytest.raises(HarnessError, match=r"^seen$"):
        simulate(design(), inputs=images(3), memory=memory, stalls=stalls, jobs=3)


@pytest.mark.rtl
def test_a_fault_on_any_accelerator_is_told() -> None:
    """The warm program's header is damaged on the second accelerator alone."""
    steps = steps_of(compile_mapped(map_realizable(CONFIG, design().network)), images(4))
    sequences = shared(steps, 1, 2)
    program = sequences[1][1].program
    damaged = bytearray(program.image)
    damaged[program.header_address] ^= 1
    sequences[1][1] = replace(sequences[1][1], program=replace(program, image=bytes(damaged)))
    good, bad = build(CONFIG).run_side_by_side(sequences, memory=MemoryModel())
    assert [stop is None for run in good for stop in run.stops] == [True] * 3
    assert [stop is None for run in bad for stop in run.stops] == [True, False, False]
