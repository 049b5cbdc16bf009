"""Package of an accelerator and a network: all that an engineer needs to put it into a system."""

import hashlib
import json
from pathlib import Path
from typing import Any

import jinja2

from hwgen.driver.program_data import DriverProgram, program_of
from hwgen.file_names import FILE_LIST
from hwgen.package.files import integration_files, readme, software_files
from hwgen.package.identity import PackageIdentity
from hwgen.package.program_manifest import program_manifest
from hwgen.verilog_files import OWNERSHIP
from sim.model import predict_mapped
from sim.plan import Mapped
from sim.spec.files import write_atomic
from sim.timing import calibration as calibrations
from testbench.standalone.cocotb_folder import write_cocotb_folder
from testbench.standalone.driver_bench import DriverTest
from testbench.standalone.file_names import PACKAGE_MANIFEST
from testbench.standalone.subject import Subject
from testbench.standalone.template_texts import template
from testbench.standalone.verilog import verilog_testbench_files

__all__ = ["write_package"]

DATA_SUFFIX = ".bin"
HEADER_SUFFIX = ".h"


def write_package(identity: PackageIdentity, mapped: Mapped, folder: Path) -> list[Path]:
    """Write a package into an empty folder; return the paths, ``package.json`` last.

    The same arguments give the same bytes; no file names a path or a date.

    Parameters
    ----------
    identity : PackageIdentity
    mapped : Mapped
        Network on that accelerator.
    folder : Path
    """
    described = program_of(mapped)
    bench = DriverTest.of(mapped, described).files
    software = software_files(described)
    headers = [f"sw/{name}" for name in software if name.endswith(HEADER_SUFFIX)]
    headers += [f"sim/{name}" for name in bench if name.endswith(HEADER_SUFFIX)]
    files: dict[str, str | bytes] = {
        "README.md": _readme(identity, mapped, described),
        **integration_files(
            identity,
            mapped,
            described,
            headers=headers,
            data=[name for name in bench if name.endswith(DATA_SUFFIX)],
        ),
        **{f"sw/{name}": content for name, content in software.items()},
        "sw/program.json": _json(program_manifest(described.program, identity.config)),
        **{f"sim/{name}": content for name, content in bench.items()},
        "sim/Makefile": _makefile(identity),
    }
    if identity.traces:
        tested = verilog_testbench_files(Subject.of(mapped, program=described.program))
        files |= {f"sim/{name}": content for name, content in tested.items()}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / name, content)
    paths = [folder / name for name in files]
    if identity.traces:
        (folder / "sim" / "cocotb").mkdir()
        paths += write_cocotb_folder(mapped, described.program, folder / "sim" / "cocotb")
    manifest = _manifest(identity, described, folder, paths)
    write_atomic(folder / PACKAGE_MANIFEST, _json(manifest))
    return [*paths, folder / PACKAGE_MANIFEST]


def _readme(identity: PackageIdentity, mapped: Mapped, described: DriverProgram) -> str:
    calibration = calibrations.default()
    return readme(
        identity,
        described,
        cycles=predict_mapped(mapped, calibration, cold=True).total_cycles,
        warm_cycles=predict_mapped(mapped, calibration).total_cycles,
        latency=calibration.constants["memory_latency"],
    )


def _makefile(identity: PackageIdentity) -> str:
    """Return the Makefile of the testbenches."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(template("package.mk.j2")).render(
        ownership=OWNERSHIP, traces=identity.traces, file_list=FILE_LIST, top=identity.verilog.top
    )


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"


def _manifest(
    identity: PackageIdentity, described: DriverProgram, folder: Path, paths: list[Path]
) -> dict[str, Any]:
    """Describe a package: what it is, and the SHA-256 and size of every file."""
    files = {}
    for path in sorted(paths):
        data = path.read_bytes()
        files[path.relative_to(folder).as_posix()] = {
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
        }
    return {
        "ownership": OWNERSHIP,
        "version": identity.version,
        "name": identity.name,
        "fingerprint": identity.config.fingerprint,
        "top": identity.verilog.top,
        "network": described.name,
        "images": described.program.images,
        "files": files,
    }
