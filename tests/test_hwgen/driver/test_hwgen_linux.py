"""The example for Linux: compiled as its user does, and run in front of registers that answer."""

from pathlib import Path

import numpy as np
import pytest

from accelerators import SMALLEST
from hwgen.driver.program_data import DriverProgram, program_of
from hwgen.package.files import software_files
from hwgen.subprocesses import run_program
from sim.realizability import map_realizable
from standalone_folders import one_layer, several_ends

PAGE = 4096
ADDRESS = 0x8000_0000
"""Beyond what 31 bits address."""

FAKE = r"""
/* An accelerator behind the functions that the example reads and writes registers with. A run writes into every byte of
 * an image's outputs the sum of the bytes of its inputs, the byte's place in the memory, and the number of the run. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "cosilico.h"
#include "program.h"

static uint32_t registers[COSILICO_MAP_BYTES / 4];
static uint32_t runs, polls;

static uint8_t *memory(void) {
  static uint8_t *mapped;
  if (!mapped)
    mapped = mmap(NULL, COSILICO_NETWORK.memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                  open(getenv("FAKE_DEVICE"), O_RDWR), 4096);
  return mapped;
}

static uint32_t bytes_of(const struct cosilico_tensor *tensor) {
  uint32_t channels = tensor->channels, i;
  for (i = 0; i < tensor->span_count; ++i) channels = tensor->spans[i].first + tensor->spans[i].count;
  return (channels + tensor->vector_bytes - 1) / tensor->vector_bytes * tensor->height * tensor->width *
         tensor->pixel_bytes;
}

static uint32_t sum(const struct cosilico_tensor *tensor, uint32_t image) {
  uint32_t i, total = 0;
  for (i = 0; i < bytes_of(tensor); ++i) total += memory()[tensor->address + image * tensor->image_bytes + i];
  return total;
}

static void fill(const struct cosilico_tensor *tensor, uint32_t image, uint32_t value) {
  uint32_t i, at;
  for (i = 0; i < bytes_of(tensor); ++i) {
    at = tensor->address + image * tensor->image_bytes + i;
    memory()[at] = (uint8_t)(value + at);
  }
}

static void run(void) {
  const struct cosilico_program *program = &COSILICO_NETWORK;
  uint32_t image, i, total;
  for (image = 0; image < program->images; ++image) {
    total = runs + sum(&program->input, image);
    for (i = 0; i < program->further_input_count; ++i) total += sum(&program->further_inputs[i], image);
    fill(&program->output, image, total);
    for (i = 0; i < program->further_output_count; ++i) fill(&program->further_outputs[i], image, total);
  }
  registers[COSILICO_CYCLES / 4] = 1000 + runs++;
}

uint32_t cosilico_memory_mapped_read(void *there, uint32_t offset) {
  (void)there;
  registers[COSILICO_ID / 4] = COSILICO_MAGIC;
  registers[COSILICO_VERSION / 4] = COSILICO_HEADER_VERSION << COSILICO_VERSION_HEADER_SHIFT |
                                    COSILICO_REGISTERS_VERSION << COSILICO_VERSION_REGISTERS_SHIFT;
  registers[COSILICO_FINGERPRINT / 4] = COSILICO_NETWORK.fingerprint;
  if (offset == COSILICO_IRQ_PENDING && polls && !--polls) {
    if (getenv("FAKE_ERROR")) {
      registers[COSILICO_STATUS / 4] = COSILICO_STATUS_ERROR_MASK;
      registers[COSILICO_ERROR / 4] = COSILICO_CAUSE_WINDOW | COSILICO_PORT_READ << COSILICO_ERROR_PORT_SHIFT;
      registers[COSILICO_ERROR_ADDRESS / 4] = 0x80001234u;
      registers[COSILICO_IRQ_PENDING / 4] = COSILICO_IRQ_PENDING_ERROR_MASK;
    } else {
      run();
      registers[COSILICO_STATUS / 4] = COSILICO_STATUS_DONE_MASK;
      registers[COSILICO_IRQ_PENDING / 4] = COSILICO_IRQ_PENDING_DONE_MASK;
    }
  }
  return registers[offset / 4];
}

void cosilico_memory_mapped_write(void *there, uint32_t offset, uint32_t value) {
  (void)there;
  if (offset == COSILICO_IRQ_PENDING)
    registers[offset / 4] &= ~value;
  else if (offset == COSILICO_CONTROL)
    polls = registers[COSILICO_MEMORY_BASE / 4] == 0x80000000u ? 3 : 0;
  else
    registers[offset / 4] = value;
}
"""


def written(described: DriverProgram, base: Path) -> Path:
    """Write ``sw`` of a package."""
    for name, content in software_files(described).items():
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes) else content.encode()
        (base / name).write_bytes(data)
    return base


