"""The module for Zephyr: compiled against stand-ins of the kernel's headers, and its binding read by Zephyr's library."""

import ctypes
from collections.abc import Callable
from ctypes import CFUNCTYPE, c_int, c_int64, c_size_t, c_uint32
from ctypes import c_void_p as pointer
from pathlib import Path
from typing import Any

import pytest

from accelerators import SMALLEST
from c_driver import NAMES, STRICT, FakeAccelerator, Memory, Platform, program_data
from hwgen.driver.sources import COMPATIBLE, driver_sources, system_sources
from hwgen.placement import TensorPlacement
from hwgen.subprocesses import run_program

REGISTERS = 0x4000_0000
OK, STOPPED = 0, 11
PATIENCE_US = 1000

HEADERS = {
    "device.h": """
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct device { const char *name; const void *config; void *data; };
extern const struct device device_0, device_1;
#define DEVICE_DT_INST_GET(n) (&device_##n)
#define POST_KERNEL 1
#define CONFIG_KERNEL_INIT_PRIORITY_DEVICE 50
#define DEVICE_DT_INST_DEFINE(n, init, pm, own_data, own_config, level, priority, api)     \\
  const struct device device_##n = {"accelerator", own_config, own_data};                  \\
  int start_##n(void);                                                                     \\
  int start_##n(void) { return (pm) || (api) || level != 1 || priority != 50 ? -1 : init(&device_##n); }
#define DT_INST_FOREACH_STATUS_OKAY(each) each(0) each(1)
#define DT_INST_IRQN(n) (29u + n)
#define DT_INST_IRQ(n, cell) irq_##cell(n)
static inline unsigned irq_priority(unsigned n) { return n + 1u; }
#define DT_INST_REG_ADDR_BY_IDX(n, i) ((i) ? memory_of_test : 0x40000000u + 0x1000u * n)
#define DT_INST_REG_SIZE_BY_IDX(n, i) ((i) ? 0x4000u * (n + 1u) : 0x1000u)
#define memory_of_test 0x78000000u
""",
    "kernel.h": """
#pragma once
#include <zephyr/device.h>
#define ARG_UNUSED(x) (void)(x)
struct k_sem { unsigned count, limit; };
typedef struct { int64_t us; } k_timeout_t;
#define K_USEC(t) ((k_timeout_t){t})
int k_sem_init(struct k_sem *sem, unsigned count, unsigned limit);
void k_sem_give(struct k_sem *sem);
int k_sem_take(struct k_sem *sem, k_timeout_t timeout);
int64_t k_uptime_ticks(void);
uint64_t k_ticks_to_us_floor64(uint64_t ticks);
""",
    "irq.h": """
#pragma once
#include <zephyr/device.h>
typedef void (*handler)(const struct device *device);
void connect_of_test(unsigned irq, unsigned priority, handler function, const struct device *device);
void irq_enable(unsigned irq);
#define IRQ_CONNECT(irq, priority, function, argument, flags) \\
  connect_of_test(irq, priority, function, (flags) ? NULL : argument)
""",
    "cache.h": """
#pragma once
#include <zephyr/kernel.h>
int sys_cache_data_flush_range(void *address, size_t size);
int sys_cache_data_flush_and_invd_range(void *address, size_t size);
""",
    "sys/sys_io.h": """
#pragma once
#include <stdint.h>
typedef uintptr_t mm_reg_t;
uint32_t sys_read32(mm_reg_t address);
void sys_write32(uint32_t data, mm_reg_t address);
""",
}
"""Stand-ins of the headers that the module includes, with two accelerators in the device tree."""

