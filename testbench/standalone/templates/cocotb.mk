# make                     builds the accelerator in Verilator and runs the tests
# make SIMULATOR=icarus    in Icarus Verilog
# make FILTER=stop         runs only the tests whose names match
# make WAVES=1             with waveforms

PYTHON ?= python3
SIMULATOR ?= verilator

.PHONY: test clean

test:
	$(PYTHON) runner.py --simulator $(SIMULATOR) $(if $(FILTER),--filter '$(FILTER)') \
	  $(if $(WAVES),--waves)

clean:
	rm -rf build_* __pycache__ cocotb_bench/__pycache__
