// External memory behind the accelerator's AXI4 ports: T1 (deterministic), T2 (random stalls) and
// T3 (a DRAM channel that all ports share, dram.h); any of them may besides use the freedoms that
// AXI gives a subordinate (WriteOrder, Readiness, late responses), or fail.
//
// The rules of AXI are not checked here but in rtl/axi_rules.sv.
//
// A model's outputs of a cycle depend on its own state only, never on the inputs of that cycle.
// Per simulated cycle call drive(), settle the design, then observe().

#ifndef COSILICO_AXI_MEMORY_H
#define COSILICO_AXI_MEMORY_H

#include <cstdint>
#include <cstring>
#include <deque>
#include <vector>

#include "dram.h"
#include "interconnect.h"

namespace cosilico {

constexpr int EXIT_HANG = 3;
constexpr uint8_t RESPONSE_OKAY = 0;
constexpr uint8_t RESPONSE_DECODE_ERROR = 3;

// When a burst's address and data are taken.
enum WriteOrder : uint64_t {
    ORDER_INDEPENDENT,        // each as it comes
    ORDER_ADDRESS_AFTER_VALID, // the address once the burst's first beat is valid, then the data
    ORDER_ADDRESS_AFTER_DATA, // the address once the burst's last beat is taken
    ORDER_DATA_AFTER_ADDRESS, // the data once the address is taken
};

// When READY of AR, AW and W may be high.
enum Readiness : uint64_t {
    READY_ALWAYS,
    READY_AFTER_VALID, // for one cycle, after a cycle with VALID
    READY_ALTERNATING, // each channel in its turn, one cycle of three
    READY_TOGGLING,    // rises and falls at random, whether VALID or not
};

// Ports by the number of their first channel.
constexpr uint64_t PORT_NONE = 0, PORT_READ = 1, PORT_WRITE = 11, PORT_DESCRIPTORS = 21;

struct MemoryTiming {
    uint64_t latency = 24;      // cycles from AR handshake to first R beat; last W beat to B
    uint64_t response_delay = 0; // further cycles to B
    uint64_t write_order = ORDER_INDEPENDENT;
    uint64_t readiness = READY_ALWAYS;
    // The beat (of reads) or response (of writes) of that number, from 0, fails on one port.
    uint64_t fault_port = PORT_NONE, fault_index = 0, fault_response = 0;
    // That burst, from 0, and all after it are never answered on one port.
    uint64_t silent_port = PORT_NONE, silent_index = 0;
    uint64_t reset_clears = 0; // whether the design's reset ends what is outstanding here
    uint64_t stalls = 0;        // T2
    uint64_t seed = 0;          // of the stalls
    uint64_t stall_percent = 0; // chance per cycle that a free channel begins a stall
    DramTiming dram;            // T3
    InterconnectTiming interconnect; // a system of others
};

// Bytes at addresses base ... base + size - 1.
struct MemoryBytes {
    uint64_t base = 0;
    std::vector<uint8_t> bytes;

    uint8_t* at(uint64_t address, uint64_t count) {
        if (address < base || address - base + count > bytes.size()) return nullptr;
        return bytes.data() + (address - base);
    }
};

// Decides per cycle whether one channel is stalled: runs of 1 ... 16 cycles, begun at random.
class Stalls {
  public:
    Stalls(const MemoryTiming& timing, uint64_t channel)
        : percent_(timing.stalls ? timing.stall_percent : 0),
          state_((timing.seed + 1) * 0x9E3779B97F4A7C15ull ^ (channel * 0xD1B54A32D192ED03ull + 1)) {
        for (int i = 0; i < 4; ++i) next();
    }
    bool stalled() {
        if (percent_ == 0) return false;
        if (left_ == 0 && next() % 100 < percent_) left_ = 1 + next() % 16;
        if (left_ == 0) return false;
        --left_;
        return true;
    }
    uint64_t extra_latency() { return percent_ == 0 ? 0 : next() % 32; }
    uint64_t next() { // xorshift64*
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return (state_ * 0x2545F4914F6CDD1Dull) >> 33;
    }

  private:
    uint64_t percent_;
    uint64_t state_;
    uint64_t left_ = 0;
};

// Whether READY of one channel may be high, by Readiness.
class Ready {
  public:
    Ready(const MemoryTiming& timing, uint64_t channel, unsigned turn)
        : kind_(timing.readiness), turn_(turn), toggles_(timing, channel + 5) {}
    bool allowed(uint64_t cycle) {
        if (kind_ == READY_AFTER_VALID) return waiting_;
        if (kind_ == READY_ALTERNATING) return cycle % 3 == turn_;
        if (kind_ == READY_TOGGLING) return toggles_.next() & 1;
        return true;
    }
    void observe(bool valid, bool ready) { waiting_ = valid && !ready; }
    bool waiting() const { return waiting_; }

