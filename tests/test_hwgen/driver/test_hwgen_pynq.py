"""The class for PYNQ: built and imported from a package's folder, in front of registers that a test answers."""

import importlib.util
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accelerators import SMALLEST
from c_driver import NAMES, FakeAccelerator
from hwgen.driver.program_data import DriverProgram, program_of
from hwgen.package.files import software_files
from hwgen.package.program_manifest import program_manifest
from hwgen.subprocesses import run_program
from sim.realizability import map_realizable
from sim.spec.stops import StopCause
from standalone_folders import one_layer, several_ends

BUS = 0x1680_0000


class Registers:
    """Registers as ``pynq.MMIO`` offers them, in front of an accelerator in Python."""

    def __init__(self, accelerator: FakeAccelerator) -> None:
        self.accelerator = accelerator

    def read(self, offset: int) -> int:
        """Read a register."""
        return self.accelerator.read(NAMES[offset])

    def write(self, offset: int, value: int) -> None:
        """Write a register."""
        self.accelerator.write(NAMES[offset], value)


class Buffer(np.ndarray[Any, np.dtype[np.uint8]]):
    """A buffer as ``pynq.allocate`` returns it: bytes as the processor sees them, and as the bus does."""

    physical_address = BUS
    bus: Any
    freed: bool

    def flush(self) -> None:
        """Let the bus see what the processor wrote."""
        self.bus[:] = self

    def invalidate(self) -> None:
        """Let the processor see what the bus wrote."""
        self[:] = self.bus

    def freebuffer(self) -> None:
        """Give the memory back."""
        self.freed = True


def allocate(shape: tuple[int, ...], dtype: Any) -> Buffer:
    noise = np.random.default_rng(5).integers(0, 256, shape, dtype)
    buffer = noise.view(Buffer)
    buffer.bus = np.random.default_rng(6).integers(0, 256, shape, dtype)
    buffer.freed = False
    return buffer


@pytest.fixture(scope="module")
def program() -> DriverProgram:
    return program_of(map_realizable(SMALLEST, one_layer(), 2))


def built(program: DriverProgram, base: Path) -> Path:
    """Write ``sw`` of a package, with the library built."""
    for name, content in software_files(program).items():
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes) else content.encode()
        (base / name).write_bytes(data)
    (base / "program.json").write_text(json.dumps(program_manifest(program.program, SMALLEST)))
    made = run_program(["make", "-C", str(base / "pynq"), "CFLAGS=-O1"])
    assert (made.returncode, made.stderr) == (0, "")
    return base


