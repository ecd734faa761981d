# Table 4, "None", 3 Blocks: the experiment of Table 3.
_base_ = '../table3_iterations/repflow_r34_block3_10iters_learned_tinykinetics.py'
