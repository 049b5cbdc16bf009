# make                runs the program in Verilator, or in Icarus Verilog where that is missing
# make icarus         runs it in Icarus Verilog; make verilator in Verilator (5.0 or later)
# make STALLS=1       with random pauses of seed 1
# make WAVES=1        writes waves.vcd

SOURCES := testbench.v memory_ports.v -f cosilico.f
PLUSARGS := $(if $(STALLS),+stalls=$(STALLS)) $(if $(WAVES),+waves)
BUILD := build$(if $(WAVES),_waves)
# A Verilator that was configured without a compiler is told what GCC needs.
VERILATED_MK = $(shell verilator --getenv VERILATOR_ROOT)/include/verilated.mk
UNTOLD = $(shell grep -qsE '^CFG_CXXFLAGS_PCH_I = *$$' $(VERILATED_MK) && echo untold)
GCC_FLAGS = -CFLAGS '-std=c++20 -fcoroutines' -MAKEFLAGS CFG_CXXFLAGS_PCH_I=-include
VERILATOR_FLAGS = --binary --timing -Wno-fatal -Wno-lint -Wno-style --top-module testbench \
  $(if $(WAVES),--trace-vcd) $(if $(UNTOLD),$(GCC_FLAGS))

.DEFAULT_GOAL := $(if $(shell command -v verilator),verilator,icarus)
.PHONY: verilator icarus clean

verilator:
	verilator $(VERILATOR_FLAGS) -j 0 --Mdir $(BUILD) $(SOURCES) >verilator.log 2>&1 \
	  || { tail verilator.log; exit 1; }
	./$(BUILD)/Vtestbench $(PLUSARGS) | tee run.log
	grep -q '^PASS' run.log

icarus:
	iverilog -g2005 -o testbench.vvp -s testbench $(SOURCES)
	vvp -n testbench.vvp $(PLUSARGS) | tee run.log
	grep -q '^PASS' run.log

clean:
	rm -rf build build_waves testbench.vvp trace.txt run.log verilator.log waves.vcd
