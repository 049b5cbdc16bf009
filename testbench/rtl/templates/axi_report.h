// What rtl/axi_rules.sv calls in a simulation. A source file by itself, or included by one.

#ifndef COSILICO_AXI_REPORT_H
#define COSILICO_AXI_REPORT_H

#include <cstdio>
#include <cstdlib>

namespace cosilico {

constexpr int EXIT_PROTOCOL = 4;

// Whether a reset of the design is one of what it is connected to: no answers come after it.
static bool reset_clears_bus = true;

} // namespace cosilico

extern "C" void axi_violation(const char* channel, unsigned long long cycle, const char* rule) {
    std::fprintf(stderr, "AXI protocol violation on %s at cycle %llu: %s\n", channel, cycle, rule);
    std::exit(cosilico::EXIT_PROTOCOL);
}

extern "C" unsigned char axi_reset_clears() { return cosilico::reset_clears_bus; }

#endif
