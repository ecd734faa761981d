# Table 3, "100 iterations", not learned: the experiment of Table 1.
_base_ = '../table1_placement/repflow_r34_block3_tinykinetics.py'
