# Table 2, "None (all fixed)": the experiment of Table 1.
_base_ = '../table1_placement/repflow_r34_block3_tinykinetics.py'
