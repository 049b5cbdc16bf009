"""Generated hardware in the public API: Verilog, program and manifests in a folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosilico.api import arguments
from cosilico.api.accelerators import load_accelerator
from cosilico.api.networks import NetworkSource
from cosilico.api.pairs import AcceleratorSource, load_pair
from cosilico.extras import require_extra
from cosilico.folder import Contents, stage_folder
from cosilico.inputs import input_files
from cosilico.run_folder import PROGRAM_FILE, PROGRAM_MANIFEST, TESTBENCH_FILES
from hwgen.file_names import FILE_LIST, MANIFEST_FILE
from hwgen.module_names import PREFIX
from testbench.standalone.file_names import StandaloneTestbench

__all__ = ["GeneratedFiles", "generate"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GeneratedFiles:
    """Files that a generation wrote.

    Parameters
    ----------
    folder : Path
    verilog : tuple of Path
        Synthesizable Verilog of the accelerator, a module per file unless one file was asked for.
    file_list : Path
        Names of these files, for the option ``-f`` of a tool.
    manifest : Path
        JSON: ports, memories, fingerprint and gateware of the Verilog.
    program : Path, optional
        Memory image: weights, header and descriptors; None where an accelerator alone was generated.
    program_manifest : Path, optional
        JSON: where the header, the input and the output lie.
    testbench : tuple of Path
        Files of the testbench that was asked for.
    package : tuple of Path
        Files of a package beside these; the last, ``package.json``, has every file's digest.
    """

    folder: Path
    verilog: tuple[Path, ...]
    file_list: Path
    manifest: Path
    program: Path | None = None
    program_manifest: Path | None = None
    testbench: tuple[Path, ...] = ()
    package: tuple[Path, ...] = ()

    def __repr__(self) -> str:
        """Return a line with the folder and the sizes of Verilog and program."""
        size = sum(path.stat().st_size for path in self.verilog)
        text = f"{size:,} bytes of Verilog in {len(self.verilog)} files"
        if self.program is not None:
            text += f", program of {self.program.stat().st_size:,} bytes"
        return f"GeneratedFiles({self.folder}: {text})"

    @property
    def files(self) -> tuple[Path, ...]:
        """All files: Verilog, list and manifest, those of the program and of the testbench."""
        programs = (self.program, self.program_manifest)
        return (
            *(*self.verilog, self.file_list, self.manifest),
            *(path for path in programs if path is not None),
            *self.testbench,
            *self.package,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the paths, and both manifests' contents, as a JSON object."""
        manifest = self.program_manifest
        return {
            "folder": str(self.folder),
            "files": [str(path) for path in self.files],
            "manifest": json.loads(self.manifest.read_text()),
            "program": None if manifest is None else json.loads(manifest.read_text()),
        }


