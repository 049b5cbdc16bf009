"""Writing what the cocotb bench reads of an accelerator, a program and its expected results."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwgen.gateware.host.csr import (
    COUNTERS,
    INTERRUPTS,
    REGISTERS,
    STATUS_BITS,
    capabilities,
)
from hwgen.module_names import ModuleNames
from hwgen.program import Probe, Program
from hwgen.registers.table import CONTROL_BITS
from sim.prediction import Prediction
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.bus import DESCRIPTOR_PORT_BYTES
from sim.spec.descriptor import Queue
from sim.spec.header import HEADER_MAGIC
from sim.spec.network import Network
from sim.spec.stops import Port, StopCause
from testbench.cocotb.description import DESCRIPTION_FILE, VERSION
from testbench.rtl.activations import with_gaps
from testbench.rtl.host import LAST_PAGE
from testbench.rtl.job import ProgramJob
from testbench.rtl.watchdog import program_descriptors, watchdog_cycles

__all__ = ["describe_accelerator", "write_description", "write_job_description"]


def write_description(
    directory: Path,
    config: AcceleratorConfig,
    program: Program,
    network: Network,
    prediction: Prediction,
    inputs: NDArray[np.int8],
    expected: Mapping[str, NDArray[np.int8]],
    *,
    memory_latency: int,
    warm: Prediction | None = None,
) -> None:
    """Write ``bench.json`` and the binary files that it names.

    Parameters
    ----------
    directory : Path
        Holds ``bench.json``, ``memory.bin``, ``inputs.bin``, ``outputs.bin``, ``output_mask.bin``,
        ``activations.bin`` and ``activation_mask.bin`` afterwards.
    config : AcceleratorConfig
    program : Program
        Of `network` for `config`.
    network : Network
    prediction : Prediction
        On a memory that answers after `memory_latency` cycles; of the cold run, where weights stay in the
        weight store.
    inputs : int8[N, height, width, channels]
        Run in order; where they are no multiple of the program's images, the last is repeated.
    expected : mapping of str to int8[N, height, width, channels]
        Activations of all layers, as :func:`sim.golden.run` gives them.
    memory_latency : int
        Cycles.
    warm : Prediction, optional
        Of the warm run, where weights stay; the description knows of none if not given.
    """
    images = program.images
    padding = np.arange(-(-len(inputs) // images) * images).clip(max=len(inputs) - 1)
    x = inputs[padding]
    y = {name: values[padding] for name, values in expected.items()}
    packed = [program.inputs.pack(program.inputs.images_of(run)) for run in _runs(x, images)]
    outputs = [
        program.outputs.pack([{name: y[name][i] for name in network.outputs} for i in run])
        for run in _runs(np.arange(len(x)), images)
    ]
    places = probe_activations(config, network, program, y)
    files = {
        "memory.bin": program.image,
        "inputs.bin": b"".join(packed),
        "outputs.bin": b"".join(outputs),
        "output_mask.bin": program.outputs.mask,
        "activations.bin": b"".join(values for values, _ in places),
        "activation_mask.bin": places[0][1],
    }
    for name, data in files.items():
        (directory / name).write_bytes(data)
    fields = describe_accelerator(config, memory_latency)
    fields["program"] = {
        **_program_fields(program, len(x) // images, network.name),
        "layers": [layer.name for layer in network.layers],
        "watchdog": watchdog_cycles(program_descriptors(program)),
        "predicted": _predicted_fields(prediction, config),
        "probes": [_probe_fields(probe) for probe in program.probes],
    }
    if warm is not None and program.warm_address != program.header_address:
        fields["program"]["warm"] = {
            "header_address": program.warm_address,
            "predicted": _predicted_fields(warm, config),
        }
    _write_fields(directory, fields)


def _runs(x: NDArray[Any], images: int) -> list[NDArray[Any]]:
    """Parts of an array of images that a run computes each."""
    return np.split(x, range(images, len(x), images))


def _predicted_fields(prediction: Prediction, config: AcceleratorConfig) -> dict[str, Any]:
    counters = prediction.counters(config)
    return {
        "cycles": prediction.total_cycles,
        "counters": {name.upper(): value for name, value in counters.items() if name != "cycles"},
        "start": prediction.start.tolist(),
        "issue_end": np.where(prediction.queues == Queue.EXECUTE, prediction.issued, -1).tolist(),
        "end": prediction.done.tolist(),
    }


def write_job_description(
    directory: Path, config: AcceleratorConfig, job: ProgramJob, *, memory_latency: int
) -> None:
    """Write the description of a job, without expectations: ``bench.json`` and its binary files.

    Parameters
    ----------
    directory : Path
    config : AcceleratorConfig
    job : ProgramJob
        Its host and memory are not described.
    memory_latency : int
        Cycles.
    """
    program = job.program
    files = {"memory.bin": program.image, "inputs.bin": b"".join(job.inputs)}
    files |= dict.fromkeys(("outputs.bin", "output_mask.bin"), b"")
    files |= dict.fromkeys(("activations.bin", "activation_mask.bin"), b"")
    for name, data in files.items():
        (directory / name).write_bytes(data)
    fields = describe_accelerator(config, memory_latency)
    layers = 1 + max(layer for _, layer in program.descriptors)
    fields["program"] = {
        **_program_fields(program, len(job.inputs), "job"),
        "layers": [f"layer {index}" for index in range(layers)],
        "watchdog": job.watchdog,
        "predicted": {"cycles": 0, "counters": {}, "start": [], "issue_end": [], "end": []},
        "probes": [_probe_fields(probe) for probe in job.probes],
    }
    _write_fields(directory, fields)


def _program_fields(program: Program, runs: int, name: str) -> dict[str, Any]:
    images = program.images
    queues, layers = zip(*program.descriptors, strict=True)
    return {
        "name": name,
        "image": "memory.bin",
        "header_address": program.header_address,
        "images": images,
        "runs": runs,
        "descriptors": {"queue": [int(queue) for queue in queues], "layer": list(layers)},
        "inputs": {
            "file": "inputs.bin",
            "mask": None,
            "address": program.inputs.address,
            "size_bytes": program.inputs.size_bytes,
        },
        "outputs": {
            "file": "outputs.bin",
            "mask": "output_mask.bin",
            "address": program.outputs.address,
            "size_bytes": program.outputs.size_bytes,
        },
        "activations": {"file": "activations.bin", "mask": "activation_mask.bin"},
    }


def _probe_fields(probe: Probe) -> dict[str, int]:
    return {
        "execute_index": probe.execute_index,
        "layer": probe.layer,
        "address": probe.local_address,
        "groups": probe.groups,
        "rows": probe.rows,
        "columns": probe.columns,
        "plane": probe.local_plane,
        "row": probe.local_row,
    }


def _write_fields(directory: Path, fields: dict[str, Any]) -> None:
    (directory / DESCRIPTION_FILE).write_text(json.dumps(fields) + "\n", encoding="utf-8")


def describe_accelerator(config: AcceleratorConfig, memory_latency: int) -> dict[str, Any]:
    """Return the fields of ``bench.json`` that are the accelerator's."""
    return {
        "version": VERSION,
        "top": ModuleNames.of(config).top,
        "accelerator": config.to_json(),
        "clock_mhz": config.clock_mhz,
        "pes_y": config.pes_y,
        "pes_x": config.pes_x,
        "lanes": config.compute_lanes,
        "vector_bytes": config.vector_bytes,
        "bank_depth": config.bank_depth,
        "bus_bytes": config.bus_bytes,
        "descriptor_bus_bytes": DESCRIPTOR_PORT_BYTES,
        "memory_latency": memory_latency,
        "registers": {register.name: register.offset for register in REGISTERS},
        "reset_values": {
            "ID": HEADER_MAGIC,
            "FINGERPRINT": config.fingerprint,
            "WINDOW_LIMIT": LAST_PAGE,
            **capabilities(config),
        },
        "control_bits": list(CONTROL_BITS),
        "status_bits": list(STATUS_BITS),
        "interrupts": list(INTERRUPTS),
        "counters": ["CYCLES", *(register.name for register in COUNTERS)],
        "stop_causes": [cause.name for cause in StopCause],
        "stop_ports": [port.name for port in Port],
        "queues": [queue.name.lower() for queue in Queue],
    }


