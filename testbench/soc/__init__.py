"""Systems in simulation: what their firmware prints, compared with the integer reference."""
