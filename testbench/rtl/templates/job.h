// What the harness is asked to run: a job directory written by testbench/rtl/harness.py.
//
//   job.txt      one "key value..." per line, see read_job(); "program" begins each program's lines,
//                "memory" the values of another external memory from that program on
//   memory.bin   the programs' memory images, back to back, each from address 0
//   inputs.bin   input bytes of all runs, back to back; of a run those of all its images
// and what it leaves there, all int64 little endian unless said:
//   events.bin   per run, per queue (LOAD, EXECUTE, STORE): start[n], end[n], and issue_end[n] for
//                EXECUTE; n descriptors of that queue in order; -1 where nothing was seen
//   counters.bin per run: the CSRs named in the job, in its order
//   outputs.bin  per run: bytes of the output region
//   probes.bin   per run, per probe in the job's order: bytes [pe_y][pe_x][group][row][column][S]
//   state.txt    on a hang: where each queue stands
// Progress goes to standard output: "progress <runs done> <cycles>".

#ifndef COSILICO_JOB_H
#define COSILICO_JOB_H

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "axi_memory.h"

namespace cosilico {

struct Probe {
    int64_t execute_index, local_address, groups, rows, columns, plane, row;
};

constexpr uint64_t NEVER = uint64_t(1) << 62;

// The part of a run that waveforms show: cycles, or from the start of the first of some descriptors to the
// end of the last.
struct Window {
    bool given = false;
    int64_t first_cycle = 0, end_cycle = 0; // none where both are 0
    int64_t first[3] = {-1, -1, -1}, last[3] = {-1, -1, -1}; // by queue, numbered in it
};

struct ProgramJob {
    bool other_memory = false; // whether it begins with another external memory
    MemoryTiming timing;
    uint64_t base = 0;
    uint64_t header_address = 0, memory_bytes = 0, runs = 0;
    uint64_t input_stride = 0;  // from the place of even runs' inputs to that of odd runs
    uint64_t input_address = 0, input_bytes = 0, output_address = 0, output_bytes = 0;
    uint64_t watchdog = 0;
    uint64_t timeout = 0, window_base = 0, window_limit = 0; // what the CSRs take
    uint64_t abort_at = NEVER, reset_at = NEVER;             // cycle of every run
    size_t descriptors[3] = {0, 0, 0};
    std::vector<Probe> probes;
    Window window; // of the first run
};

struct Job {
    uint64_t progress_ms = 250;
    uint64_t accelerator_mhz = 1;
    int initial_seed = 0; // of what memories and registers hold before the first reset
    std::vector<unsigned> counters; // CSR offsets
    std::vector<ProgramJob> programs;
    bool windowed = false; // whether waveforms show the windows of the programs alone

    uint64_t most_memory_bytes() const {
        uint64_t most = 0;
        for (const ProgramJob& program : programs) most = std::max(most, program.memory_bytes);
        return most;
    }
};

class File {
  public:
    File(const std::string& directory, const char* name, const char* mode)
        : path_(directory + "/" + name), file_(std::fopen(path_.c_str(), mode)) {
        if (!file_) fail("cannot be opened");
    }
    ~File() { std::fclose(file_); }
    File(const File&) = delete;
    void operator=(const File&) = delete;
    void read(void* data, size_t bytes) {
        if (std::fread(data, 1, bytes, file_) != bytes) fail("is too short");
    }
    void write(const void* data, size_t bytes) {
        if (std::fwrite(data, 1, bytes, file_) != bytes) fail("cannot be written");
    }
    void write(const std::vector<int64_t>& values) { write(values.data(), values.size() * 8); }
    std::FILE* stream() { return file_; }

