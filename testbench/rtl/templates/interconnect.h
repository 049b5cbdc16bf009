// Systems between the accelerator's AXI4 ports and a memory that are not of this project's making: a
// slow bridge, a bus with another master on it, a memory controller that reorders. Each is a machine
// that is stepped cycle by cycle; nothing in it knows the model's formulas.
//
// A burst is submitted when the port has it whole: a read with its address, a write with its last beat.
// step() is called in every cycle before the ports drive; beats() and answered() then say what has come.

#ifndef COSILICO_INTERCONNECT_H
#define COSILICO_INTERCONNECT_H

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

namespace cosilico {

enum InterconnectKind : uint64_t { INTERCONNECT_NONE, SLOW_BRIDGE, SHARED_BUS, REORDERING_CONTROLLER };

// testbench/rtl/interconnects.py documents each value; times are cycles of the accelerator unless said.
struct InterconnectTiming {
    uint64_t kind = INTERCONNECT_NONE;
    uint64_t clock_mhz = 0, far_mhz = 0; // of the accelerator, and beyond the crossing
    uint64_t width_bytes = 0;            // of data that moves in a clock
    uint64_t latency = 0;                // clocks of the memory
    uint64_t synchronizer = 0;           // clocks that a crossing takes, each way
    uint64_t gap_cycles = 0, other_beats = 0, traffic_seed = 0; // of the other master
    uint64_t banks = 0, row_bytes = 0, activate = 0, precharge = 0, turnaround = 0;
    uint64_t queue = 0, high_watermark = 0, low_watermark = 0, patience = 0;
};

enum InterconnectPort : unsigned { FROM_READ, FROM_WRITE, FROM_DESCRIPTORS, FROM_OTHER };
constexpr unsigned INTERCONNECT_PORTS = 4;

struct Transaction {
    uint64_t id = 0;
    unsigned port = FROM_READ;
    uint64_t address = 0;
    unsigned beats = 0, beat_bytes = 0;
    uint64_t bytes() const { return uint64_t(beats) * beat_bytes; }
    bool write() const { return port == FROM_WRITE; }
};

// What has come back of every transaction that is not over.
class Answers {
  public:
    void open(uint64_t id) { there_[id] = 0; }
    void give(uint64_t id, unsigned beats) {
        const auto place = there_.find(id);
        if (place != there_.end()) place->second = std::max(place->second, beats);
    }
    unsigned beats(uint64_t id) const {
        const auto place = there_.find(id);
        return place == there_.end() ? 0 : place->second;
    }
    void close(uint64_t id) { there_.erase(id); }

  private:
    std::map<uint64_t, unsigned> there_;
};

// Port after `last` in a circle that has something to do; INTERCONNECT_PORTS if none has.
template <typename Wants> unsigned next_in_turn(unsigned last, Wants wants) {
    for (unsigned i = 1; i <= INTERCONNECT_PORTS; ++i)
        if (wants((last + i) % INTERCONNECT_PORTS)) return (last + i) % INTERCONNECT_PORTS;
    return INTERCONNECT_PORTS;
}

// A bridge into a slower clock: it has a burst of any port in flight, fetches or stores all of it
// beyond the crossing, and only then answers. Ports have turns.
class SlowBridge {
  public:
    SlowBridge(const InterconnectTiming& timing, Answers& answers) : t_(timing), answers_(answers) {}

    bool accepts(unsigned port) const { return waiting_[port].empty(); }
    void submit(const Transaction& transaction) { waiting_[transaction.port].push_back(transaction); }
    void finished(uint64_t id) {
        if (state_ == FORWARDING && current_.id == id) state_ = IDLE;
    }
    void step(uint64_t) {
        phase_ += t_.far_mhz;
        const bool edge = phase_ >= t_.clock_mhz;
        if (edge) phase_ -= t_.clock_mhz;
        switch (state_) {
        case IDLE: {
            const unsigned port = next_in_turn(turn_, [this](unsigned p) { return !waiting_[p].empty(); });
            if (port == INTERCONNECT_PORTS) return;
            turn_ = port;
            current_ = waiting_[port].front();
            waiting_[port].pop_front();
            left_ = t_.synchronizer + t_.latency +
                    (current_.bytes() + t_.width_bytes - 1) / t_.width_bytes;
            state_ = BEYOND;
            return;
        }
        case BEYOND:
            if (edge && --left_ == 0) {
                left_ = t_.synchronizer;
                state_ = RETURNING;
            }
            return;
        case RETURNING:
            if (--left_ == 0) {
                answers_.give(current_.id, current_.beats);
                state_ = FORWARDING;
            }
            return;
        case FORWARDING: return; // until the port has taken the last beat or the response
        }
    }

  private:
    enum State { IDLE, BEYOND, RETURNING, FORWARDING };
    InterconnectTiming t_;
    Answers& answers_;
    std::array<std::deque<Transaction>, INTERCONNECT_PORTS> waiting_;
    Transaction current_;
    State state_ = IDLE;
    unsigned turn_ = FROM_OTHER;
    uint64_t left_ = 0, phase_ = 0;
};

// A bus on which another master moves bursts of random lengths at random times. Grants are given in
// turns, a burst's data follows `latency` after its grant, and a second burst may be granted meanwhile.
class SharedBus {
  public:
    SharedBus(const InterconnectTiming& timing, Answers& answers)
        : t_(timing), answers_(answers), random_(timing.traffic_seed * 0x9E3779B97F4A7C15ull + 1) {}

