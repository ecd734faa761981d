"""What motion costs: times and memory of the solver, the layer, whole networks."""
