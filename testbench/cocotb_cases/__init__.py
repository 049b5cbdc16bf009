"""Protocol-level cases that run inside the simulator; tests/test_testbench/cocotb_cases/test_testbench_cocotb.py starts them."""