    bool accepts(unsigned port) const { return waiting_[port].size() < t_.queue; }
    void submit(const Transaction& transaction) { waiting_[transaction.port].push_back(transaction); }
    void finished(uint64_t) {}
    void step(uint64_t cycle) {
        if (cycle >= next_other_) {
            Transaction other;
            other.port = FROM_OTHER;
            other.beats = unsigned(1 + next() % (2 * t_.other_beats - 1));
            other.beat_bytes = unsigned(t_.width_bytes);
            if (waiting_[FROM_OTHER].size() < 4) waiting_[FROM_OTHER].push_back(other);
            next_other_ = cycle + 1 + next() % (2 * t_.gap_cycles);
        }
        move(cycle);
        if (granted_.size() >= 2) return;
        const unsigned port = next_in_turn(turn_, [this](unsigned p) { return !waiting_[p].empty(); });
        if (port == INTERCONNECT_PORTS) return;
        turn_ = port;
        granted_.push_back({waiting_[port].front(), cycle + t_.latency, 0});
        waiting_[port].pop_front();
    }

  private:
    struct Granted {
        Transaction transaction;
        uint64_t from;
        uint64_t moved; // bytes
    };
    // The oldest burst moves `width_bytes`.
    void move(uint64_t cycle) {
        if (granted_.empty() || granted_.front().from > cycle) return;
        Granted& burst = granted_.front();
        const Transaction& own = burst.transaction;
        burst.moved += t_.width_bytes;
        const uint64_t beats = std::min<uint64_t>(own.beats, burst.moved / own.beat_bytes);
        if (own.port != FROM_OTHER && (!own.write() || beats == own.beats))
            answers_.give(own.id, unsigned(beats));
        if (beats == own.beats) granted_.pop_front();
    }
    uint64_t next() { // xorshift64*
        random_ ^= random_ >> 12;
        random_ ^= random_ << 25;
        random_ ^= random_ >> 27;
        return (random_ * 0x2545F4914F6CDD1Dull) >> 33;
    }
    InterconnectTiming t_;
    Answers& answers_;
    std::array<std::deque<Transaction>, INTERCONNECT_PORTS> waiting_;
    std::deque<Granted> granted_;
    unsigned turn_ = FROM_OTHER;
    uint64_t random_, next_other_ = 0;
};

// A controller over banks with rows: bursts are cut into accesses of `width_bytes`, and the access that
// goes next is the oldest to an open row, of reads before writes, unless the oldest has waited for
// `patience`. Writes are collected and drained between two watermarks. Answers of a port keep its order.
class ReorderingController {
  public:
    ReorderingController(const InterconnectTiming& timing, Answers& answers)
        : t_(timing), answers_(answers), banks_(std::max<uint64_t>(1, timing.banks)) {}

    bool accepts(unsigned port) const { return bursts_[port].size() < t_.queue; }
    void submit(const Transaction& transaction) {
        Burst burst{transaction, 0, {}};
        const uint64_t first = transaction.address / t_.width_bytes;
        const uint64_t last = (transaction.address + transaction.bytes() - 1) / t_.width_bytes;
        burst.done.assign(last - first + 1, false);
        bursts_[transaction.port].push_back(burst);
        for (uint64_t i = first; i <= last; ++i)
            pending_.push_back({transaction.id, transaction.port, i * t_.width_bytes, i - first, cycle_});
    }
    void finished(uint64_t) {}
    void step(uint64_t cycle) {
        cycle_ = cycle;
        while (!returning_.empty() && returning_.front().at <= cycle) {
            arrive(returning_.front());
            returning_.pop_front();
        }
        open_rows(cycle);
        if (bus_free_ > cycle) return;
        choose_direction();
        const auto chosen = choose(cycle);
        if (chosen == pending_.end()) return;
        const uint64_t turn = was_write_ != (chosen->port == FROM_WRITE) ? t_.turnaround : 0;
        was_write_ = chosen->port == FROM_WRITE;
        bus_free_ = cycle + turn + 1;
        bank(chosen->address).used = bus_free_;
        returning_.push_back({cycle + turn + t_.latency, chosen->id, chosen->port, chosen->part});
        pending_.erase(chosen);
    }

  private:
    struct Burst {
        Transaction transaction;
        uint64_t whole; // accesses that have come, without a gap
        std::vector<bool> done;
    };
    struct Access {
        uint64_t id;
        unsigned port;
        uint64_t address, part, since;
    };
    struct Return {
        uint64_t at, id;
        unsigned port;
        uint64_t part;
    };
    struct Bank {
        bool open = false;
        uint64_t row = 0, ready = 0, used = 0;
    };
    using Place = std::deque<Access>::iterator;

