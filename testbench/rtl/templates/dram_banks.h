// Banks of a DRAM channel: what is open, and when each command may come next. Intervals are in clocks
// of the memory; sim/spec/dram_timing.py names them, docs/reference/dram.md says where the figures come from.
//
// Addresses are row : bank : column : bank group. Without bank groups everything is in one group, and
// what holds within a group holds everywhere.

#ifndef COSILICO_DRAM_BANKS_H
#define COSILICO_DRAM_BANKS_H

#include <algorithm>
#include <cstdint>
#include <vector>

namespace cosilico {

struct DramTiming {
    uint64_t clock_mhz = 0;  // of the accelerator; 0: there is no DRAM
    uint64_t memory_mhz = 0; // of the memory's clock
    uint64_t access_bytes = 0, page_bytes = 0, banks = 0, bank_groups = 1;
    uint64_t write_bursts = 0; // that the controller holds
    // Of a controller that reorders; in accesses, and clocks.
    uint64_t reorder = 0, queue = 0, write_high = 0, write_low = 0, starvation = 0;
    uint64_t front = 0, back = 0;
    uint64_t read_latency = 0, write_latency = 0; // column command to the last data of the access
    uint64_t column = 0, column_long = 0, row_to_read = 0, row_to_write = 0;
    uint64_t precharge = 0, precharge_all = 0, row_active = 0;
    uint64_t row_to_row = 0, row_to_row_long = 0, four_rows = 0;
    uint64_t read_to_precharge = 0, write_to_precharge = 0;
    uint64_t read_to_write = 0, write_to_read = 0, write_to_read_long = 0;
    uint64_t refresh_interval = 0, refresh = 0;
};

struct DramPlace {
    uint64_t group = 0, bank = 0, row = 0;
};

class DramBanks {
  public:
    explicit DramBanks(const DramTiming& timing) : t_(timing) { restart(); }

    // All rows closed, the refresh calendar at its beginning.
    void restart() {
        banks_.assign(t_.banks, Bank());
        groups_.assign(t_.bank_groups, Group());
        last_ = Group();
        std::fill(rows_, rows_ + 4, -NEVER);
        next_refresh_ = int64_t(t_.refresh_interval);
    }

    DramPlace place(uint64_t address) const {
        const uint64_t stripe = address / (t_.page_bytes * t_.bank_groups);
        const uint64_t in_group = t_.banks / t_.bank_groups;
        const uint64_t group = address / t_.access_bytes % t_.bank_groups;
        return {group, stripe % in_group * t_.bank_groups + group, stripe / in_group};
    }

    int64_t next_refresh() const { return next_refresh_; }
    int64_t last_column() const { return std::max(last_.read, last_.write); }
    bool closed(const DramPlace& p) const { return !banks_[p.bank].open; }
    bool hit(const DramPlace& p) const {
        return banks_[p.bank].open && banks_[p.bank].row == p.row;
    }

    // Earliest clock of each command as far as the memory goes.
    int64_t precharge_at(const DramPlace& p) const { return banks_[p.bank].precharge; }
    int64_t activate_at(const DramPlace& p) const {
        return std::max({banks_[p.bank].activate, rows_[3] + int64_t(t_.row_to_row),
                         groups_[p.group].activate + int64_t(t_.row_to_row_long),
                         rows_[0] + int64_t(t_.four_rows)});
    }
    int64_t column_at(const DramPlace& p, bool write) const {
        const Group& own = groups_[p.group];
        const int64_t opened = banks_[p.bank].opened;
        if (write)
            return std::max({opened + int64_t(t_.row_to_write), last_.write + int64_t(t_.column),
                             own.write + int64_t(t_.column_long),
                             last_.read + int64_t(t_.read_to_write)});
        return std::max({opened + int64_t(t_.row_to_read), last_.read + int64_t(t_.column),
                         own.read + int64_t(t_.column_long),
                         last_.write + int64_t(t_.write_to_read),
                         own.write + int64_t(t_.write_to_read_long)});
    }

    // The commands.
    void precharge(const DramPlace& p, int64_t now) {
        banks_[p.bank].open = false;
        banks_[p.bank].activate = now + int64_t(t_.precharge);
    }
    void activate(const DramPlace& p, int64_t now) {
        std::copy(rows_ + 1, rows_ + 4, rows_);
        rows_[3] = groups_[p.group].activate = now;
        Bank& bank = banks_[p.bank];
        bank.open = true;
        bank.row = p.row;
        bank.opened = now;
        bank.precharge = now + int64_t(t_.row_active);
    }
    void column(const DramPlace& p, bool write, int64_t now) {
        Bank& bank = banks_[p.bank];
        const int64_t recovery = write ? t_.write_to_precharge : t_.read_to_precharge;
        bank.precharge = std::max(bank.precharge, now + recovery);
        (write ? last_.write : last_.read) = now;
        (write ? groups_[p.group].write : groups_[p.group].read) = now;
    }
    // Closes all rows as soon as it is due and they can be closed.
    void refresh() {
        int64_t start = next_refresh_;
        for (const Bank& bank : banks_) start = std::max(start, bank.open ? bank.precharge : bank.activate);
        for (Bank& bank : banks_) {
            bank.open = false;
            bank.activate = start + int64_t(t_.precharge_all + t_.refresh);
        }
        next_refresh_ += int64_t(t_.refresh_interval);
    }

  private:
    static constexpr int64_t NEVER = 1 << 30;
    struct Bank {
        bool open = false;
        uint64_t row = 0;
        int64_t opened = 0;    // when the row was activated
        int64_t precharge = 0; // earliest precharge of it
        int64_t activate = 0;  // earliest activate, when closed
    };
    struct Group { // latest commands
        int64_t read = -NEVER, write = -NEVER, activate = -NEVER;
    };

    DramTiming t_;
    std::vector<Bank> banks_;
    std::vector<Group> groups_;
    Group last_;                     // of all groups
    int64_t rows_[4] = {0, 0, 0, 0}; // last four activates, oldest first
    int64_t next_refresh_ = 0;
};

} // namespace cosilico

#endif