def probe_activations(
    config: AcceleratorConfig,
    network: Network,
    program: Program,
    expected: Mapping[str, NDArray[np.int8]],
) -> list[tuple[bytes, bytes]]:
    """Return each run's expected bytes of all probes, and a mask of those that are specified.

    Bytes are those that :func:`testbench.rtl.activations.assemble_activations` takes apart.
    """
    names = [layer.name for layer in network.layers]
    runs = len(expected[names[0]]) // program.images
    return [
        (
            b"".join(
                _tiles(
                    config, probe, expected[names[probe.layer]][run * program.images + probe.image]
                )
                for probe in program.probes
            ),
            b"".join(
                _tiles(
                    config, probe, np.full(network.layers[probe.layer].output.shape, -1, np.int8)
                )
                for probe in program.probes
            )
            if run == 0
            else b"",
        )
        for run in range(runs)
    ]


def _tiles(config: AcceleratorConfig, probe: Probe, tensor: NDArray[np.int8]) -> bytes:
    """Bytes [pe_y][pe_x][group][row][column][S] of a probe, 0 where the tensor has ended."""
    s = config.vector_bytes
    columns = config.pes_x if probe.pitch_x else 1
    shape = (config.pes_y * probe.rows, columns * probe.columns, probe.groups * s)
    block = np.zeros(shape, np.int8)
    own = block[..., probe.others * s :]
    tensor = with_gaps(tensor, probe.segments)
    part = tensor[probe.origin_y :, probe.origin_x :, probe.group_start * s :]
    part = part[: own.shape[0], : own.shape[1], : own.shape[2]]
    own[: part.shape[0], : part.shape[1], : part.shape[2]] = part
    split = block.reshape(
        config.pes_y, probe.rows, columns, probe.columns, probe.groups, s
    )  # [pe_y][row][pe_x][column][group][S]
    # PEs of a row hold the same strip
    split = np.repeat(split, config.pes_x // columns, axis=2)
    return split.transpose(0, 2, 4, 1, 3, 5).tobytes()
