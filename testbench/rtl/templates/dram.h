// One LPDDR4 channel and its controller behind all AXI4 ports: tier T3.
//
// Every column access (16 beats of the data pins) is scheduled by itself, in memory clocks, against
// the constraints of its bank and of the channel. Requests are served in the order in which they
// arrive: a read burst with its address, a write burst with its last beat. Rows stay open until
// another row of the bank or a refresh needs them. All-bank refresh is due every `refresh_interval`;
// it goes before the first access whose column command could not be earlier.
//
// Not modelled: contention for the command pins, ODT, masked-write spacing, power-down, temperature.

#ifndef COSILICO_DRAM_H
#define COSILICO_DRAM_H

#include <algorithm>
#include <cstdint>
#include <vector>

namespace cosilico {

// Intervals are in memory clocks; testbench/rtl/lpddr4_channel.py says where the figures come from.
struct DramTiming {
    uint64_t clock_mhz = 0;  // of the accelerator; 0: there is no DRAM
    uint64_t memory_mhz = 0; // of the memory's clock
    uint64_t access_bytes = 0, page_bytes = 0, banks = 0;
    uint64_t write_queue = 0; // write bursts that the controller holds
    uint64_t front = 0, back = 0;
    uint64_t read_latency = 0, write_latency = 0; // column command to the last data of the access
    uint64_t column = 0, row_to_column = 0, precharge = 0, precharge_all = 0, row_active = 0;
    uint64_t row_to_row = 0, four_rows = 0;
    uint64_t read_to_precharge = 0, write_to_precharge = 0;
    uint64_t read_to_write = 0, write_to_read = 0;
    uint64_t refresh_interval = 0, refresh = 0;
};

class Dram {
  public:
    explicit Dram(const DramTiming& timing) : t_(timing) { restart(0); }

    bool present() const { return t_.clock_mhz != 0; }
    const DramTiming& timing() const { return t_; }

    // Forgets the past: all rows closed, the refresh calendar begins with this cycle.
    void restart(uint64_t cycle) {
        origin_ = cycle;
        banks_.assign(t_.banks, Bank());
        last_column_ = -NEVER;
        last_was_write_ = false;
        std::fill(rows_, rows_ + 4, -NEVER);
        next_refresh_ = int64_t(t_.refresh_interval);
    }

    // Schedules a read burst whose address came in cycle `arrival`; returns for every beat the cycle
    // in which the controller has it.
    std::vector<uint64_t> read(uint64_t address, unsigned beats, unsigned beat_bytes,
                               uint64_t arrival) {
        std::vector<uint64_t> there;
        const uint64_t end = address + uint64_t(beats) * beat_bytes;
        for (uint64_t at = address / t_.access_bytes * t_.access_bytes; at < end;
             at += t_.access_bytes) {
            const int64_t data = access(at, false, arrival) + int64_t(t_.read_latency + t_.back);
            const uint64_t arrived = std::min(end, at + t_.access_bytes) - address;
            while ((there.size() + 1) * beat_bytes <= arrived) there.push_back(cycle_of(data));
        }
        return there;
    }

    // Schedules a write burst whose last beat came in cycle `arrival`; returns the cycle in which it
    // is answered.
    uint64_t write(uint64_t address, unsigned beats, unsigned beat_bytes, uint64_t arrival) {
        const uint64_t end = address + uint64_t(beats) * beat_bytes;
        int64_t data = 0;
        for (uint64_t at = address / t_.access_bytes * t_.access_bytes; at < end;
             at += t_.access_bytes)
            data = access(at, true, arrival) + int64_t(t_.write_latency + t_.back);
        return cycle_of(data);
    }

  private:
    static constexpr int64_t NEVER = 1 << 30;
    struct Bank {
        bool open = false;
        uint64_t row = 0;
        int64_t column = 0;    // earliest column command to the open row
        int64_t precharge = 0; // earliest precharge of it
        int64_t activate = 0;  // earliest activate, when closed
    };

    // First cycle of the accelerator that is not before a memory clock, and the reverse.
    uint64_t cycle_of(int64_t clock) const {
        return origin_ + (uint64_t(clock) * t_.clock_mhz + t_.memory_mhz - 1) / t_.memory_mhz;
    }
    int64_t clock_of(uint64_t cycle) const {
        return int64_t(((cycle - origin_) * t_.memory_mhz + t_.clock_mhz - 1) / t_.clock_mhz);
    }

    // The memory clock of the access's column command.
    int64_t access(uint64_t address, bool write, uint64_t arrival) {
        const int64_t earliest = clock_of(arrival) + int64_t(t_.front);
        while (next_refresh_ <= std::max(earliest, last_column_ + int64_t(t_.column))) refresh();
        Bank& bank = banks_[address / t_.page_bytes % t_.banks];
        const uint64_t row = address / t_.page_bytes / t_.banks;
        if (!bank.open || bank.row != row) activate(bank, row, earliest);
        int64_t gap = t_.column;
        if (write && !last_was_write_) gap = t_.read_to_write;
        if (!write && last_was_write_) gap = t_.write_to_read;
        const int64_t column = std::max({earliest, bank.column, last_column_ + gap});
        const int64_t recovery = write ? t_.write_to_precharge : t_.read_to_precharge;
        bank.precharge = std::max(bank.precharge, column + recovery);
        last_column_ = column;
        last_was_write_ = write;
        return column;
    }

    void activate(Bank& bank, uint64_t row, int64_t earliest) {
        if (bank.open) bank.activate = std::max(earliest, bank.precharge) + int64_t(t_.precharge);
        const int64_t now = std::max({earliest, bank.activate, rows_[3] + int64_t(t_.row_to_row),
                                      rows_[0] + int64_t(t_.four_rows)});
        std::copy(rows_ + 1, rows_ + 4, rows_);
        rows_[3] = now;
        bank.open = true;
        bank.row = row;
        bank.column = now + int64_t(t_.row_to_column);
        bank.precharge = now + int64_t(t_.row_active);
    }

    void refresh() {
        int64_t start = next_refresh_;
        for (const Bank& bank : banks_) start = std::max(start, bank.open ? bank.precharge : bank.activate);
        for (Bank& bank : banks_) {
            bank.open = false;
            bank.activate = start + int64_t(t_.precharge_all + t_.refresh);
        }
        next_refresh_ += int64_t(t_.refresh_interval);
    }

    DramTiming t_;
    uint64_t origin_ = 0;
    std::vector<Bank> banks_;
    int64_t last_column_ = 0;
    bool last_was_write_ = false;
    int64_t rows_[4] = {0, 0, 0, 0}; // last four activates, oldest first
    int64_t next_refresh_ = 0;
};

} // namespace cosilico

#endif
