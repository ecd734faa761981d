# TV-L1 twice, a flow stream (configs/table5_flow_of_flow), is not among the arms yet.
_base_ = '../_base_/study.py'

title = 'Flow of flow needs a convolution in between'
table = 'Table 5'
why = (
    'One flow layer sees two frames and therefore no acceleration; the flow of its '
    'flow sees three. The 3x3 convolution between the two also makes the network '
    'larger, which the arm with a convolution after one flow controls for. The paper '
    'has no such arm.'
)
sets = dict(acceleration=dict(kind='acceleration'), jerk=dict(kind='jerk'))
flow = 'model.backbone.flow'
config = 'repflow_r18_block2_motion'
arms = {
    'flow': dict(config=config),
    'flow, conv': {
        'config': config,
        flow: dict(type='FcF', num_flows=1, conv_after=True),
    },
    'flow, flow': {'config': config, flow: dict(type='FcF', num_flows=2, conv=False)},
    'flow, conv, flow': {'config': config, flow: dict(type='FcF', num_flows=2)},
    'flow, conv, flow, conv, flow': {
        'config': config,
        flow: dict(type='FcF', num_flows=3),
    },
}
baseline = 'flow'
# Tiny-Kinetics, top-1 in %.
paper = {
    'flow': 59.4,
    'flow, flow': 47.2,
    'flow, conv, flow': 62.3,
    'flow, conv, flow, conv, flow': 56.5,
}
contrasts = {
    'Flow-conv-flow is better than one flow': 'flow, conv, flow - flow',
    'It is the second flow, not the convolution': 'flow, conv, flow - flow, conv',
    'Flow of flow without a convolution is worse than one flow': 'flow - flow, flow',
    'A third flow is worse than two': (
        'flow, conv, flow - flow, conv, flow, conv, flow'
    ),
}
# Effects of over 10 points: 3 seeds. In 12 epochs, two flows do not yet fit the
# training clips (seed 0: 51.7 %). 24 were chosen with seed 7 (97.5 %, one flow 73.0).
scales = dict(quick=dict(sets=['acceleration'], options=dict(max_epochs=24)))
