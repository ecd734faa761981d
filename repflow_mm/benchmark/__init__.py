"""Benchmarks: time and memory of the solver, the layer and complete networks."""

import repflow_mm.models  # noqa: F401  patches the stack, and registers
