// External memory behind the accelerator's AXI4 ports: T1 (deterministic), T2 (random stalls) and
// T3 (a DRAM channel that all ports share, dram.h); any of them may besides use the freedoms that
// AXI gives a subordinate (WriteOrder, Readiness, late responses), or fail.
//
// The rules of AXI are not checked here but in rtl/axi_rules.sv.
//
// T1 is defined in docs/reference/memories.md: latency, bursts that are outstanding, words and clock of the memory.
//
// A model's outputs of a cycle depend on its own state only, never on the inputs of that cycle.
// Per simulated cycle call drive(), settle the design, then observe().

#ifndef COSILICO_AXI_MEMORY_H
#define COSILICO_AXI_MEMORY_H

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
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
    uint64_t latency = 24;      // cycles from AR handshake to first R beat
    uint64_t write_latency = 24; // cycles from a write burst's last word to B
    uint64_t outstanding = 0;   // bursts that a port takes before it has answered one; 0: any number
    uint64_t width_bytes = 0;   // of a word; 0: as the port
    uint64_t clock_mhz = 0;     // of the memory; 0: as the accelerator
    uint64_t burst_gap = 0;     // edges of the memory between two bursts
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

// The memory behind one port at the level of its words, one per edge of its clock. Edge n comes n
// periods after the run's cycle 0.
class WordStream {
  public:
    WordStream(const MemoryTiming& timing, uint64_t accelerator_mhz, uint64_t beat_bytes)
        : word_bytes_(timing.width_bytes ? timing.width_bytes : beat_bytes),
          memory_mhz_(timing.clock_mhz ? timing.clock_mhz : accelerator_mhz),
          accelerator_mhz_(accelerator_mhz), gap_(timing.burst_gap) {}

    void restart(uint64_t cycle) {
        origin_ = cycle;
        next_ = 0;
    }

    // The next word moves at the first free edge that is not before `cycle`; returns the first cycle
    // that is not before its edge.
    uint64_t move(uint64_t cycle) {
        const uint64_t since = cycle - origin_;
        const uint64_t edge =
            std::max(next_, (since * memory_mhz_ + accelerator_mhz_ - 1) / accelerator_mhz_);
        next_ = edge + 1;
        return origin_ + (edge * accelerator_mhz_ + memory_mhz_ - 1) / memory_mhz_;
    }
    void end_burst() { next_ += gap_; }
    uint64_t word_bytes() const { return word_bytes_; }

  private:
    uint64_t word_bytes_, memory_mhz_, accelerator_mhz_, gap_;
    uint64_t origin_ = 0, next_ = 0;
};

struct Burst {
    uint64_t number = 0; // on its port
    uint64_t address = 0;
    unsigned beats = 0;
    unsigned done = 0;
    uint64_t due = 0;
    uint64_t ticket = 0;         // by which an interconnect knows it
    uint64_t words = 0;          // of a write: moved so far
    std::vector<uint64_t> there; // when each beat of a read is at the port
    std::shared_ptr<const DramTransfer> transfer; // T3
    uint8_t id = 0;
    uint8_t response = RESPONSE_OKAY;

    uint64_t beat_due() const { return transfer ? transfer->there[done] : there[done]; }
    uint64_t response_due() const {
        if (!transfer) return due;
        return transfer->answered == DramTransfer::UNKNOWN ? DramTransfer::UNKNOWN
                                                           : transfer->answered + due;
    }
};

// Address-channel payload as the design drives it.
struct AddressBeat {
    uint32_t address = 0;
    uint8_t length = 0;
    uint8_t size = 0;
    uint8_t burst = 0;
    uint8_t id = 0;
};

