"""Protocol-level cases that run inside the simulator; tests/test_testbench_cocotb.py starts them."""
