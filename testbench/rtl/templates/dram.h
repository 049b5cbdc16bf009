// A DRAM channel and its controller behind all AXI4 ports: tier T3.
//
// Every column access (a burst of the data pins) is scheduled by itself, in memory clocks, against the
// constraints of its bank, its bank group and the channel. A read burst arrives with its address, a write
// burst with its last beat. Rows stay open until another row of the bank or a refresh needs them.
//
// In order: requests are served in the order in which they arrive, and a row is opened as early as the
// memory allows. All-bank refresh is due every `refresh_interval`; it goes before the first access
// whose column command could not be earlier.
//
// Reordering (FR-FCFS): one command per clock. Reads and writes wait in a queue each; `queue` accesses of
// each, in the order of arrival, can be chosen from. Of one direction, chosen by the marks of the
// writes, a clock does the first of these that is possible: the column access of the oldest whose row is
// open; the activate of the oldest whose bank is closed; the precharge of the oldest whose bank has another
// row open that none of the queue wants. An access that has waited for `starvation` clocks goes
// before all younger ones. Refresh is made as soon as it is due.
//
// Not modelled: contention for the command pins (in order), ODT, masked-write spacing, power-down,
// temperature.

#ifndef COSILICO_DRAM_H
#define COSILICO_DRAM_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "dram_banks.h"

namespace cosilico {

// A burst's way through the controller.
struct DramTransfer {
    static constexpr uint64_t UNKNOWN = ~uint64_t(0);
    std::vector<uint64_t> there; // cycle in which the controller has each beat of a read
    uint64_t answered = UNKNOWN; // cycle of a write's response

  private:
    friend class Dram;
    uint64_t address = 0, beats = 0, beat_bytes = 0;
    uint64_t left = 0;             // accesses that are not scheduled
    uint64_t latest = 0;           // data of a write's
    struct Beat {
        uint64_t missing, latest; // accesses that are not scheduled, data of the others
    };
    std::vector<Beat> parts; // of a read
};

class Dram {
  public:
    explicit Dram(const DramTiming& timing) : t_(timing), banks_(timing) { restart(0); }

    bool present() const { return t_.clock_mhz != 0; }
    const DramTiming& timing() const { return t_; }

    // Forgets the past: all rows closed, the refresh calendar begins with this cycle. What still waits
    // comes at once.
    void restart(uint64_t cycle) {
        for (std::deque<Access>* queue : {&reads_, &writes_}) {
            for (const Access& access : *queue) deliver(access, queue == &writes_, cycle);
            queue->clear();
        }
        origin_ = cycle;
        now_ = 0;
        draining_ = false;
        banks_.restart();
    }

    // A read burst whose address came in cycle `arrival`.
    std::shared_ptr<DramTransfer> read(uint64_t address, unsigned beats, unsigned beat_bytes,
                                       uint64_t arrival) {
        return take(false, address, beats, beat_bytes, arrival);
    }

    // A write burst whose last beat came in cycle `arrival`.
    std::shared_ptr<DramTransfer> write(uint64_t address, unsigned beats, unsigned beat_bytes,
                                        uint64_t arrival) {
        return take(true, address, beats, beat_bytes, arrival);
    }

    // Does all that lies before a cycle; to be called before what comes in it is looked at.
    void advance(uint64_t cycle) {
        if (!t_.reorder || !present()) return;
        for (const int64_t end = clock_of(cycle); now_ < end; ++now_) {
            while (banks_.next_refresh() <= now_) banks_.refresh();
            if (reads_.empty() && writes_.empty()) continue;
            step();
        }
    }

  private:
    struct Access {
        DramPlace place;
        uint64_t number = 0; // address in accesses
        int64_t enters = 0; // clock from which on it can be chosen
        std::shared_ptr<DramTransfer> transfer;
    };

    // First cycle of the accelerator that is not before a memory clock, and the reverse.
    uint64_t cycle_of(int64_t clock) const {
        return origin_ + (uint64_t(clock) * t_.clock_mhz + t_.memory_mhz - 1) / t_.memory_mhz;
    }
    int64_t clock_of(uint64_t cycle) const {
        return int64_t(((cycle - origin_) * t_.memory_mhz + t_.clock_mhz - 1) / t_.clock_mhz);
    }

    std::shared_ptr<DramTransfer> take(bool write, uint64_t address, unsigned beats,
                                       unsigned beat_bytes, uint64_t arrival) {
        auto transfer = std::make_shared<DramTransfer>();
        transfer->address = address;
        transfer->beats = beats;
        transfer->beat_bytes = beat_bytes;
        if (!write) {
            transfer->there.assign(beats, DramTransfer::UNKNOWN);
            for (uint64_t beat = 0; beat < beats; ++beat) {
                const uint64_t at = address + beat * beat_bytes;
                transfer->parts.push_back({access_of(at + beat_bytes - 1) - access_of(at) + 1, 0});
            }
        }
        const uint64_t first = access_of(address);
        const uint64_t end = access_of(address + uint64_t(beats) * beat_bytes - 1) + 1;
        const int64_t enters = clock_of(arrival) + int64_t(t_.front);
        transfer->left = end - first;
        for (uint64_t number = first; number < end; ++number) {
            const Access access{banks_.place(number * t_.access_bytes), number, enters, transfer};
            if (t_.reorder) (write ? writes_ : reads_).push_back(access);
            else deliver(access, write, data_at(in_order(access, write), write));
        }
        return transfer;
    }