    Bank& bank(uint64_t address) { return banks_[address / t_.row_bytes % t_.banks]; }
    uint64_t row(uint64_t address) const { return address / t_.row_bytes / t_.banks; }
    bool hit(const Access& a) { return bank(a.address).open && bank(a.address).row == row(a.address); }
    bool now(const Access& a) const { return (a.port == FROM_WRITE) == draining_; }

    void choose_direction() {
        uint64_t writes = 0;
        for (const Access& a : pending_) writes += a.port == FROM_WRITE;
        if (writes >= t_.high_watermark || writes == pending_.size()) draining_ = writes > 0;
        else if (writes <= t_.low_watermark) draining_ = false;
    }
    // An access that is to go next and whose row is open and ready.
    Place choose(uint64_t cycle) {
        for (auto a = pending_.begin(); a != pending_.end(); ++a) {
            if (!now(*a)) continue;
            if (hit(*a) && bank(a->address).ready <= cycle) return a;
            if (cycle - a->since > t_.patience) return pending_.end(); // nothing passes it any more
        }
        return pending_.end();
    }
    // Opens a row for the oldest access of each bank that has no hit waiting.
    void open_rows(uint64_t cycle) {
        std::vector<bool> seen(t_.banks, false);
        for (const Access& a : pending_) {
            if (!now(a)) continue;
            if (cycle - a.since > t_.patience) break; // none behind it may keep its row open
            if (hit(a)) seen[a.address / t_.row_bytes % t_.banks] = true;
        }
        for (const Access& a : pending_) {
            if (!now(a)) continue;
            const uint64_t place = a.address / t_.row_bytes % t_.banks;
            if (seen[place]) continue;
            seen[place] = true;
            Bank& own = banks_[place];
            if (hit(a) || own.ready > cycle || own.used > cycle) continue;
            own.ready = cycle + t_.activate + (own.open ? t_.precharge : 0);
            own.open = true;
            own.row = row(a.address);
            return; // one command per cycle
        }
    }
    void arrive(const Return& access) {
        std::deque<Burst>& line = bursts_[access.port];
        for (Burst& burst : line)
            if (burst.transaction.id == access.id) burst.done[access.part] = true;
        while (!line.empty()) {
            Burst& oldest = line.front();
            const Transaction& own = oldest.transaction;
            while (oldest.whole < oldest.done.size() && oldest.done[oldest.whole]) ++oldest.whole;
            const uint64_t bytes = oldest.whole * t_.width_bytes - (oldest.whole ? own.address % t_.width_bytes : 0);
            const bool all = oldest.whole == oldest.done.size();
            if (all) answers_.give(own.id, own.beats);
            else if (!own.write()) answers_.give(own.id, unsigned(std::min<uint64_t>(own.beats, bytes / own.beat_bytes)));
            if (!all) return;
            line.pop_front();
        }
    }

    InterconnectTiming t_;
    Answers& answers_;
    std::vector<Bank> banks_;
    std::array<std::deque<Burst>, INTERCONNECT_PORTS> bursts_;
    std::deque<Access> pending_;
    std::deque<Return> returning_;
    bool draining_ = false, was_write_ = false;
    uint64_t bus_free_ = 0, cycle_ = 0;
};

// The system of a simulation, or none.
class Interconnect {
  public:
    explicit Interconnect(const InterconnectTiming& timing)
        : kind_(timing.kind), bridge_(timing, answers_), bus_(timing, answers_), controller_(timing, answers_) {}

    bool present() const { return kind_ != INTERCONNECT_NONE; }
    bool accepts(unsigned port) const {
        switch (kind_) {
        case SLOW_BRIDGE: return bridge_.accepts(port);
        case SHARED_BUS: return bus_.accepts(port);
        case REORDERING_CONTROLLER: return controller_.accepts(port);
        default: return true;
        }
    }
    // Returns the number by which the burst's answer is asked for.
    uint64_t submit(unsigned port, uint64_t address, unsigned beats, unsigned beat_bytes) {
        const Transaction transaction{++last_, port, address, beats, beat_bytes};
        answers_.open(last_);
        if (kind_ == SLOW_BRIDGE) bridge_.submit(transaction);
        if (kind_ == SHARED_BUS) bus_.submit(transaction);
        if (kind_ == REORDERING_CONTROLLER) controller_.submit(transaction);
        return last_;
    }
    unsigned beats(uint64_t id) const { return answers_.beats(id); }
    bool answered(uint64_t id) const { return answers_.beats(id) != 0; }
    // The port has taken the last beat of a read, or the response of a write.
    void finished(uint64_t id) {
        answers_.close(id);
        if (kind_ == SLOW_BRIDGE) bridge_.finished(id);
    }
    void step(uint64_t cycle) {
        if (kind_ == SLOW_BRIDGE) bridge_.step(cycle);
        if (kind_ == SHARED_BUS) bus_.step(cycle);
        if (kind_ == REORDERING_CONTROLLER) controller_.step(cycle);
    }

  private:
    uint64_t kind_;
    uint64_t last_ = 0;
    Answers answers_;
    SlowBridge bridge_;
    SharedBus bus_;
    ReorderingController controller_;
};

} // namespace cosilico

#endif
