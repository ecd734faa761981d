"""Every motion layer of the package, small, in each of its forms."""

from repflow_mm.layers.registry import _LAYERS

LAYERS = {
    name: layer
    for name, layer in _LAYERS.items()
    if layer.__module__.startswith('repflow_mm.')  # tests register some of their own
}
OTHER_FORMS = [
    dict(type='FcF', between='narrow'),
    dict(type='NonLocal', sub_sample=False),
    dict(type='OFF', spatial='diagonal'),
    dict(type='TVNet', warps=2),
    dict(type='TemporalDifference', conv=True),
]
SMALL = dict(flow_channels=4, n_iters=2)
FORMS = [
    form | {k: v for k, v in SMALL.items() if k in LAYERS[form['type']].options()}
    for form in [*(dict(type=name) for name in LAYERS), *OTHER_FORMS]
]


def form_name(form: dict) -> str:
    """The name of a form in test ids, such as `OFF-diagonal`."""
    return '-'.join(str(v) for k, v in form.items() if k not in SMALL)
