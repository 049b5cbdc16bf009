// The harness's memory (axi_memory.h) behind the DPI functions of model_memory.sv. BUS_BYTES and
// DESCRIPTOR_BUS_BYTES are defined before.
//
//   memory.txt   values of the memory, "key value" lines as in a job (job.h), and "bytes", its size

#include <memory>

#include "axi_memory.h"
#include "axi_report.h"
#include "job.h"
#include "svdpi.h"

namespace cosilico {

class ModelMemory {
  public:
    ModelMemory() : timing_(read()), dram(timing_.dram), read_(memory, dram, timing_, PORT_READ),
                    write_(memory, dram, timing_, PORT_WRITE),
                    descriptors_(memory, dram, timing_, PORT_DESCRIPTORS), csr_(timing_, 31) {
        host_ready_ = !csr_.stalled();
    }
    ModelMemory(const ModelMemory&) = delete;
    void operator=(const ModelMemory&) = delete;

    // Ends a cycle, and begins the next.
    template <class Observe, class Reset> void end_cycle(bool reset, bool doorbell, bool busy, bool host_busy,
                                                         Observe observe, Reset while_reset) {
        if (doorbell) dram.restart(cycle_);
        if (reset) while_reset();
        else observe(cycle_);
        // The host's stalls are drawn in the cycles of its accesses alone.
        if (host_busy) host_ready_ = !csr_.stalled();
        ++cycle_;
    }
    void drive() {
        read_.drive(cycle_);
        write_.drive(cycle_);
        descriptors_.drive(cycle_);
    }
    bool host_ready() const { return host_ready_; }

  private:
    MemoryTiming read() {
        MemoryTiming timing;
        std::map<std::string, uint64_t*> fields = memory_fields(timing);
        uint64_t bytes = 0;
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

  public:
    MemoryBytes memory; // before what is made of it

  private:
    MemoryTiming timing_;

  public:
    Dram dram;
    ReadPort<BUS_BYTES> read_;
    WritePort<BUS_BYTES> write_;
    ReadPort<DESCRIPTOR_BUS_BYTES> descriptors_;

  private:
    Stalls csr_; // of the host's READY
    bool host_ready_ = true;
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
            uint64_t strobes = 0;
            std::memcpy(&strobes, wstrb, (BUS_BYTES + 31) / 32 * 4 < 8 ? (BUS_BYTES + 31) / 32 * 4 : 8);
            model.read_.observe(cycle, arvalid, {*araddr, uint8_t(*arlen), 0, 1, 0}, rready);
            model.write_.observe(cycle, awvalid, {*awaddr, uint8_t(*awlen), 0, 1, 0}, wvalid, wdata,
                                 strobes, wlast, bready);
            model.descriptors_.observe(cycle, desc_arvalid,
                                       {*desc_araddr, uint8_t(*desc_arlen), 0, 1, 0}, desc_rready);
        },
        [&] {
            model.read_.reset(rready);
            model.write_.reset(bready);
            model.descriptors_.reset(desc_rready);
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
    *arready = model.read_.arready;
    *rvalid = model.read_.rvalid;
    std::memset(rdata, 0, (BUS_BYTES + 3) / 4 * 4);
    std::memcpy(rdata, model.read_.rdata, BUS_BYTES);
    *rlast = model.read_.rlast;
    *rresp = model.read_.rresp;
    *awready = model.write_.awready;
    *wready = model.write_.wready;
    *bvalid = model.write_.bvalid;
    *bresp = model.write_.bresp;
    *desc_arready = model.descriptors_.arready;
    *desc_rvalid = model.descriptors_.rvalid;
    std::memcpy(desc_rdata, model.descriptors_.rdata, DESCRIPTOR_BUS_BYTES);
    *desc_rlast = model.descriptors_.rlast;
    *desc_rresp = model.descriptors_.rresp;
}

extern "C" void model_memory_load(int address, int bytes) {
    cosilico::File(".", "backdoor.in", "rb").read(cosilico::place(address, bytes), bytes);
}

extern "C" void model_memory_store(int address, int bytes) {
    cosilico::File(".", "backdoor.out", "wb").write(cosilico::place(address, bytes), bytes);
}
