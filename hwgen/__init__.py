"""Hardware generation: from a design to Verilog and to the program that runs on it."""
