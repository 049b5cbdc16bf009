"""Generated hardware in the public API: Verilog, program and manifests in a folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosilico.api import arguments
from cosilico.api.networks import NetworkSource
from cosilico.api.pairs import AcceleratorSource, load_pair
from cosilico.extras import require_extra
from cosilico.folder import Contents, stage_folder
from cosilico.inputs import input_files
from cosilico.run_folder import GENERATED_FILES

__all__ = ["GeneratedFiles", "generate"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GeneratedFiles:
    """Files that a generation wrote.

    Parameters
    ----------
    folder : Path
    verilog : Path
        Synthesizable Verilog of the accelerator.
    manifest : Path
        JSON: ports, registers, fingerprint and gateware of the Verilog.
    program : Path
        Memory image: weights, header and descriptors.
    program_manifest : Path
        JSON: where the header, the input and the output lie.
    """

    folder: Path
    verilog: Path
    manifest: Path
    program: Path
    program_manifest: Path

    def __repr__(self) -> str:
        """Return a line with the folder and the sizes of Verilog and program."""
        sizes = (path.stat().st_size for path in (self.verilog, self.program))
        verilog, program = (f"{size:,} bytes" for size in sizes)
        return f"GeneratedFiles({self.folder}: {verilog} of Verilog, program of {program})"

    @property
    def files(self) -> tuple[Path, ...]:
        """All four files."""
        return (self.verilog, self.manifest, self.program, self.program_manifest)

    def to_json(self) -> dict[str, Any]:
        """Return the paths, and both manifests' contents, as a JSON object."""
        return {
            "folder": str(self.folder),
            "files": [str(path) for path in self.files],
            "manifest": json.loads(self.manifest.read_text()),
            "program": json.loads(self.program_manifest.read_text()),
        }


def generate(
    network: NetworkSource,
    accelerator: AcceleratorSource | None = None,
    *,
    out: str | Path,
    images: int = 1,
    force: bool = False,
    seed: int = 0,
) -> GeneratedFiles:
    """Emit an accelerator's Verilog and the program that runs a network on it.

    Parameters
    ----------
    network : Network, ImportedNetwork, Design, str or Path
        As of :func:`cosilico.load_network`.
    accelerator : AcceleratorConfig, str or Path, optional
        As of :func:`cosilico.load_accelerator`; a design's own if not given.
    out : str or Path
        Folder that is absent or empty; made with its parents.
    images : int
        Images that the program computes.
    force : bool
        Replace what an earlier generation made in ``out``, nothing else.
    seed : int
        Of a named network's weights.

    Raises
    ------
    TypeError, ValueError
        With a line that names the argument that is wrong.
    NotRealizableError
        With the line of the first broken rule; nothing is written then.
    CosilicoError
        If a file is wrong, ``out`` is not such a folder, or the extra ``rtl`` is not installed.
    """
    folder = arguments.path("out", out)
    images = arguments.positive_integer("images", images)
    seed = arguments.seed_integer("seed", seed)
    require_extra("generate", "rtl")
    from cosilico.generation import generate_design

    pair = load_pair(network, accelerator, seed=seed)
    inputs = input_files(network, accelerator)
    contents = Contents(
        command="generate", identity={"network": pair.network.name}, files=GENERATED_FILES
    )
    with stage_folder(folder, contents, inputs=inputs, force=force) as staging:
        generate_design(pair, staging, images)
    verilog, manifest, program, program_manifest = (folder / name for name in GENERATED_FILES)
    return GeneratedFiles(
        folder=folder,
        verilog=verilog,
        manifest=manifest,
        program=program,
        program_manifest=program_manifest,
    )
