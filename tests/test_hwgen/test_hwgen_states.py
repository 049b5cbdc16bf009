"""Programs of networks with states, run by the emulator one after the other in one memory."""

import numpy as np
import pytest

from emulator import Emulator
from hwgen.package.program_manifest import program_manifest
from hwgen.program import compile_mapped
from sampled import sampled
from sim import golden
from sim.realizability import map_realizable
from sim.spec.spaces import TINY
from testbench.cases.stateful import draw_stateful_group

PER_GROUP = 4


@pytest.mark.parametrize("groups", sampled([2, 6], lambda groups: groups == 2))
def test_runs_leave_states_for_the_next(groups: int) -> None:
    states = 0
    for group in range(groups):
        for case in draw_stateful_group(group, 0, PER_GROUP, TINY, 7, max_macs=128):
            program = compile_mapped(map_realizable(case.config, case.network))
            expected = golden.run(case.network, case.images)
            emulator = Emulator(case.config, program)
            region = program.outputs
            for step, image in enumerate(case.images):
                for name, place in program.states.items():
                    end = place.address + place.size_bytes
                    earlier = place.unpack(emulator.memory[place.address : end].tobytes())
                    np.testing.assert_array_equal(earlier, expected[name][step], case.title)
                emulator.run(image[None])
                data = emulator.memory[region.address : region.address + region.size_bytes]
                for name, values in region.unpack(data.tobytes()).items():
                    np.testing.assert_array_equal(values[0], expected[name][step], case.title)
            assert list(program.states) == [state.name for state in case.network.states]
            manifest = program_manifest(program, case.config)
            assert list(manifest["states"]) == list(program.states)
            states += len(program.states)
    assert states > groups * PER_GROUP
