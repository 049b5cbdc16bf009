"""Area and energy of an accelerator and of what it does."""
