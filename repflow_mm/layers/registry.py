"""Registry of motion layers: the types that `flow=dict(type=...)` can name."""

from collections.abc import Callable, Collection, Iterable, Mapping

from repflow_mm.errors import InputError, InputTypeError, suggestion
from repflow_mm.layers.base import MotionLayer

_LAYERS: dict[str, type[MotionLayer]] = {}
_LISTENERS: list[Callable[[str, type[MotionLayer]], None]] = []


def register_layer(
    name: str,
) -> Callable[[type[MotionLayer]], type[MotionLayer]]:
    """Class decorator that registers a motion layer under a name.

    The layer can then be used as `flow=dict(type=NAME)` after any stage and, once
    `repflow_mm.plugin` is imported, as `neck=dict(type=NAME)`.

    Args:
        name (str): The name.

    Raises:
        ValueError: If the name is taken.
    """

    def register(layer: type[MotionLayer]) -> type[MotionLayer]:
        known = _LAYERS.get(name)
        if known not in (None, layer):
            raise ValueError(f'a motion layer named {name!r} is already registered')
        if known is None:
            for listener in _LISTENERS:
                listener(name, layer)
            _LAYERS[name] = layer
        return layer

    return register


def on_register(listener: Callable[[str, type[MotionLayer]], None]) -> None:
    """Call a function with the name and class of each layer, present and future."""
    _LISTENERS.append(listener)
    for name, layer in _LAYERS.items():
        listener(name, layer)


def layer_names() -> tuple[str, ...]:
    """The names of all motion layers."""
    return tuple(_LAYERS)


def build_layer(cfg: Mapping, in_channels: int) -> MotionLayer:
    """Build a motion layer from a config.

    Args:
        cfg (Mapping): Arguments of the layer; `type` is its name, by default
            `'RepFlow'`.
        in_channels (int): Channels of its input features.

    Returns:
        MotionLayer: The layer.

    Raises:
        InputError: On an unknown type or option.
        InputTypeError: If `cfg` is not a dict.
    """
    if not isinstance(cfg, Mapping):
        raise InputTypeError(
            f'flow must be a dict, such as dict(type="RepFlow"), got {cfg!r}'
        )
    options = dict(cfg)
    name = options.pop('type', 'RepFlow')
    if name not in _LAYERS:
        raise InputError(f'flow.type must be one of {layer_names()}, got {name!r}')
    check_options(name, options, _LAYERS[name].options())
    return _LAYERS[name](in_channels, **options)


def check_options(name: str, options: Iterable[str], known: Collection[str]) -> None:
    """Reject options that a layer does not have.

    Args:
        name (str): Name of the layer, for the message.
        options (Iterable[str]): Names of the options in a config.
        known (Collection[str]): Names of the layer's options.

    Raises:
        InputError: On the first unknown option; lists the known ones.
    """
    for option in options:
        if option not in known:
            hint = suggestion(option, known) or ':'
            raise InputError(
                f'{name} has no option {option!r}{hint} it takes '
                f'{", ".join(sorted(known))}'
            )