  private:
    uint64_t kind_;
    unsigned turn_;
    Stalls toggles_;
    bool waiting_ = false; // VALID was high and not taken in the cycle before
};

struct Burst {
    uint64_t number = 0; // on its port
    uint64_t address = 0;
    unsigned beats = 0;
    unsigned done = 0;
    uint64_t due = 0;
    uint64_t ticket = 0;         // by which an interconnect knows it
    std::vector<uint64_t> there; // T3: when each beat of a read is in the controller
    uint8_t id = 0;
    uint8_t response = RESPONSE_OKAY;

    uint64_t beat_due() const { return there.empty() ? due : there[done]; }
};

// Address-channel payload as the design drives it.
struct AddressBeat {
    uint32_t address = 0;
    uint8_t length = 0;
    uint8_t size = 0;
    uint8_t burst = 0;
    uint8_t id = 0;
};

// AR and R. T1: the first beat comes max(latency after its AR handshake, one cycle after the burst
// before), then one beat per cycle; any number of bursts may be outstanding; ARREADY is constant.
// T3: each beat comes when the DRAM has given it.
template <unsigned BEAT_BYTES> class ReadPort {
  public:
    bool arready = true;
    bool rvalid = false;
    bool rlast = false;
    uint8_t rid = 0;
    uint8_t rresp = RESPONSE_OKAY;
    uint8_t rdata[BEAT_BYTES] = {};
    uint64_t beats = 0, bursts = 0; // taken, of reads and of addresses

    ReadPort(MemoryBytes& memory, Dram& dram, Interconnect& link, const MemoryTiming& timing,
             uint64_t channel)
        : memory_(memory), dram_(dram), link_(link), timing_(timing), port_(channel),
          from_(channel == PORT_DESCRIPTORS ? FROM_DESCRIPTORS : FROM_READ),
          address_(timing, channel), data_(timing, channel + 1), ready_(timing, channel, 0) {}

    void drive(uint64_t cycle) {
        arready = !address_.stalled();
        arready &= ready_.allowed(cycle) && link_.accepts(from_);
        if (rvalid) return; // AXI: a presented beat stays until it is taken
        if (bursts_.empty() || bursts_.front().beat_due() > cycle || data_.stalled()) return;
        Burst& burst = bursts_.front();
        if (link_.present() && link_.beats(burst.ticket) <= burst.done) return;
        if (timing_.silent_port == port_ && burst.number >= timing_.silent_index) return;
        const uint8_t* source = memory_.at(burst.address + burst.done * BEAT_BYTES, BEAT_BYTES);
        rvalid = true;
        rlast = burst.done + 1 == burst.beats;
        rid = burst.id;
        rresp = source ? RESPONSE_OKAY : RESPONSE_DECODE_ERROR;
        if (timing_.fault_port == port_ && timing_.fault_index == beats)
            rresp = timing_.fault_response;
        if (source) std::memcpy(rdata, source, BEAT_BYTES);
        else std::memset(rdata, 0, BEAT_BYTES);
    }

    // Returns whether a handshake took place.
    bool observe(uint64_t cycle, bool arvalid, const AddressBeat& beat, bool rready) {
        bool moved = false;
        ready_.observe(arvalid, arready);
        if (arvalid && arready) {
            Burst burst;
            burst.number = bursts++;
            burst.address = beat.address;
            burst.beats = beat.length + 1u;
            burst.due = cycle + timing_.latency + data_.extra_latency();
            if (dram_.present())
                burst.there = dram_.read(beat.address, burst.beats, BEAT_BYTES, cycle);
            if (link_.present()) {
                burst.due = cycle;
                burst.ticket = link_.submit(from_, beat.address, burst.beats, BEAT_BYTES);
            }
            burst.id = beat.id;
            bursts_.push_back(burst);
            moved = true;
        }
        if (rvalid && rready) {
            take();
            moved = true;
        }
        return moved;
    }
    size_t outstanding() const { return bursts_.size(); }

    // Instead of observe() in a cycle of the design's reset: nothing is asked for, and what was
    // goes on coming unless the reset clears it.
    void reset(bool rready) {
        ready_.observe(false, false);
        if (rvalid && rready) take();
        if (!timing_.reset_clears) return;
        bursts_.clear();
        rvalid = false;
    }

  private:
    void take() {
        rvalid = false;
        ++beats;
        if (++bursts_.front().done < bursts_.front().beats) return;
        if (link_.present()) link_.finished(bursts_.front().ticket);
        bursts_.pop_front();
    }

    MemoryBytes& memory_;
    Dram& dram_;
    Interconnect& link_;
    MemoryTiming timing_;
    uint64_t port_;
    InterconnectPort from_;
    Stalls address_, data_;
    Ready ready_;
    std::deque<Burst> bursts_;
};

// AW, W and B. T1: AWREADY and WREADY are constant; B comes `latency` cycles after the burst's last W
// beat. W beats may come before their AW. T3: B comes when the DRAM has the burst, and AWREADY is low
// while the controller holds as many bursts as it can.
template <unsigned BEAT_BYTES> class WritePort {
  public:
    bool awready = true;
    bool wready = true;
    bool bvalid = false;
    uint8_t bid = 0;
    uint8_t bresp = RESPONSE_OKAY;
    uint64_t beats = 0, bursts = 0, responses = 0; // taken

    WritePort(MemoryBytes& memory, Dram& dram, Interconnect& link, const MemoryTiming& timing,
              uint64_t channel)
        : memory_(memory), dram_(dram), link_(link), timing_(timing), port_(channel),
          address_(timing, channel), data_(timing, channel + 1), response_(timing, channel + 2),
          address_ready_(timing, channel, 1), data_ready_(timing, channel + 1, 2) {}

    void drive(uint64_t cycle) {
        awready = !address_.stalled() &&
                  (!dram_.present() || outstanding() < dram_.timing().write_queue);
        wready = !data_.stalled();
        awready &= address_ready_.allowed(cycle) && link_.accepts(FROM_WRITE);
        wready &= data_ready_.allowed(cycle);
        switch (timing_.write_order) {
        case ORDER_ADDRESS_AFTER_VALID:
            awready &= bursts_.empty() && data_ready_.waiting();
            wready &= !bursts_.empty();
            break;
        case ORDER_ADDRESS_AFTER_DATA: awready &= complete_ != 0; break;
        case ORDER_DATA_AFTER_ADDRESS: wready &= !bursts_.empty(); break;
        default: break;
        }
        if (bvalid || responses_.empty() || responses_.front().due > cycle) return;
        if (link_.present() && !link_.answered(responses_.front().ticket)) return;
        if (response_.stalled()) return;
        if (timing_.silent_port == port_ && responses_.front().number >= timing_.silent_index) return;
        bvalid = true;
        bid = responses_.front().id;
        bresp = responses_.front().response;
        if (timing_.fault_port == port_ && timing_.fault_index == responses)
            bresp = timing_.fault_response;
    }

    bool observe(uint64_t cycle, bool awvalid, const AddressBeat& beat, bool wvalid,
                 const void* wdata, uint64_t wstrb, bool wlast, bool bready) {
        bool moved = false;
        address_ready_.observe(awvalid, awready);
        data_ready_.observe(wvalid, wready);
        if (awvalid && awready) {
            Burst burst;
            burst.number = bursts++;
            burst.address = beat.address;
            burst.beats = beat.length + 1u;
            burst.id = beat.id;
            bursts_.push_back(burst);
            moved = true;
        }
        if (wvalid && wready) {
            DataBeat beat;
            std::memcpy(beat.data, wdata, BEAT_BYTES);
            beat.strobe = wstrb;
            early_.push_back(beat);
            complete_ += wlast;
            ++beats;
            moved = true;
        }
        while (!bursts_.empty() && !early_.empty()) write(cycle);
        if (bvalid && bready) {
            take_response();
            moved = true;
        }
        return moved;
    }
    size_t outstanding() const { return bursts_.size() + responses_.size(); }

    // Instead of observe() in a cycle of the design's reset: bursts whose data is not complete are
    // forgotten, and the others answered unless the reset clears them.
    void reset(bool bready) {
        address_ready_.observe(false, false);
        data_ready_.observe(false, false);
        bursts_.clear();
        early_.clear();
        complete_ = 0;
        if (bvalid && bready) take_response();
        if (!timing_.reset_clears) return;
        responses_.clear();
        bvalid = false;
    }

  private:
    struct DataBeat {
        uint8_t data[BEAT_BYTES] = {};
        uint64_t strobe = 0;
    };

    void take_response() {
        bvalid = false;
        if (link_.present()) link_.finished(responses_.front().ticket);
        responses_.pop_front();
        ++responses;
    }

    void write(uint64_t cycle) {
        Burst& burst = bursts_.front();
        const DataBeat& beat = early_.front();
        uint8_t* target = memory_.at(burst.address + burst.done * BEAT_BYTES, BEAT_BYTES);
        if (!target) burst.response = RESPONSE_DECODE_ERROR;
        else
            for (unsigned i = 0; i < BEAT_BYTES; ++i)
                if (beat.strobe >> i & 1) target[i] = beat.data[i];
        if (++burst.done == burst.beats) {
            burst.due = dram_.present()
                            ? dram_.write(burst.address, burst.beats, BEAT_BYTES, cycle)
                            : cycle + timing_.latency + response_.extra_latency();
            if (link_.present()) {
                burst.due = cycle + 1;
                burst.ticket = link_.submit(FROM_WRITE, burst.address, burst.beats, BEAT_BYTES);
            }
            burst.due += timing_.response_delay;
            --complete_;
            responses_.push_back(burst);
            bursts_.pop_front();
        }
        early_.pop_front();
    }

    MemoryBytes& memory_;
    Dram& dram_;
    Interconnect& link_;
    MemoryTiming timing_;
    uint64_t port_;
    Stalls address_, data_, response_;
    Ready address_ready_, data_ready_;
    size_t complete_ = 0; // bursts whose last beat is there and whose address may be missing
    std::deque<Burst> bursts_, responses_;
    std::deque<DataBeat> early_;
};

} // namespace cosilico

#endif
