"""Costs: area and energy, the table of all costs, the objective over it and the Pareto front."""
