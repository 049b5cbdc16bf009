"""A system on a chip around an accelerator: processor, memories, serial line, and their firmware."""
