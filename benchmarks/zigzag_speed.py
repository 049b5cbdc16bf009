"""ZigZag on a network's layers, timed; run by ``model_speed.py`` with the Python that has ZigZag.

Usage: ``python zigzag_speed.py LAYERS.json`` with what ``model_speed.zigzag_layers`` writes. Prints
one JSON object on the last line.
"""

import json
import logging
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path
from typing import Any

from zigzag.api import get_hardware_performance_zigzag
from zigzag.cost_model.cost_model import CostModelEvaluation

REPEATS = 3
ARCHITECTURE = "tesla_npu_like"
"""Accelerator that ZigZag brings along and that all layers fit: 1,024 MACs."""

FACTORS = 4
"""Loop factors that the mapping search permutes per layer; ZigZag's default of 6 takes minutes."""


def main(layers: list[dict[str, Any]]) -> dict[str, Any]:
    """Time a whole call, which searches the mappings, and the cost model on those it chose."""
    logging.disable(logging.CRITICAL)
    inputs = resources.files("zigzag") / "inputs"
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        _, latency, evaluations = get_hardware_performance_zigzag(
            workload=layers,
            accelerator=str(inputs / "hardware" / f"{ARCHITECTURE}.yaml"),
            mapping=str(inputs / "mapping" / f"{ARCHITECTURE}.yaml"),
            dump_folder=folder,
            pickle_filename=str(Path(folder) / "list.pickle"),
            lpf_limit=FACTORS,
            loma_show_progress_bar=False,
        )
        whole = time.process_time() - started
    chosen = [evaluation for evaluation, _ in evaluations[0][1]]
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        for evaluation in chosen:
            CostModelEvaluation(
                accelerator=evaluation.accelerator,
                layer=evaluation.layer,
                spatial_mapping=evaluation.spatial_mapping,
                spatial_mapping_int=evaluation.spatial_mapping_int,
                temporal_mapping=evaluation.temporal_mapping,
                access_same_data_considered_as_no_access=True,
            )
        seconds.append(time.process_time() - started)
    return {
        "architecture": ARCHITECTURE,
        "factors": FACTORS,
        "layers": len(chosen),
        "cycles": latency,
        "whole_call_s": whole,
        "cost_model_s": min(seconds),
    }


if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text()))))