    uint64_t access_of(uint64_t address) const { return address / t_.access_bytes; }

    uint64_t data_at(int64_t column, bool write) const {
        return cycle_of(column + int64_t((write ? t_.write_latency : t_.read_latency) + t_.back));
    }

    // The memory clock of the access's column command.
    int64_t in_order(const Access& access, bool write) {
        const DramPlace& place = access.place;
        const int64_t earliest = access.enters;
        while (banks_.next_refresh() <= std::max(earliest, banks_.last_column() + int64_t(t_.column)))
            banks_.refresh();
        if (!banks_.hit(place)) {
            if (!banks_.closed(place))
                banks_.precharge(place, std::max(earliest, banks_.precharge_at(place)));
            banks_.activate(place, std::max(earliest, banks_.activate_at(place)));
        }
        const int64_t column = std::max(earliest, banks_.column_at(place, write));
        banks_.column(place, write, column);
        return column;
    }

    // One clock of the reordering controller.
    void step() {
        const size_t reads = waiting(reads_), writes = waiting(writes_);
        if (!choose(reads, writes)) return;
        std::deque<Access>& queue = draining_ ? writes_ : reads_;
        size_t candidates = draining_ ? writes : reads;
        if (starved(queue)) candidates = 1;
        if (make_column(queue, candidates)) return;
        if (make_activate(queue, candidates)) return;
        make_precharge(queue, candidates);
    }

    // Accesses of a queue that can be chosen.
    size_t waiting(const std::deque<Access>& queue) const {
        size_t count = 0;
        while (count < queue.size() && count < t_.queue && queue[count].enters <= now_) ++count;
        return count;
    }

    // Chooses the direction; returns whether anything waits.
    bool choose(size_t reads, size_t writes) {
        if (reads + writes == 0) return false;
        if (reads == 0 || writes == 0) draining_ = writes != 0;
        else
            draining_ = starved(writes_) ||
                        (draining_ ? writes > t_.write_low : writes >= t_.write_high);
        return true;
    }

    // Whether the oldest access of a queue has waited for too long.
    bool starved(const std::deque<Access>& queue) const {
        return now_ - queue.front().enters > int64_t(t_.starvation);
    }

    bool make_column(std::deque<Access>& queue, size_t candidates) {
        for (size_t i = 0; i < candidates; ++i) {
            const Access& access = queue[i];
            if (!banks_.hit(access.place) || banks_.column_at(access.place, draining_) > now_)
                continue;
            banks_.column(access.place, draining_, now_);
            deliver(access, draining_, data_at(now_, draining_));
            queue.erase(queue.begin() + std::ptrdiff_t(i));
            return true;
        }
        return false;
    }

    bool make_activate(const std::deque<Access>& queue, size_t candidates) {
        for (size_t i = 0; i < candidates; ++i) {
            const DramPlace& place = queue[i].place;
            if (!banks_.closed(place) || banks_.activate_at(place) > now_) continue;
            banks_.activate(place, now_);
            return true;
        }
        return false;
    }

    void make_precharge(const std::deque<Access>& queue, size_t candidates) {
        for (size_t i = 0; i < candidates; ++i) {
            const DramPlace& place = queue[i].place;
            if (banks_.closed(place) || banks_.hit(place) || banks_.precharge_at(place) > now_)
                continue;
            if (wanted(queue, candidates, place.bank)) continue;
            banks_.precharge(place, now_);
            return;
        }
    }

    // Whether a candidate wants the open row of a bank.
    bool wanted(const std::deque<Access>& queue, size_t candidates, uint64_t bank) const {
        for (size_t i = 0; i < candidates; ++i)
            if (queue[i].place.bank == bank && banks_.hit(queue[i].place)) return true;
        return false;
    }

    // Gives a transfer what an access brings in cycle `data`.
    void deliver(const Access& access, bool write, uint64_t data) {
        DramTransfer& transfer = *access.transfer;
        --transfer.left;
        transfer.latest = std::max(transfer.latest, data);
        if (write) {
            if (transfer.left == 0) transfer.answered = transfer.latest;
            return;
        }
        // A beat is there with the last of its accesses.
        const uint64_t begin = std::max(access.number * t_.access_bytes, transfer.address);
        const uint64_t end = (access.number + 1) * t_.access_bytes;
        for (uint64_t beat = (begin - transfer.address) / transfer.beat_bytes;
             beat < transfer.beats && transfer.address + beat * transfer.beat_bytes < end; ++beat) {
            DramTransfer::Beat& part = transfer.parts[beat];
            part.latest = std::max(part.latest, data);
            if (--part.missing == 0) transfer.there[beat] = part.latest;
        }
    }

    DramTiming t_;
    DramBanks banks_;
    uint64_t origin_ = 0;
    int64_t now_ = 0;
    bool draining_ = false;
    std::deque<Access> reads_, writes_;
};

} // namespace cosilico

#endif