def maps(folder: Path, address: int, size: int) -> Path:
    """Write what the kernel tells of the device's memory."""
    (folder / "map1").mkdir(exist_ok=True)
    (folder / "map1" / "addr").write_text(f"0x{address:016x}\n")
    (folder / "map1" / "size").write_text(f"0x{size:016x}\n")
    return folder


def test_it_is_compiled_and_asks_for_its_device(tmp_path: Path) -> None:
    base = written(program_of(map_realizable(SMALLEST, one_layer())), tmp_path / "sw")
    built = run_program(["make", "-C", str(base / "linux"), "CFLAGS=-O0"])
    assert (built.returncode, built.stderr) == (0, "")
    program, device = str(base / "linux" / "cosilico_uio"), tmp_path / "uio0"
    device.write_bytes(bytes(1 << 16))
    absent = run_program([program, str(device), str(device)])
    assert (absent.returncode, absent.stderr) == (
        1,
        "/sys/class/uio/uio0/maps: must tell the address and size of map1\n",
    )
    silent = run_program(
        [program, str(device), str(device), str(maps(tmp_path, 0x78000000, 0x8000))]
    )
    assert (silent.returncode, silent.stderr) == (
        1,
        f"{device}: no accelerator answers at the registers\n",
    )
    for address, size in ((1 << 32, 0x8000), (0xFFFFF000, 0x2000), (0x78000000, 0)):
        far = run_program([program, str(device), str(device), str(maps(tmp_path, address, size))])
        assert (far.returncode, far.stderr) == (
            1,
            f"{tmp_path}: must tell of a map1 that 32 bits address\n",
        )


@pytest.mark.parametrize(("several", "images"), [(False, 1), (True, 2)])
def test_it_runs_all_images_of_a_file(several: bool, images: int, tmp_path: Path) -> None:
    network = several_ends() if several else one_layer()
    described = program_of(map_realizable(SMALLEST, network, images))
    program = described.program
    base = written(described, tmp_path / "sw")
    (base / "fake.c").write_text(FAKE)
    renamed = [f"-Dcosilico_memory_mapped_{kind}=other_{kind}" for kind in ("read", "write")]
    compiler = ["gcc", "-std=gnu99", "-Wall", "-Wextra", "-Werror", "-O1", "-I."]
    for command in (
        [*compiler, *renamed, "-c", "cosilico.c", "-o", "driver.o"],
        [*compiler, "linux/cosilico_uio.c", "fake.c", "driver.o", "program.c", "-o", "example"],
    ):
        result = run_program(command, folder=base)
        assert (result.returncode, result.stderr) == (0, "")
    memory_bytes = -(-program.memory_bytes // PAGE) * PAGE
    device, given = tmp_path / "uio0", tmp_path / "given.bin"
    device.write_bytes(np.random.default_rng(1).bytes(PAGE + memory_bytes))
    folder = maps(tmp_path, ADDRESS, memory_bytes)
    runs = 3
    inputs = np.random.default_rng(2).integers(
        -128, 128, (runs * images, *network.image_shape), np.int8
    )
    given.write_bytes(inputs.tobytes())
    command = [str(base / "example"), str(device), str(given), str(folder)]
    result = run_program(command, environment={"FAKE_DEVICE": str(device)})
    assert (result.returncode, result.stderr) == (0, "")
    wanted = []
    for run in range(runs):
        for image, tensors in enumerate(
            program.inputs.images_of(inputs[run * images : (run + 1) * images])
        ):
            total = run + sum(
                sum(place.pack(tensors[name])) for name, place in program.inputs.places.items()
            )
            for place in program.outputs.places.values():
                start = place.address + image * place.image_bytes
                there = range(start, start + place.size_bytes)
                values = place.unpack(bytes((total + at) % 256 for at in there))
                wanted.append(" ".join(map(str, values.reshape(-1).tolist())))
        wanted.append(f"{1000 + run} cycles")
    assert result.stdout.splitlines() == wanted
    size = images * inputs[0].size
    for data, line in (
        (b"", f"must have {size} bytes for each run, not 0 behind 0 runs"),
        (bytes(size + 3), f"must have {size} bytes for each run, not 3 behind 1 runs"),
    ):
        given.write_bytes(data)
        short = run_program(command, environment={"FAKE_DEVICE": str(device)})
        assert (short.returncode, short.stderr) == (1, f"{given}: {line}\n")
    given.write_bytes(bytes(size))
    stopped = run_program(command, environment={"FAKE_DEVICE": str(device), "FAKE_ERROR": "1"})
    assert (stopped.returncode, stopped.stdout) == (1, "")
    assert stopped.stderr == (
        f"{network.name}: WINDOW on port READ at address 0x80001234\n"
        f"{network.name}: the run was stopped\n"
    )
