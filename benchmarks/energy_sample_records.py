"""Samples of energy as records of a journal: the runs of an accelerator with what its modules and macros took."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from sim.spec.accelerator_record import accelerator_of
from sim.spec.errors import DesignFileError
from testbench.power.direct import MacroAccesses, ModuleEnergy, RunEnergy
from testbench.power.samples import EnergySample
from testbench.power.workloads import workload

__all__ = ["record_of", "samples_of"]

_FIGURES = ("cycles", "execute_busy", "macs", "read_bytes", "write_bytes", "store_bytes")
_MODULE = ("kind", "size", "instances", "simulated", "area_um2", "leakage_uw")
"""Fields of a module that are the same in all runs of its accelerator."""

_WORK = tuple(field.name for field in fields(ModuleEnergy) if field.name not in _MODULE)
_MACRO = tuple(field.name for field in fields(MacroAccesses))


def record_of(samples: Sequence[EnergySample]) -> dict[str, Any]:
    """Record of all runs of an accelerator; figures have seven digits.

    Raises
    ------
    ValueError
        If the runs are not of one accelerator with the same modules.
    """
    first = samples[0]
    modules = [_row(module, _MODULE) for module in first.energy.modules]
    for sample in samples:
        own = [_row(module, _MODULE) for module in sample.energy.modules]
        if sample.config != first.config or own != modules:
            raise ValueError(f"run {sample.workload} must be of the same accelerator as the first")
    return {
        "accelerator": first.config.to_json(),
        "modules": modules,
        "runs": [
            {
                "workload": sample.workload,
                "figures": [getattr(sample, name) for name in _FIGURES],
                "work": [_row(module, _WORK) for module in sample.energy.modules],
                "macros": [_row(macro, _MACRO) for macro in sample.energy.macros],
            }
            for sample in samples
        ],
    }


def samples_of(record: Mapping[str, Any]) -> list[EnergySample]:
    """Runs of an accelerator.

    Raises
    ------
    DesignFileError
        If the record is not what :func:`record_of` makes.
    """
    try:
        config = accelerator_of(record["accelerator"])
        return [_sample(config, record["modules"], run) for run in record["runs"]]
    except (KeyError, TypeError, ValueError) as error:
        raise DesignFileError(f"record of energy must have all fields: {error}") from None


def _row(item: ModuleEnergy | MacroAccesses, names: Sequence[str]) -> list[Any]:
    values = (getattr(item, name) for name in names)
    return [float(f"{value:.7g}") if isinstance(value, float) else value for value in values]


def _sample(config: Any, modules: Sequence[Any], run: Mapping[str, Any]) -> EnergySample:
    figures = dict(zip(_FIGURES, run["figures"], strict=True))
    return EnergySample(
        config=config,
        workload=run["workload"],
        results=workload(run["workload"]).results,
        **figures,
        energy=RunEnergy(
            cycles=figures["cycles"],
            modules=[
                ModuleEnergy(
                    **dict(zip(_MODULE, module, strict=True)),
                    **dict(zip(_WORK, work, strict=True)),
                )
                for module, work in zip(modules, run["work"], strict=True)
            ],
            macros=[MacroAccesses(**dict(zip(_MACRO, row, strict=True))) for row in run["macros"]],
        ),
    )
