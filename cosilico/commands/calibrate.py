"""The ``calibrate`` command: the model's timing constants, a memory fitted to traces, or silicon or energy fitted to netlists."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cosilico.commands.options import Jobs, OutFile
from cosilico.commands.synthesize import TargetName
from cosilico.extras import require_extra
from sim.spec.dram import DRAM_PRESETS, DramSystem
from sim.spec.errors import CosilicoError
from sim.spec.memory_record import parse_memory

__all__ = ["calibrate"]


def calibrate(
    out: OutFile,
    spaces: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SPACE]...",
            help="with --area or --energy: spaces to draw accelerators from",
            show_default="all: tiny, edge, nahas",
        ),
    ] = None,
    memory: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DRAM|FILE.toml",
            help="fit this DRAM of tier T3 as well, or each of several: "
            f"{', '.join(DRAM_PRESETS)}, or a file",
        ),
    ] = None,
    trace: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN.json|RUN.csv",
            help="instead, fit a memory to this trace of a run on any system, or to each of several",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="with --trace: the memory's name", show_default="the file's"),
    ] = None,
    limit: Annotated[
        float,
        typer.Option(min=0, max=1, help="with --trace: largest mean error on what is held out"),
    ] = 0.1,
    propose: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="with --trace: write programs that would determine the rest"
        ),
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="with --trace: write the report as JSON")
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="with --trace: the accelerator's timing constants",
            show_default="those shipped",
        ),
    ] = None,
    area: Annotated[
        bool, typer.Option("--area", help="instead, fit the silicon of modules to synthesis")
    ] = False,
    energy: Annotated[
        bool,
        typer.Option(
            "--energy",
            help="instead, fit the energy of modules at work: mapped, and simulated with waveforms of runs",
        ),
    ] = False,
    target: Annotated[
        list[TargetName] | None,
        typer.Option(
            help="with --area: standard cells, or cells of an FPGA, or each of several; with --energy: standard cells",
            show_default="nangate45",
        ),
    ] = None,
    liberty: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="with --area or --energy: standard cells, instead of a target's"
        ),
    ] = None,
    feature_nm: Annotated[
        float | None,
        typer.Option(
            "--feature-nm",
            min=1,
            help="with --area or --energy: feature size of these cells",
            show_default="the target's",
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            min=3,
            max=10_000,
            help="with --area: accelerators to map; with --energy: accelerators of each space to run",
            show_default="66; 9",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=2**31 - 1, help="with --area or --energy: decides which", show_default="1"
        ),
    ] = None,
    silicon: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="with --energy: fitted silicon", show_default="that shipped"
        ),
    ] = None,
    jobs: Jobs = None,
) -> None:
    """Measure the model's timing constants in RTL, or fit a memory to traces, or silicon or energy to netlists."""
    if area and energy:
        raise CosilicoError("calibrate must be given either --area or --energy, not both")
    if not energy:
        _require_absent("must be given with --energy", ("--silicon", silicon))
    if area or energy:
        _require_absent(
            f"must not be given with {'--area' if area else '--energy'}",
            ("--memory", memory),
            ("--trace", trace),
            ("--name", name),
            ("--propose", propose),
            ("--json", json),
            ("--calibration", calibration),
        )
        fit = _calibrate_silicon if area else partial(_calibrate_energy, silicon)
        fit(spaces or [], target, out, liberty, feature_nm, samples, seed, jobs)
        return
    _require_absent(
        "must be given with --area or --energy",
        ("SPACE", spaces),
        ("--target", target),
        ("--liberty", liberty),
        ("--feature-nm", feature_nm),
        ("--samples", samples),
        ("--seed", seed),
        ("--jobs", jobs),
    )
    if trace:
        if memory:
            raise CosilicoError("calibrate must be given either --trace or --memory, not both")
        from cosilico.traces import calibrate_traces_to_file

        calibrate_traces_to_file(
            trace,
            out,
            name=name,
            limit=limit,
            json_file=json,
            proposals=propose,
            calibration_file=calibration,
        )
        return
    _require_absent(
        "must be given with --trace",
        ("--name", name),
        ("--propose", propose),
        ("--json", json),
        ("--calibration", calibration),
    )
    drams = [_dram(text) for text in memory or []]
    require_extra("cosilico calibrate", "rtl")
    from cosilico.calibration import calibrate_to_file

    calibrate_to_file(out, drams=drams)


def _require_absent(rule: str, *options: tuple[str, object]) -> None:
    for option, value in options:
        if value is not None and value != []:
            raise CosilicoError(f"{option} {rule}")


def _calibrate_silicon(
    spaces: list[str],
    targets: list[TargetName] | None,
    out: Path,
    liberty: Path | None,
    feature_nm: float | None,
    samples: int | None,
    seed: int | None,
    jobs: int | None,
) -> None:
    chosen = list(dict.fromkeys(targets or [TargetName.NANGATE45]))
    cells = [name for name in chosen if name not in (TargetName.ECP5, TargetName.XILINX)]
    if len(cells) > 1:
        raise CosilicoError(
            f"--target must be given with at most one target of standard cells, not {' and '.join(cells)}"
        )
    for option, value in (("--liberty", liberty), ("--feature-nm", feature_nm)):
        if value is not None and len(cells) != 1:
            raise CosilicoError(f"{option} must be given with one target of standard cells")
    bundled = liberty is None and TargetName.NANGATE45 in cells
    require_extra("cosilico calibrate --area", "rtl", *(["synthesis"] if bundled else []))
    from cosilico.silicon_calibration import calibrate_silicon_to_file
    from hwgen.synthesis.sample_accelerators import SAMPLES
    from hwgen.synthesis.targets import Target

    calibrate_silicon_to_file(
        spaces,
        [Target(name) for name in chosen],
        out,
        liberty=liberty,
        feature_nm=feature_nm,
        samples=SAMPLES if samples is None else samples,
        seed=1 if seed is None else seed,
        jobs=jobs,
    )


def _calibrate_energy(
    silicon: Path | None,
    spaces: list[str],
    targets: list[TargetName] | None,
    out: Path,
    liberty: Path | None,
    feature_nm: float | None,
    samples: int | None,
    seed: int | None,
    jobs: int | None,
) -> None:
    chosen = targets or [TargetName.NANGATE45]
    if len(chosen) != 1 or chosen[0] in (TargetName.ECP5, TargetName.XILINX):
        raise CosilicoError("--target must be one target of standard cells with --energy")
    bundled = liberty is None and chosen[0] is TargetName.NANGATE45
    require_extra("cosilico calibrate --energy", "rtl", *(["synthesis"] if bundled else []))
    from cosilico.energy_calibration import calibrate_energy_to_file
    from hwgen.synthesis.targets import Target
    from testbench.power.plan import SAMPLES

    calibrate_energy_to_file(
        spaces,
        Target(chosen[0]),
        out,
        liberty=liberty,
        feature_nm=feature_nm,
        samples=SAMPLES if samples is None else samples,
        seed=1 if seed is None else seed,
        jobs=jobs,
        silicon_file=silicon,
    )


def _dram(text: str) -> DramSystem:
    system = parse_memory(text)
    if not isinstance(system, DramSystem):
        raise CosilicoError(f"--memory must be a DRAM, not {text!r}")
    return system