  private:
    [[noreturn]] void fail(const char* what) {
        std::fprintf(stderr, "%s %s\n", path_.c_str(), what);
        std::exit(2);
    }
    std::string path_;
    std::FILE* file_;
};

// Keys of a memory's values: the DRAM's are "dram_" and the member's name.
inline std::map<std::string, uint64_t*> dram_fields(DramTiming& t) {
    return {
        {"dram_clock_mhz", &t.clock_mhz},
        {"dram_memory_mhz", &t.memory_mhz},
        {"dram_access_bytes", &t.access_bytes},
        {"dram_page_bytes", &t.page_bytes},
        {"dram_banks", &t.banks},
        {"dram_bank_groups", &t.bank_groups},
        {"dram_write_bursts", &t.write_bursts},
        {"dram_reorder", &t.reorder},
        {"dram_queue", &t.queue},
        {"dram_write_high", &t.write_high},
        {"dram_write_low", &t.write_low},
        {"dram_starvation", &t.starvation},
        {"dram_front", &t.front},
        {"dram_back", &t.back},
        {"dram_read_latency", &t.read_latency},
        {"dram_write_latency", &t.write_latency},
        {"dram_column", &t.column},
        {"dram_column_long", &t.column_long},
        {"dram_row_to_read", &t.row_to_read},
        {"dram_row_to_write", &t.row_to_write},
        {"dram_precharge", &t.precharge},
        {"dram_precharge_all", &t.precharge_all},
        {"dram_row_active", &t.row_active},
        {"dram_row_to_row", &t.row_to_row},
        {"dram_row_to_row_long", &t.row_to_row_long},
        {"dram_four_rows", &t.four_rows},
        {"dram_read_to_precharge", &t.read_to_precharge},
        {"dram_write_to_precharge", &t.write_to_precharge},
        {"dram_read_to_write", &t.read_to_write},
        {"dram_write_to_read", &t.write_to_read},
        {"dram_write_to_read_long", &t.write_to_read_long},
        {"dram_refresh_interval", &t.refresh_interval},
        {"dram_refresh", &t.refresh},
    };
}

// Keys of an interconnect's values: "interconnect_" and the member's name.
inline std::map<std::string, uint64_t*> interconnect_fields(InterconnectTiming& t) {
    return {
        {"interconnect_kind", &t.kind},
        {"interconnect_clock_mhz", &t.clock_mhz},
        {"interconnect_far_mhz", &t.far_mhz},
        {"interconnect_width_bytes", &t.width_bytes},
        {"interconnect_latency", &t.latency},
        {"interconnect_synchronizer", &t.synchronizer},
        {"interconnect_gap_cycles", &t.gap_cycles},
        {"interconnect_other_beats", &t.other_beats},
        {"interconnect_traffic_seed", &t.traffic_seed},
        {"interconnect_banks", &t.banks},
        {"interconnect_row_bytes", &t.row_bytes},
        {"interconnect_activate", &t.activate},
        {"interconnect_precharge", &t.precharge},
        {"interconnect_turnaround", &t.turnaround},
        {"interconnect_queue", &t.queue},
        {"interconnect_high_watermark", &t.high_watermark},
        {"interconnect_low_watermark", &t.low_watermark},
        {"interconnect_patience", &t.patience},
    };
}

// Keys of the others, each its member's name.
inline std::map<std::string, uint64_t*> memory_fields(MemoryTiming& t) {
    std::map<std::string, uint64_t*> fields = {
        {"latency", &t.latency},
        {"write_latency", &t.write_latency},
        {"outstanding", &t.outstanding},
        {"width_bytes", &t.width_bytes},
        {"clock_mhz", &t.clock_mhz},
        {"burst_gap", &t.burst_gap},
        {"stalls", &t.stalls},
        {"seed", &t.seed},
        {"stall_percent", &t.stall_percent},
        {"response_delay", &t.response_delay},
        {"write_order", &t.write_order},
        {"readiness", &t.readiness},
        {"fault_port", &t.fault_port},
        {"fault_index", &t.fault_index},
        {"fault_response", &t.fault_response},
        {"silent_port", &t.silent_port},
        {"silent_index", &t.silent_index},
        {"reset_clears", &t.reset_clears},
    };
    fields.merge(dram_fields(t.dram));
    fields.merge(interconnect_fields(t.interconnect));
    return fields;
}

// Keys of a program's numbers, each its member's name.
inline std::map<std::string, uint64_t*> program_fields(ProgramJob& p) {
    return {
        {"header_address", &p.header_address}, {"memory_bytes", &p.memory_bytes},
        {"runs", &p.runs},                     {"input_address", &p.input_address},
        {"input_stride", &p.input_stride},
        {"input_bytes", &p.input_bytes},       {"output_address", &p.output_address},
        {"output_bytes", &p.output_bytes},     {"watchdog", &p.watchdog},
        {"timeout", &p.timeout},               {"window_base", &p.window_base},
        {"window_limit", &p.window_limit},     {"abort_at", &p.abort_at},
        {"reset_at", &p.reset_at},
    };
}

inline Job read_job(const std::string& directory) {
    Job job;
    File file(directory, "job.txt", "r");
    char key[64];
    long long v[7];
    std::map<std::string, uint64_t*> fields;
    while (std::fscanf(file.stream(), "%63s", key) == 1) {
        const std::string name = key;
        const bool single = name == "program" || name == "memory";
        const int wanted = name == "probe"               ? 7
                           : name == "waves_descriptors" ? 6
                           : name == "descriptors"       ? 3
                           : name == "waves_cycles"      ? 2
                           : single                      ? 0
                                                         : 1;
        for (int i = 0; i < wanted; ++i)
            if (std::fscanf(file.stream(), "%lld", &v[i]) != 1) std::exit(2);
        if (name == "initial_seed") job.initial_seed = int(v[0]);
        else if (name == "accelerator_mhz") job.accelerator_mhz = v[0];
        else if (name == "progress_ms") job.progress_ms = v[0];
        else if (name == "counter") job.counters.push_back(v[0]);
        else if (name == "program") {
            job.programs.emplace_back();
            fields = program_fields(job.programs.back());
        } else if (name == "memory") {
            job.programs.back().other_memory = true;
            fields.merge(memory_fields(job.programs.back().timing));
            fields["base"] = &job.programs.back().base;
        } else if (fields.count(name)) *fields.at(name) = v[0];
        else if (name == "descriptors")
            for (int q = 0; q < 3; ++q) job.programs.back().descriptors[q] = v[q];
        else if (name == "waves_cycles" || name == "waves_descriptors") {
            Window& window = job.programs.back().window;
            window.given = job.windowed = true;
            if (name == "waves_cycles") {
                window.first_cycle = v[0];
                window.end_cycle = v[1];
            } else
                for (int q = 0; q < 3; ++q) {
                    window.first[q] = v[2 * q];
                    window.last[q] = v[2 * q + 1];
                }
        } else if (name == "probe")
            job.programs.back().probes.push_back({v[0], v[1], v[2], v[3], v[4], v[5], v[6]});
        else {
            std::fprintf(stderr, "job.txt has unknown key %s\n", key);
            std::exit(2);
        }
    }
    return job;
}

} // namespace cosilico

#endif
