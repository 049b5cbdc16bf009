// The harness's memory (axi_memory.h) behind the DPI functions of model_memory.sv. BUS_BYTES and
// DESCRIPTOR_BUS_BYTES are defined before.
//
//   memory.txt   values of the memory, "key value" lines as in a job (job.h); "bytes", its size; and
//                "accelerator_mhz"

#include <memory>

#include "axi_memory.h"
#include "axi_report.h"
#include "job.h"
#include "memory_ports.h"
#include "svdpi.h"

namespace cosilico {

class ModelMemory {
  public:
    ModelMemory() : timing_(read()), ports(memory, timing_, accelerator_mhz_) {
        host_ready_ = !ports.csr.stalled();
    }
    ModelMemory(const ModelMemory&) = delete;
    void operator=(const ModelMemory&) = delete;

    // Ends a cycle, with what the design drove in it, and begins the next.
    template <class Observe, class Reset>
    void end_cycle(bool reset, bool doorbell, bool busy, bool host_busy, Observe observe,
                   Reset while_reset) {
        if (doorbell) {
            ports.dram.restart(cycle_);
            begins_ = true;
        }
        if (reset) while_reset();
        else {
            if (begins_ && busy) {
                ports.restart(cycle_);
                begins_ = false;
            }
            observe(cycle_);
        }
        // The host's stalls are drawn in the cycles of its accesses alone.
        if (host_busy) host_ready_ = !ports.csr.stalled();
        ++cycle_;
    }
    void drive() { ports.drive(cycle_); }
    bool host_ready() const { return host_ready_; }

  private:
    MemoryTiming read() {
        MemoryTiming timing;
        std::map<std::string, uint64_t*> fields = memory_fields(timing);
        uint64_t bytes = 0;
        fields["accelerator_mhz"] = &accelerator_mhz_;
        fields["base"] = &memory.base;
        fields["bytes"] = &bytes;
        File file(".", "memory.txt", "r");
        char key[64];
        long long value;
        while (std::fscanf(file.stream(), "%63s %lld", key, &value) == 2) {
            if (!fields.count(key)) {
                std::fprintf(stderr, "memory.txt has unknown key %s\n", key);
                std::exit(2);
            }
            *fields.at(key) = value;
        }
        memory.bytes.resize(bytes);
        reset_clears_bus = timing.reset_clears;
        return timing;
    }

    uint64_t accelerator_mhz_ = 1;

  public:
    MemoryBytes memory; // before what is made of it

  private:
    MemoryTiming timing_;

  public:
    MemoryPorts<BUS_BYTES, DESCRIPTOR_BUS_BYTES> ports;

  private:
    bool host_ready_ = true;
    bool begins_ = false; // between the doorbell and the run's cycle 0
    uint64_t cycle_ = 0;
};

inline ModelMemory& model_memory() {
    static ModelMemory memory;
    return memory;
}

inline uint8_t* place(int address, int bytes) {
    ModelMemory& model = model_memory();
    uint8_t* first = model.memory.at(model.memory.base + uint32_t(address), bytes);
    if (!first) {
        std::fprintf(stderr, "a tensor lies outside the program's memory\n");
        std::exit(2);
    }
    return first;
}

} // namespace cosilico

extern "C" void model_memory_begin() { cosilico::model_memory(); }

extern "C" void model_memory_observe(
    svBit reset, svBit doorbell, svBit busy, svBit host_busy, svBit arvalid,
    const svBitVecVal* araddr, const svBitVecVal* arlen, svBit rready, svBit awvalid, const svBitVecVal* awaddr,
    const svBitVecVal* awlen, svBit wvalid, const svBitVecVal* wdata, const svBitVecVal* wstrb,
    svBit wlast, svBit bready, svBit desc_arvalid, const svBitVecVal* desc_araddr,
    const svBitVecVal* desc_arlen, svBit desc_rready) {
    cosilico::ModelMemory& model = cosilico::model_memory();
    model.end_cycle(
        reset, doorbell, busy, host_busy,
        [&](uint64_t cycle) {
            model.ports.read.observe(cycle, arvalid, {*araddr, uint8_t(*arlen), 0, 1, 0}, rready);
            model.ports.write.observe(cycle, awvalid, {*awaddr, uint8_t(*awlen), 0, 1, 0}, wvalid, wdata,
                                 wstrb, wlast, bready);
            model.ports.descriptors.observe(cycle, desc_arvalid,
                                       {*desc_araddr, uint8_t(*desc_arlen), 0, 1, 0}, desc_rready);
        },
        [&] {
            model.ports.read.reset(rready);
            model.ports.write.reset(bready);
            model.ports.descriptors.reset(desc_rready);
        });
}

extern "C" void model_memory_drive(
    svBit* host_ready, svBit* arready, svBit* rvalid, svBitVecVal* rdata, svBit* rlast,
    svBitVecVal* rresp, svBit* awready, svBit* wready, svBit* bvalid, svBitVecVal* bresp,
    svBit* desc_arready, svBit* desc_rvalid, svBitVecVal* desc_rdata, svBit* desc_rlast,
    svBitVecVal* desc_rresp) {
    cosilico::ModelMemory& model = cosilico::model_memory();
    model.drive();
    *host_ready = model.host_ready();
    *arready = model.ports.read.arready;
    *rvalid = model.ports.read.rvalid;
    std::memset(rdata, 0, (BUS_BYTES + 3) / 4 * 4);
    std::memcpy(rdata, model.ports.read.rdata, BUS_BYTES);
    *rlast = model.ports.read.rlast;
    *rresp = model.ports.read.rresp;
    *awready = model.ports.write.awready;
    *wready = model.ports.write.wready;
    *bvalid = model.ports.write.bvalid;
    *bresp = model.ports.write.bresp;
    *desc_arready = model.ports.descriptors.arready;
    *desc_rvalid = model.ports.descriptors.rvalid;
    std::memcpy(desc_rdata, model.ports.descriptors.rdata, DESCRIPTOR_BUS_BYTES);
    *desc_rlast = model.ports.descriptors.rlast;
    *desc_rresp = model.ports.descriptors.rresp;
}

extern "C" void model_memory_load(int address, int bytes) {
    cosilico::File(".", "backdoor.in", "rb").read(cosilico::place(address, bytes), bytes);
}

extern "C" void model_memory_store(int address, int bytes) {
    cosilico::File(".", "backdoor.out", "wb").write(cosilico::place(address, bytes), bytes);
}
