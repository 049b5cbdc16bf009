"""Well-formed models with odd parts: each is refused in one line, or equal to its interpreter in every bit."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cosilico.fuzz_formats import FORMATS
from cosilico.fuzzing import Examiner, Verdict
from testbench.cases.onnx_models import odd_onnx
from testbench.cases.tflite_odd_models import CHANGES, Change, odd_model
from testbench.cases.tflite_writer import CodeFields

EXAMPLES = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
CHOICES = st.integers(0, 1 << 16)


@pytest.fixture(scope="module")
def examiner() -> Iterator[Examiner]:
    """A process of its own, for interpreters may die of what they are given."""
    formats = {name: FORMATS[name] for name in ("tflite", "onnx")}
    made = Examiner(formats, size_bytes=1 << 30)  # the interpreters are loaded by the first model
    yield made
    made.close()


def refused_or_right(examiner: Examiner, name: str, content: bytes) -> Verdict:
    verdict, text = examiner.examine(name, {f"m.{name}": content})
    assert verdict.right, f"{verdict}: {text}"
    return verdict


@EXAMPLES
@given(
    seed=st.integers(0, 10_000),
    changes=st.lists(
        st.builds(Change, st.sampled_from(CHANGES), CHOICES, CHOICES, CHOICES), max_size=4
    ),
    code_fields=st.sampled_from(CodeFields),
)
def test_tensorflow_lite(
    seed: int, changes: list[Change], code_fields: CodeFields, examiner: Examiner
) -> None:
    refused_or_right(examiner, "tflite", odd_model(seed, changes, code_fields))


@EXAMPLES
@given(seed=st.integers(0, 100_000))
def test_onnx(seed: int, examiner: Examiner) -> None:
    refused_or_right(examiner, "onnx", odd_onnx(np.random.default_rng(seed)))


@pytest.mark.parametrize("kind", CHANGES)
def test_every_change_changes_some_model(kind: str) -> None:
    rng = np.random.default_rng(1)

    def differs(seed: int) -> bool:
        places: Any = (int(n) for n in rng.integers(0, 1 << 16, 3))
        unchanged, changed = (
            odd_model(seed, changes, CodeFields.BOTH) for changes in ([], [Change(kind, *places)])
        )
        return unchanged != changed

    assert any(differs(seed) for seed in range(20))


def test_models_are_refused_and_accepted(examiner: Examiner) -> None:
    verdicts = {
        name: [refused_or_right(examiner, name, content) for content in contents]
        for name, contents in (
            (
                "tflite",
                [
                    odd_model(n, [Change("inputs", n, n, n)] * (n % 2), CodeFields.NEWER)
                    for n in range(20)
                ],
            ),
            ("onnx", [odd_onnx(np.random.default_rng(n)) for n in range(40)]),
        )
    }
    for counts in verdicts.values():
        assert counts.count(Verdict.EQUAL) >= 8
        assert counts.count(Verdict.REFUSED) >= 4