KERNEL = """
#include <zephyr/cache.h>
#include <zephyr/irq.h>
#include <zephyr/sys/sys_io.h>

uint32_t (*read_of_test)(uint64_t address);
void (*write_of_test)(uint64_t address, uint32_t data);
void (*sleep_of_test)(int64_t us);
int64_t (*ticks_of_test)(void);
void (*cache_of_test)(int kind, void *data, size_t bytes);

struct line { unsigned priority, enabled; handler function; const struct device *device; } lines[32];

void connect_of_test(unsigned irq, unsigned priority, handler function, const struct device *device) {
  lines[irq] = (struct line){priority, 0, function, device};
}
void irq_enable(unsigned irq) { lines[irq].enabled = 1; }
int raise_of_test(unsigned irq);
int raise_of_test(unsigned irq) {
  if (lines[irq].enabled) lines[irq].function(lines[irq].device);
  return (int)(lines[irq].priority * lines[irq].enabled);
}
int k_sem_init(struct k_sem *sem, unsigned count, unsigned limit) { return *sem = (struct k_sem){count, limit}, 0; }
void k_sem_give(struct k_sem *sem) { if (sem->count < sem->limit) ++sem->count; }
int k_sem_take(struct k_sem *sem, k_timeout_t timeout) {
  if (!sem->count) sleep_of_test(timeout.us);
  if (!sem->count) return -11;
  return --sem->count, 0;
}
int64_t k_uptime_ticks(void) { return ticks_of_test(); }
uint64_t k_ticks_to_us_floor64(uint64_t ticks) { return ticks * 100u; }
int sys_cache_data_flush_range(void *address, size_t size) { return cache_of_test(1, address, size), 0; }
int sys_cache_data_flush_and_invd_range(void *address, size_t size) { return cache_of_test(2, address, size), 0; }
uint32_t sys_read32(mm_reg_t address) { return read_of_test(address); }
void sys_write32(uint32_t data, mm_reg_t address) { write_of_test(address, data); }
const struct device *devices_of_test(unsigned n);
const struct device *devices_of_test(unsigned n) { return n ? &device_1 : &device_0; }
size_t device_bytes(void);
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The module and the driver as a library."""
    base = tmp_path_factory.mktemp("sw")
    texts = {**driver_sources(), **system_sources()}
    texts |= {f"stand_ins/zephyr/{name}": text for name, text in HEADERS.items()}
    size = "size_t device_bytes(void) { return sizeof(struct cosilico_device); }\n"
    texts["kernel.c"] = f'{KERNEL}#include "cosilico.h"\n{size}'
    for name, text in texts.items():
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text(text)
    sources = ["cosilico.c", "zephyr/cosilico_zephyr.c", "kernel.c"]
    flags = [flag for flag in STRICT if flag not in ("-Wpedantic", "-Wconversion")]
    command = ["gcc", *flags, "-O1", "-fPIC", "-shared", "-I.", "-Istand_ins"]
    built = run_program([*command, *sources, "-o", "library.so"], folder=base)
    assert (built.returncode, built.stderr) == (0, "")
    library: Any = ctypes.CDLL(str(base / "library.so"))
    library.devices_of_test.restype = pointer
    library.device_bytes.restype = c_size_t
    for name, result in (("platform", Platform), ("memory", Memory)):
        function = getattr(library, f"cosilico_zephyr_{name}")
        function.restype, function.argtypes = result, (pointer,)
    return library


def connected(library: Any, accelerator: FakeAccelerator, number: int) -> list[tuple[int, int]]:
    """Put an accelerator behind the registers of a device; returns what is asked of the cache."""
    base, caches = REGISTERS + 0x1000 * number, list[tuple[int, int]]()

    def sleep(us: int) -> None:
        accelerator.wait(us)
        if accelerator.registers["IRQ_PENDING"] & accelerator.registers["IRQ_ENABLE"]:
            library.raise_of_test(29 + number)

    functions: dict[str, tuple[Any, Callable[..., Any]]] = {
        "read": (
            CFUNCTYPE(c_uint32, ctypes.c_uint64),
            lambda at: accelerator.read(NAMES[at - base]),
        ),
        "write": (
            CFUNCTYPE(None, ctypes.c_uint64, c_uint32),
            lambda at, value: accelerator.write(NAMES[at - base], value),
        ),
        "sleep": (CFUNCTYPE(None, c_int64), sleep),
        "ticks": (CFUNCTYPE(c_int64), lambda: accelerator.clock),
        "cache": (
            CFUNCTYPE(None, c_int, pointer, c_size_t),
            lambda kind, data, size: caches.append((kind, size)),
        ),
    }
    for name, (kind, function) in functions.items():
        made = kind(function)
        accelerator.kept.append(made)
        pointer.in_dll(library, f"{name}_of_test").value = ctypes.cast(made, pointer).value
    return caches


