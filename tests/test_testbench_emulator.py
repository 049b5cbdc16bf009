"""Compiler against the integer reference, through the functional emulator (no RTL)."""

import numpy as np
import pytest

from hwgen.program import compile_design
from sim import golden
from sim.spec.design import Design
from sim.spec.spaces import TINY
from testbench.activations import assemble_activations
from testbench.cases import Case, draw_cases
from testbench.chains import draw_chains
from testbench.emulator import Emulator

CASES = draw_cases(90, TINY, 11)
CHAINS = draw_chains(list(dict.fromkeys(case.config for case in CASES)), 11)


@pytest.mark.parametrize("case", CASES + CHAINS, ids=lambda case: f"{case.index} {case.stratum}")
def test_every_activation_of_a_compiled_network_equals_the_reference(case: Case) -> None:
    program = compile_design(Design(network=case.network, accelerator=case.config))
    emulator = Emulator(case.config, program)
    expected = golden.run(case.network, case.images)
    for image, inputs in enumerate(case.images):
        output, dumps = emulator.run(inputs)
        raw = b"".join(dump for index in sorted(dumps) for dump in dumps[index])
        found = assemble_activations(
            case.config, case.network, program.probes, np.frombuffer(raw, np.int8)[None]
        )
        for index, layer in enumerate(case.network.layers):
            np.testing.assert_array_equal(found[index][0], expected[layer.name][image], layer.name)
        np.testing.assert_array_equal(output, expected[case.network.output.name][image])


def test_the_drawn_cases_cover_spills_passes_partial_tiles_and_grids() -> None:
    assert any(case.spills for case in CASES)
    assert any(case.passes > 1 for case in CASES)
    assert any(case.partial_tile for case in CASES)
    assert any(case.config.pes_x != case.config.pes_y for case in CASES)
    assert any(case.config.compute_lanes == 1 for case in CASES)


def test_the_deep_networks_cover_skips_that_stay_and_skips_that_spill() -> None:
    assert len(CHAINS) >= 20
    assert any(case.spills for case in CHAINS)
    assert any(not case.spills for case in CHAINS)
