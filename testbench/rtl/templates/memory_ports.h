// The memory behind all of the accelerator's ports, and the host's readiness: what the harness and the
// cocotb bench have in common.

#ifndef COSILICO_MEMORY_PORTS_H
#define COSILICO_MEMORY_PORTS_H

#include "axi_memory.h"

namespace cosilico {

// Per cycle call drive(), and then restart() where it begins a run, and observe or reset each port.
template <unsigned BUS_BYTES, unsigned DESCRIPTOR_BUS_BYTES> struct MemoryPorts {
    MemoryPorts(MemoryBytes& memory, const MemoryTiming& timing, uint64_t mhz)
        : dram(timing.dram), link(timing.interconnect),
          read(memory, dram, link, timing, mhz, PORT_READ),
          write(memory, dram, link, timing, mhz, PORT_WRITE),
          descriptors(memory, dram, link, timing, mhz, PORT_DESCRIPTORS), csr(timing, 31) {}
    MemoryPorts(const MemoryPorts&) = delete;
    void operator=(const MemoryPorts&) = delete;

    void drive(uint64_t cycle) {
        link.step(cycle);
        read.drive(cycle);
        write.drive(cycle);
        descriptors.drive(cycle);
    }

    // A run begins: this is its cycle 0.
    void restart(uint64_t cycle) {
        read.restart(cycle);
        write.restart(cycle);
        descriptors.restart(cycle);
    }

    Dram dram; // restarted with the doorbell's write
    Interconnect link;
    ReadPort<BUS_BYTES> read;
    WritePort<BUS_BYTES> write;
    ReadPort<DESCRIPTOR_BUS_BYTES> descriptors;
    Stalls csr; // of the host's READY
};

} // namespace cosilico

#endif
