"""Torch without chance: one thread and kernels that always add up in the same order."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["deterministic_torch"]


@contextmanager
def deterministic_torch() -> Iterator[None]:
    """One thread and deterministic kernels, for results that do not depend on the machine's load."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