@pytest.mark.parametrize("number", [0, 1])
def test_devices_lead_the_driver_to_their_registers(module: Any, number: int) -> None:
    endings = iter([("done",), ("done",), ("error",)])
    accelerator = FakeAccelerator(SMALLEST, behave=lambda _: next(endings))
    caches = connected(module, accelerator, number)
    assert module[f"start_{number}"]() == OK
    there = module.devices_of_test(number)
    platform, memory = module.cosilico_zephyr_platform(there), module.cosilico_zephyr_memory(there)
    assert (memory.data, memory.bus_address) == (0x78000000, 0x78000000)
    assert memory.bytes == 0x4000 * (number + 1)
    device = ctypes.create_string_buffer(module.device_bytes())
    assert module.cosilico_open(device, ctypes.byref(platform)) == OK
    size = 8192
    own = (ctypes.c_uint8 * size)()
    memory.data, memory.bytes = ctypes.addressof(own), size
    places = [
        TensorPlacement(
            address=address, height=1, width=3, channels=4, vector_bytes=4, pixel_bytes=4
        )
        for address in (64, 256)
    ]
    program = program_data(SMALLEST, places[0], places[1], segments=((4096, bytes(100)),))
    assert module.cosilico_load(device, ctypes.byref(program), ctypes.byref(memory)) == OK
    x = bytes(range(12))
    assert module.cosilico_write_input(device, 0, 0, x) == OK
    assert bytes(own[64:76]) == x
    assert [module.cosilico_run(device, PATIENCE_US) for _ in range(3)] == [OK, OK, STOPPED]
    assert module.cosilico_read_output(device, 0, ctypes.create_string_buffer(12)) == OK
    assert caches == [(1, 100), (1, 12), (2, 12)]
    assert all(0 < us <= PATIENCE_US for us in accelerator.waits)
    assert len(accelerator.waits) >= 3
    # The handler has masked the line, which is high until the driver clears what is pending
    assert accelerator.registers["IRQ_ENABLE"] == 0
    assert module.raise_of_test(29 + number) == number + 1


TREE = """
/dts-v1/;
/ {
  #address-cells = <1>;
  #size-cells = <1>;
  controller: interrupt-controller@c000000 {
    compatible = "test,controller";
    reg = <0xc000000 0x1000>;
    interrupt-controller;
    #interrupt-cells = <2>;
  };
  accelerator@40000000 {
    compatible = "COMPATIBLE";
    REGISTERS
    interrupts = <29 3>;
    interrupt-parent = <&controller>;
  };
};
"""

BINDINGS = {
    "base.yaml": """
properties:
  compatible: {type: string-array, required: true}
  reg: {type: array}
  interrupts: {type: array}
  interrupt-parent: {type: phandle}
""",
    "controller.yaml": """
description: of the test
compatible: "test,controller"
include: base.yaml
properties:
  "#interrupt-cells": {type: int, const: 2}
  interrupt-controller: {type: boolean}
interrupt-cells: [irq, priority]
""",
}


def test_zephyrs_library_reads_the_binding(tmp_path: Path) -> None:
    edtlib: Any = pytest.importorskip(
        "devicetree.edtlib", reason="the package devicetree must be installed"
    )
    own = {name: text for name, text in system_sources().items() if "zephyr/dts/" in name}
    assert len(own) == 2
    for name, text in {**own, **{f"base/{name}": text for name, text in BINDINGS.items()}}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    bindings = tmp_path / "zephyr" / "dts" / "bindings"
    prefixes = edtlib.load_vendor_prefixes_txt(str(bindings / "vendor-prefixes.txt"))
    assert prefixes == {"cosilico": "Cosilico"}

    def read(registers: str) -> Any:
        path = tmp_path / "tree.dts"
        tree = TREE.replace("COMPATIBLE", COMPATIBLE).replace("REGISTERS", registers)
        path.write_text(tree)
        folders = [str(bindings), str(tmp_path / "base")]
        return edtlib.EDT(str(path), folders, vendor_prefixes={"test": "", **prefixes})

    tree = read("reg = <0x40000000 0x1000>, <0x78000000 0x1000000>;")
    (node,) = tree.compat2nodes[COMPATIBLE]
    assert node.matching_compat == COMPATIBLE
    regions = [(region.addr, region.size) for region in node.regs]
    assert regions == [(0x40000000, 0x1000), (0x78000000, 0x1000000)]
    assert [interrupt.data for interrupt in node.interrupts] == [{"irq": 29, "priority": 3}]
    with pytest.raises(edtlib.EDTError, match="'reg' is marked as required"):
        read("")
