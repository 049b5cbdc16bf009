"""Runs of designs and random pairs, compared with the reference and the prediction."""