def generate(
    network: NetworkSource | None = None,
    accelerator: AcceleratorSource | None = None,
    *,
    out: str | Path,
    images: int = 1,
    testbench: str = "none",
    prefix: str = "cosilico_",
    memories: str = "fpga",
    trace: bool | None = None,
    single_file: bool = False,
    package: bool = False,
    force: bool = False,
    seed: int = 0,
) -> GeneratedFiles:
    """Emit an accelerator's Verilog and, for a network, the program that runs it there.

    Parameters
    ----------
    network : Network, ImportedNetwork, Design, str or Path, optional
        As of :func:`cosilico.load_network`; without it the accelerator alone is generated.
    accelerator : AcceleratorConfig, str or Path, optional
        As of :func:`cosilico.load_accelerator`; a design's own if not given.
    out : str or Path
        Folder that is absent or empty; made with its parents.
    images : int
        Images that the program computes.
    testbench : str
        What runs the program on random activations, with a Makefile: "verilog" for a testbench in plain
        Verilog, "cocotb" for tests in Python with all that they need but cocotb and cocotbext-axi; or
        "none".
    prefix : str
        Beginning of all module names, which end with the accelerator's fingerprint.
    memories : str
        Modules of the memories: "fpga" for arrays that synthesis infers; "flip_flop" for flip-flops
        where a memory has at most 16 rows; "macro" for that, and modules to fill with a macro elsewhere.
    trace : bool, optional
        Whether the top module has the ports ``trace_*``; if not given, where there is a testbench.
    single_file : bool
        Put all modules in one file.
    package : bool
        Make a folder for engineers of it: constraints, FuseSoC core, IP-XACT, driver in C, testbenches, pages.
        It has the ports ``trace_*`` unless ``trace`` is False, and then fewer testbenches.
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
    chosen = arguments.member("testbench", StandaloneTestbench, testbench)
    require_extra("generate", "rtl")
    from cosilico.generation import generate_accelerator, generate_design, generate_package
    from hwgen.emit import VerilogOptions
    from hwgen.memory_modules import MemoryStyle
    from hwgen.module_names import check_prefix

    tested = chosen is not StandaloneTestbench.NONE
    if package:
        _check_package(network, chosen, prefix, single_file=single_file)
    if tested and trace is False:
        raise ValueError(f"trace must be True with testbench {str(chosen)!r}, not False")
    options = VerilogOptions(
        prefix=check_prefix(prefix),
        memories=arguments.member("memories", MemoryStyle, memories),
        trace=(tested or package) if trace is None else trace,
    )
    inputs = input_files(network, accelerator)
    if network is None:
        if accelerator is None:
            raise TypeError("generate must be given a network, an accelerator or both")
        if tested:
            raise ValueError(f"testbench must be 'none' without a network, not {str(chosen)!r}")
        config = load_accelerator(accelerator)
        identity = {"accelerator": f"{config.fingerprint:08x}"}
        pair = None
    else:
        pair = load_pair(network, accelerator, seed=seed)
        config, identity = pair.accelerator, {"network": pair.network.name}
    contents = Contents(command="generate", identity=identity, files=())
    with stage_folder(folder, contents, inputs=inputs, force=force) as staging:
        if package and pair is not None:
            written = generate_package(pair, images, options).write(staging)
            return _packaged(folder, [path.relative_to(staging) for path in written])
        if pair is None:
            generated = generate_accelerator(config, options, single_file=single_file)
        else:
            generated = generate_design(
                pair, images, testbench=chosen, options=options, single_file=single_file
            )
        generated.write(staging)
    sources = [name for name in generated.verilog.names if name.endswith(".v")]
    program = generated.program is not None
    return GeneratedFiles(
        folder=folder,
        verilog=tuple(folder / name for name in sources),
        file_list=folder / FILE_LIST,
        manifest=folder / MANIFEST_FILE,
        program=folder / PROGRAM_FILE if program else None,
        program_manifest=folder / PROGRAM_MANIFEST if program else None,
        testbench=tuple(folder / name for name in TESTBENCH_FILES[chosen]),
    )


def _check_package(
    network: NetworkSource | None, testbench: StandaloneTestbench, prefix: str, *, single_file: bool
) -> None:
    """Refuse what a package cannot be."""
    if network is None:
        raise ValueError("package must be False without a network, not True")
    if testbench is not StandaloneTestbench.NONE:
        raise ValueError(f"testbench must be 'none' with package, not {str(testbench)!r}")
    if prefix != PREFIX:
        raise ValueError(f"prefix must be {PREFIX!r} with package, not {prefix!r}")
    if single_file:
        raise ValueError("single_file must be False with package, not True")


def _packaged(folder: Path, names: list[Path]) -> GeneratedFiles:
    """Tell the files of a package apart, which will lie in a folder."""
    rtl, program = Path("rtl"), Path("sw")
    own = (rtl / FILE_LIST, rtl / MANIFEST_FILE, program / PROGRAM_FILE, program / PROGRAM_MANIFEST)
    verilog = [name for name in names if name.parent == rtl and name.suffix == ".v"]
    testbench = [name for name in names if name.parts[0] == "sim"]
    others = [name for name in names if name not in {*own, *verilog, *testbench}]
    file_list, manifest, image, image_manifest = (folder / name for name in own)
    return GeneratedFiles(
        folder=folder,
        verilog=tuple(folder / name for name in verilog),
        file_list=file_list,
        manifest=manifest,
        program=image,
        program_manifest=image_manifest,
        testbench=tuple(folder / name for name in testbench),
        package=tuple(folder / name for name in others),
    )
