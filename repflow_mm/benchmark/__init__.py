"""Benchmarks: time and memory of the solver, the layer and complete networks."""
