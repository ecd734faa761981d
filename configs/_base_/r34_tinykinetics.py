# What Tables 1 to 5 share; "After Block 3", 10 iterations, learned.
_base_ = [
    'models/repflow_r34.py',
    'datasets/tiny_kinetics.py',
    'schedules/sgd_cosine.py',
    'default_runtime.py',
]
