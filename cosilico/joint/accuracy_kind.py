"""Kinds of accuracy, by the names that a user gives."""

from enum import StrEnum

__all__ = ["AccuracyKind"]


class AccuracyKind(StrEnum):
    """Accuracies of a network: of real numbers, or of integers."""

    FULL_PRECISION = "full_precision"
    POST_TRAINING = "post_training"
    QUANTIZATION_AWARE = "quantization_aware"
