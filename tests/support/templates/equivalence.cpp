// Runs the comparison of the two views: equivalence SEED CYCLES [+PLUSARG ...]; prints the cycles
// compared before the first difference, and whether there was one.

#include <cstdio>
#include <cstdlib>

#include "Vequivalence.h"
#include "verilated.h"

constexpr long RESET_CYCLES = 4;

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    VerilatedContext context;
    context.commandArgs(argc, argv);
    context.randSeed(std::atoi(argv[1]));
    context.randReset(2);
    Vequivalence top(&context);
    const long cycles = std::atol(argv[2]);
    for (long cycle = 0; cycle < cycles && (cycle < RESET_CYCLES || !top.mismatch); ++cycle) {
        top.rst = cycle < RESET_CYCLES;
        top.clk = 0;
        top.eval();
        top.clk = 1;
        top.eval();
    }
    std::printf("%u %u\n", unsigned(top.compared), unsigned(top.mismatch));
    return 0;
}
