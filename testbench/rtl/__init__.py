"""An emitted accelerator as an executable simulation, and what lies behind its ports."""
