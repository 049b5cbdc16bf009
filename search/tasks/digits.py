"""The digits task: scikit-learn's scanned digits, a fixed split, and their int8 form."""

import numpy as np
import torch
from sklearn.datasets import load_digits

from search.tasks.digits_settings import DigitsSettings
from search.tasks.task import Split, Task
from sim.scales import Scale

__all__ = ["INPUT_SCALE", "digits"]

_LEVELS = 16
_STEPS_PER_LEVEL = 15

INPUT_SCALE = Scale(1 / (_LEVELS * _STEPS_PER_LEVEL), -120)
"""Scale of the pixels, real numbers in 0 … 1: black is -120 and white 120 as int8 values.

The 17 grey levels lie exactly 15 steps apart, so that none is rounded.
"""


def digits(size: tuple[int, int] | None, settings: DigitsSettings) -> Task:
    """scikit-learn's digits: 1,797 scanned 8x8 digits in 17 grey levels (UCI, 1998).

    The split depends on ``split_seed`` only, never on a search's seed.
    """
    data = load_digits()
    images = torch.tensor(data.images[:, None] / _LEVELS, dtype=torch.float32)  # [N, 1, 8, 8]
    labels = torch.tensor(data.target, dtype=torch.int64)
    order = torch.from_numpy(np.random.default_rng(settings.split_seed).permutation(len(labels)))
    test, validation, train = torch.tensor_split(
        order, (settings.test_images, settings.test_images + settings.validation_images)
    )
    train_part, validation_part, test_part = (
        Split(images[part], labels[part]) for part in (train, validation, test)
    )
    return Task(
        train=train_part,
        validation=validation_part,
        test=test_part,
        classes=10,
        input_scale=INPUT_SCALE,
    )
