"""Networks, accelerators, plans and schedules as int64 arrays, and the decorators of their kernels."""
