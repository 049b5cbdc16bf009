// One verilated accelerator as the harness sees it, whatever its names, its widths and its view: what is
// behind it (design.cpp.j2) is compiled for each, the harness once.

#ifndef COSILICO_DESIGN_H
#define COSILICO_DESIGN_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace cosilico {

struct AddressPins {
    bool valid;
    uint32_t address;
    uint8_t length, size, burst, id;
};

// What the harness drives.
struct DesignInputs {
    bool aresetn;
    bool arready, rvalid, rlast;
    uint8_t rid, rresp;
    const void* rdata; // of the beat that is valid
    bool awready, wready, bvalid;
    uint8_t bid, bresp;
    bool desc_arready, desc_rvalid, desc_rlast;
    uint8_t desc_rid, desc_rresp;
    const void* desc_rdata;
    bool csr_awvalid, csr_wvalid, csr_bready, csr_arvalid, csr_rready;
    uint32_t csr_awaddr, csr_wdata, csr_araddr;
};

// What the design drives, of one cycle.
struct DesignOutputs {
    AddressPins ar, aw, desc_ar;
    bool rready, bready, desc_rready, wvalid, wlast;
    const void *wdata, *wstrb;
    bool csr_awready, csr_wready, csr_bvalid, csr_arready, csr_rvalid;
    uint32_t csr_rdata;
    bool irq, busy;
    bool load_start, load_done, execute_start, execute_issue_end, execute_done, store_start, store_done;
};

class Design {
  public:
    // What is not reset holds anything, as after power-up, by the seed (INITIAL_VALUES in verilate.py).
    // Waves are written to the file of that name, by builds that can, unless it is null.
    Design(int initial_seed, const char* waves);
    ~Design();

    DesignInputs in = {};
    DesignOutputs out = {};

    void settle(); // the clock is low, and `out` becomes what the signals of this cycle are
    // The clock is high, and `out.irq` becomes what it is behind the edge. Both halves of the cycle go into
    // the waves if it is `shown`; times there count half cycles from power-up, shown or not.
    void rise(bool shown);

    // Of builds with coverage: what power-up and reset toggled, and all until the end.
    void write_power_up(const std::string& directory);
    void finish(const std::string& directory);

    // The shape of the local memories, in PEs and vectors.
    unsigned pes() const;
    unsigned banks() const; // of a PE
    unsigned bank_vectors() const;
    unsigned vector_bytes() const;
    // Contents of all banks, those of a PE side by side. Ends the process where they are not to be found.
    std::vector<const uint8_t*> find_banks() const;

  private:
    struct Model;
    std::unique_ptr<Model> model_;
};

} // namespace cosilico

#endif