@pytest.fixture(scope="module")
def folder(program: DriverProgram, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(program, tmp_path_factory.mktemp("sw"))


def module(folder: Path) -> Any:
    spec = importlib.util.spec_from_file_location(
        "cosilico_pynq", folder / "pynq" / "cosilico_pynq.py"
    )
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def computing(
    program: DriverProgram, buffers: list[Buffer], function: Callable[..., Any]
) -> FakeAccelerator:
    """Return an accelerator that reads its inputs in the memory and writes a function of them, an array for each output."""

    def behave(accelerator: FakeAccelerator) -> tuple[str, ...]:
        (buffer,) = buffers
        base = accelerator.registers["MEMORY_BASE"] - BUS
        sources, results = program.program.inputs.places, program.program.outputs.places
        for image in range(program.program.images):
            given = []
            for place in sources.values():
                start = base + place.address + image * place.image_bytes
                given.append(place.unpack(bytes(buffer.bus[start : start + place.size_bytes])))
            for place, y in zip(results.values(), function(*given), strict=True):
                start = base + place.address + image * place.image_bytes
                used = np.frombuffer(place.pack(np.full(place.shape, -1, np.int8)), np.uint8)
                packed = np.frombuffer(place.pack(y), np.uint8)
                there = buffer.bus[start : start + len(packed)]
                there[used != 0] = packed[used != 0]
        return ("done",)

    return FakeAccelerator(SMALLEST, behave, registers={"CYCLES": 1234})


def test_images_go_in_and_outputs_come_out(folder: Path, program: DriverProgram) -> None:
    buffers: list[Buffer] = []
    shape, result = program.program.input.shape, program.program.output.shape

    def function(x: Any) -> tuple[Any]:
        return (np.resize(x.ravel()[::-1], result).astype(np.int8),)

    def kept(**options: Any) -> Buffer:
        buffers.append(allocate(**options))
        return buffers[-1]

    accelerator = computing(program, buffers, function)
    images = np.random.default_rng(1).integers(-128, 128, (4, *shape), np.int8)
    with module(folder).Accelerator(Registers(accelerator), kept) as device:
        assert device.input_shapes == {"input": shape}
        assert device.output_shapes == {"conv": result}
        y = device.run(images)
        assert device.cycles == 1234
        described = program.program
        assert bytes(buffers[0].bus[: len(described.image)])[described.header_address :].startswith(
            described.image[described.header_address :][:64]
        )
        for wrong, message in (
            (images[:3], "images must be a multiple of 2, not 3"),
            (
                images.astype(np.uint8),
                "images of input must be int8 of (4, 3, 3, 4), not uint8 of ",
            ),
            (images[:, 1:], "images of input must be int8 of (4, 3, 3, 4), not int8 of (4, 2, "),
        ):
            with pytest.raises(ValueError, match=re.escape(message)):
                device.run(wrong)
    assert buffers[0].freed
    assert y.tolist() == [function(x)[0].tolist() for x in images]
    cold, warm = program.program.header_address, program.program.warm_address
    assert [base for base, _ in accelerator.rung] == [BUS + cold, BUS + warm]


def test_several_inputs_and_outputs_are_arrays_each(tmp_path: Path) -> None:
    program = program_of(map_realizable(SMALLEST, several_ends(), 2))
    shapes = {name: place.shape for name, place in program.program.inputs.places.items()}
    results = {name: place.shape for name, place in program.program.outputs.places.items()}
    assert (list(shapes), list(results)) == (["a", "b"], ["mean", "b_seen", "both"])

    def function(a: Any, b: Any) -> list[Any]:
        """Channels 3 … 8 of the third output are the second output."""
        mean = np.resize(a.ravel() ^ 1, results["mean"])
        seen = np.resize(b.ravel()[::-1], results["b_seen"])
        return [mean, seen, np.concatenate([a ^ 2, seen], axis=2)]

    buffers: list[Buffer] = []

    def kept(**options: Any) -> Buffer:
        buffers.append(allocate(**options))
        return buffers[-1]

    accelerator = computing(program, buffers, function)
    draw = np.random.default_rng(2)
    a, b = (draw.integers(-128, 128, (4, *shape), np.int8) for shape in shapes.values())
    made = module(built(program, tmp_path))
    with made.Accelerator(Registers(accelerator), kept) as device:
        assert (device.input_shapes, device.output_shapes) == (shapes, results)
        given = device.run(a, b)
        device.reset()
        for wrong, message in (
            ((a,), "run must be given 2 arrays, not 1"),
            ((a, b[:2]), "images of b must be int8 of (4, 3, 2, 5), not int8 of (2, 3, 2, 5)"),
        ):
            with pytest.raises(ValueError, match=rf"^{re.escape(message)}$"):
                device.run(*wrong)
    wanted = [function(*pair) for pair in zip(a, b, strict=True)]
    for place, outputs in enumerate(given):
        assert outputs.tolist() == [image[place].tolist() for image in wanted]
    assert len(given) == 3
    assert len(accelerator.rung) == 2


def test_what_goes_wrong_has_the_drivers_words(folder: Path, program: DriverProgram) -> None:
    made = module(folder)
    buffers: list[Buffer] = []

    def kept(**options: Any) -> Buffer:
        buffers.append(allocate(**options))
        return buffers[-1]

    def fail(accelerator: FakeAccelerator) -> None:
        accelerator.registers["ERROR_ADDRESS"] = 0x1234
        accelerator.end("error", cause=StopCause.RESPONSE)

    images = np.zeros((2, *program.program.input.shape), np.int8)
    accelerator = FakeAccelerator(SMALLEST, fail)
    with made.Accelerator(Registers(accelerator), kept) as device:
        line = r"^the run was stopped: RESPONSE at address 0x00001234$"
        with pytest.raises(made.AcceleratorError, match=line):
            device.run(images)
    endless = FakeAccelerator(SMALLEST, lambda _: None)
    with made.Accelerator(Registers(endless), kept, patience_s=0.01) as device:
        with pytest.raises(made.AcceleratorError, match=r"^the run is not over yet$"):
            device.run(images)
        assert endless.registers["ERROR"] & 15 == StopCause.ABORT
    with pytest.raises(made.AcceleratorError, match=r"^no accelerator answers at the registers$"):
        made.Accelerator(Registers(FakeAccelerator(SMALLEST, registers={"ID": 0})), kept)
    other = FakeAccelerator(SMALLEST, registers={"FINGERPRINT": 1})
    with pytest.raises(made.AcceleratorError, match=r"^the program is for another accelerator$"):
        made.Accelerator(Registers(other), kept)
    assert len(buffers) == 3
    assert all(buffer.freed for buffer in buffers)


def test_without_the_library_make_is_named(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "sw")
    (tmp_path / "sw" / "pynq" / "libcosilico.so").unlink()
    made = module(tmp_path / "sw")
    line = rf"^\S+libcosilico\.so must be built: make -C {re.escape(str(tmp_path))}/sw/pynq$"
    with pytest.raises(made.AcceleratorError, match=line):
        made.Accelerator(None, allocate)
