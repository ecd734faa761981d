# Table 3, "100 iterations", learned: the experiment of Table 2.
_base_ = '../table2_learning/repflow_r34_block3_learn_div_scalars_tinykinetics.py'