// AR and R. T1: a burst's words move from `latency` after its AR handshake on, behind those of the burst
// before, and a beat is there with its last word; ARREADY is low while as many bursts are outstanding as
// may be. T3: each beat comes when the DRAM has given it.
template <unsigned BEAT_BYTES> class ReadPort {
  public:
    bool arready = true;
    bool rvalid = false;
    bool rlast = false;
    uint8_t rid = 0;
    uint8_t rresp = RESPONSE_OKAY;
    uint8_t rdata[BEAT_BYTES] = {};
    uint64_t beats = 0, bursts = 0; // taken, of reads and of addresses

    ReadPort(MemoryBytes& memory, Dram& dram, Interconnect& link, const MemoryTiming& timing, uint64_t accelerator_mhz,
             uint64_t channel)
        : memory_(memory), dram_(dram), link_(link), timing_(timing),
          stream_(timing, accelerator_mhz, BEAT_BYTES), port_(channel),
          from_(channel == PORT_DESCRIPTORS ? FROM_DESCRIPTORS : FROM_READ), address_(timing, channel), data_(timing, channel + 1), ready_(timing, channel, 0) {}

    void drive(uint64_t cycle) {
        dram_.advance(cycle);
        arready = !address_.stalled();
        arready &= timing_.outstanding == 0 || outstanding() < timing_.outstanding;
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
            const uint64_t due = cycle + timing_.latency + data_.extra_latency();
            if (dram_.present())
                burst.transfer = dram_.read(beat.address, burst.beats, BEAT_BYTES, cycle);
            else if (link_.present()) {
                burst.ticket = link_.submit(from_, beat.address, burst.beats, BEAT_BYTES);
                burst.there.assign(burst.beats, cycle);
            } else burst.there = words(due, burst.beats);
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
    // A run begins: this is its cycle 0.
    void restart(uint64_t cycle) { stream_.restart(cycle); }

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
    // When each beat of a burst whose words move from cycle `due` on is there.
    std::vector<uint64_t> words(uint64_t due, unsigned beats) {
        std::vector<uint64_t> there;
        uint64_t moved = 0, last = due;
        for (unsigned beat = 1; beat <= beats; ++beat) {
            for (; moved < uint64_t(beat) * BEAT_BYTES; moved += stream_.word_bytes())
                last = stream_.move(due);
            there.push_back(last);
        }
        stream_.end_burst();
        return there;
    }

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
    WordStream stream_;
    uint64_t port_;
    InterconnectPort from_;
    Stalls address_, data_;
    Ready ready_;
    std::deque<Burst> bursts_;
};

// AW, W and B. T1: a word moves once its last W beat and its burst's address are there, behind those
// before it; B comes `write_latency` cycles after the burst's last word. AWREADY is low while as many
// bursts are outstanding as may be, WREADY is constant. W beats may come before their AW. T3: B comes when
// the DRAM has the burst, and AWREADY is low while the controller holds as many bursts as it can.
template <unsigned BEAT_BYTES> class WritePort {
  public:
    bool awready = true;
    bool wready = true;
    bool bvalid = false;
    uint8_t bid = 0;
    uint8_t bresp = RESPONSE_OKAY;
    uint64_t beats = 0, bursts = 0, responses = 0; // taken

    WritePort(MemoryBytes& memory, Dram& dram, Interconnect& link, const MemoryTiming& timing,
              uint64_t accelerator_mhz, uint64_t channel)
        : memory_(memory), dram_(dram), link_(link), timing_(timing),
          stream_(timing, accelerator_mhz, BEAT_BYTES), port_(channel), address_(timing, channel), data_(timing, channel + 1), response_(timing, channel + 2),
          address_ready_(timing, channel, 1), data_ready_(timing, channel + 1, 2) {}

    void drive(uint64_t cycle) {
        dram_.advance(cycle);
        awready = !address_.stalled() &&
                  (!dram_.present() || outstanding() < dram_.timing().write_bursts);
        awready &= timing_.outstanding == 0 || outstanding() < timing_.outstanding;
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
        if (bvalid || responses_.empty() || responses_.front().response_due() > cycle) return;
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
                 const void* wdata, const void* wstrb, bool wlast, bool bready) {
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
            std::memcpy(beat.strobes, wstrb, sizeof beat.strobes);
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
    // A run begins: this is its cycle 0.
    void restart(uint64_t cycle) { stream_.restart(cycle); }

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
        uint8_t strobes[(BEAT_BYTES + 7) / 8] = {};
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
                if (beat.strobes[i / 8] >> i % 8 & 1) target[i] = beat.data[i];
        const bool last = ++burst.done == burst.beats;
        const uint64_t there = uint64_t(burst.done) * BEAT_BYTES, size = stream_.word_bytes();
        // The last word of a burst may be less than whole
        while (burst.words * size < there && (last || (burst.words + 1) * size <= there)) {
            burst.due = stream_.move(cycle);
            ++burst.words;
        }
        if (last) {
            stream_.end_burst();
            if (dram_.present()) {
                burst.transfer = dram_.write(burst.address, burst.beats, BEAT_BYTES, cycle);
                burst.due = 0;
            } else burst.due += timing_.write_latency + response_.extra_latency();
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
    WordStream stream_;
    uint64_t port_;
    Stalls address_, data_, response_;
    Ready address_ready_, data_ready_;
    size_t complete_ = 0; // bursts whose last beat is there and whose address may be missing
    std::deque<Burst> bursts_, responses_;
    std::deque<DataBeat> early_;
};

} // namespace cosilico

#endif
