"""Restricted unpickling: the names a checkpoint's pickle may use, and their meaning.

`torch.load(weights_only=True)` only calls an allowlist of functions. That list is wider
than weights need (it builds unvalidated sparse tensors, and buffers of any size) and
includes neither numpy nor MMEngine's logs. Here it is narrowed to :data:`NAMES`; numpy
and logs are read by stand-ins that validate their arguments. numpy's own functions are
unsafe: a forged array or dtype can point anywhere in memory.
"""

import copy
import pickletools
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any, BinaryIO

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor, _weights_only_unpickler
from torch.serialization import add_safe_globals, clear_safe_globals, get_safe_globals

from repflow_mm.checkpoint.archive import Refused, require


def forbidden(what: str) -> Refused:
    """The error for a name that could run code."""
    return Refused(
        f'it pickles {what}, which weights do not need and which could run code; '
        'nothing of it was executed. Ask its author for a checkpoint of plain tensors '
        '(a state_dict)'
    )


class _Dtype:
    """Stands in for `numpy.dtype`: numbers, text or objects, but not structured."""

    def __init__(self, code: str, *flags) -> None:
        if not re.fullmatch(r'[biufcSUO]\d{1,6}', code):
            raise forbidden(f'numpy.dtype({code[:20]!r})')
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        _, order, *structure = state[:5]
        if structure != [None, None, None]:
            raise forbidden('a structured numpy.dtype')
        self.dtype = self.dtype.newbyteorder('=' if order == '|' else order)


class _Array:
    """Stands in for `numpy.ndarray`, which a pickle creates first and fills later."""

    def __init__(self, *args) -> None:
        self.state = None

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    def finish(self, finish: Callable) -> np.ndarray:
        _, shape, dtype, fortran, data = self.state
        if isinstance(data, list):  # Python objects, unpickled one by one
            flat = np.empty(len(data), dtype=object)
            for i, item in enumerate(data):  # one by one: numpy would unpack lists
                flat[i] = finish(item)
        else:
            flat = np.frombuffer(data, dtype.dtype).copy()  # rejects object dtypes
        return flat.reshape(shape, order='F' if fortran else 'C')


def _scalar(dtype: _Dtype, data: bytes) -> np.generic:
    (value,) = np.frombuffer(data, dtype.dtype)
    return value


class _History:
    """Stands in for MMEngine's `HistoryBuffer`."""

    def __init__(self, *args) -> None:
        self.state = {}

    def __setstate__(self, state: dict) -> None:
        self.state = state

    def finish(self, finish: Callable) -> HistoryBuffer:
        log, count = (finish(self.state[f'_{row}_history']) for row in ('log', 'count'))
        numbers = all(isinstance(row, np.ndarray) for row in (log, count))
        require(numbers, 'it has a log history that is not two arrays of numbers')
        return HistoryBuffer(log, count, self.state['max_length'])


class _OneCycle:
    """Stands in for MMEngine's `OneCycleParamScheduler`, which pickles its curve."""

    NAMES = ('_annealing_cos', '_annealing_linear')

    @classmethod
    def curves(cls) -> list[Callable]:
        from mmengine.optim import OneCycleLR  # not needed by other checkpoints

        return [getattr(OneCycleLR, name) for name in cls.NAMES]


def _getattr(owner: Any, name: str) -> Callable | None:
    """`getattr`, by which methods are pickled.

    Those of a `HistoryBuffer` are ignored; the curve of a schedule is itself.
    """
    if owner is _OneCycle and name in _OneCycle.NAMES:
        return _OneCycle.curves()[_OneCycle.NAMES.index(name)]
    if owner is not _History or name not in ('min', 'max', 'mean', 'current'):
        raise forbidden('builtins.getattr')
    return None


def _encode(text: str, encoding: str) -> bytes:
    """`_codecs.encode`: how protocol 2 writes bytes. Other encodings expand them."""
    if not isinstance(text, str) or encoding != 'latin1':
        raise forbidden(f'_codecs.encode(..., {str(encoding)[:20]!r})')
    return text.encode(encoding)


def _bytes() -> bytes:
    """`bytes()`: how protocol 2 writes the data of an empty array."""
    return b''


class _TensorType:
    """Stands in for `torch.Tensor`, which would build buffers of any size."""

    def __init__(self, *args) -> None:
        raise forbidden('torch.Tensor(...)')


def _rebuild_from_type(rebuild: Callable, kind: type, args: tuple, state: Any) -> Any:
    """`_rebuild_from_type_v2`: a tensor that has attributes, which are dropped.

    `torch.compile` marks those of an optimizer.
    """
    if rebuild is not torch._utils._rebuild_tensor_v2 or kind is not _TensorType:
        raise forbidden('torch._tensor._rebuild_from_type_v2')
    return rebuild(*args)


_STAND_INS: dict[str, Callable] = {
    '_codecs.encode': _encode,
    'numpy.dtype': _Dtype,
    'numpy.ndarray': _Array,
    'mmengine.logging.history_buffer.HistoryBuffer': _History,
    'mmengine.optim.scheduler.param_scheduler.OneCycleParamScheduler': _OneCycle,
    'builtins.bytes': _bytes,
    'builtins.getattr': _getattr,
    'torch.Tensor': _TensorType,
    'torch._tensor._rebuild_from_type_v2': _rebuild_from_type,
}
for _module in ('numpy.core.multiarray', 'numpy._core.multiarray'):  # numpy renamed it
    _STAND_INS |= {f'{_module}._reconstruct': _Array, f'{_module}.scalar': _scalar}

# torch's name of each dtype, and of its legacy storage type.
_KINDS = dict(
    float64='Double',
    float32='Float',
    float16='Half',
    bfloat16='BFloat16',
    int64='Long',
    int32='Int',
    int16='Short',
    int8='Char',
    uint8='Byte',
    bool='Bool',
    complex64='ComplexFloat',
    complex128='ComplexDouble',
)

# The allowed names, each as `module.name`.
NAMES = frozenset(
    {
        'builtins.complex',
        'builtins.set',
        'collections.Counter',
        'collections.OrderedDict',
        'torch.Size',
        'torch._utils._rebuild_parameter',
        'torch._utils._rebuild_tensor',
        'torch._utils._rebuild_tensor_v2',
        'torch.device',
        'torch.nn.parameter.Parameter',
        *_STAND_INS,
        *(f'torch.{dtype}' for dtype in _KINDS),
        *(f'torch.{kind}Storage' for kind in _KINDS.values()),
        *(f'torch.{kind}Tensor' for kind in _KINDS.values()),  # of PyTorch 0.1
    }
)


def check_names(stream: BinaryIO) -> None:
    """Scan one pickle without executing it; reject names outside :data:`NAMES`.

    Raises:
        Refused: On such a name.
        ValueError: If it is not a pickle.
    """
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in ('GLOBAL', 'INST'):
            # Protocol 2 uses Python 2's module names.
            name = argument.replace('__builtin__ ', 'builtins ').replace(' ', '.')
            if opcode.name == 'INST' or name not in NAMES:
                raise forbidden(name[:80])


_lock = threading.Lock()


@contextmanager
def stand_ins() -> Iterator[None]:
    """Make torch's weights-only unpickler read numpy and logs as stand-ins.

    Other safe globals (`torch.serialization.add_safe_globals`) are suspended inside the
    context and restored on exit. The list is global, hence the lock.
    """
    with _lock:
        others = get_safe_globals()
        # torch's own list goes before safe globals; the function caches it.
        built_in = _weights_only_unpickler._get_allowed_globals()
        hidden = {name: built_in.pop(name) for name in _STAND_INS if name in built_in}
        clear_safe_globals()
        try:
            add_safe_globals([(value, name) for name, value in _STAND_INS.items()])
            yield
        finally:
            clear_safe_globals()
            add_safe_globals(others)
            built_in.update(hidden)


_KEYS = str, bytes, int, float, bool, type(None), tuple, torch.dtype, torch.device
_LEAVES = (
    *(str, bytes, int, float, bool, type(None), complex),
    *(torch.Size, torch.dtype, torch.device, np.generic),
)


def finished(content: Any, size: int) -> Any:
    """Replace stand-ins in the unpickled content by arrays and logs.

    Args:
        content (Any): The result of torch's unpickler.
        size (int): Bytes of the file.

    Returns:
        Any: The same, with tensors in memory of their own; tied tensors stay tied.

    Raises:
        Refused: If it holds any other type, or if its tensors claim far more than the
            file holds.
        RecursionError: If it is nested hundreds of levels deep.
    """
    done: dict[int, tuple[Any, Any]] = {}  # by id: the original, its replacement
    copies: dict = {}
    storages = set()
    # Weights may be tied or expanded, but no real file needs more than eight times.
    room = 8 * size + (1 << 20)

    def own(tensor: Tensor) -> Tensor:
        nonlocal room
        storage = tensor.untyped_storage()
        room -= tensor.numel() * tensor.element_size()
        if storage.data_ptr() not in storages:
            storages.add(storage.data_ptr())
            room -= storage.nbytes()
        require(room >= 0, 'its tensors claim far more than the file holds')
        return copy.deepcopy(tensor, copies)

    def convert(value: Any) -> Any:
        kind = type(value)
        if kind in (dict, OrderedDict, Counter):
            if kind is OrderedDict and vars(value):  # module versions of a state dict
                # First, since an attribute may also hide a method.
                metadata = vars(value).get('_metadata')
                vars(value).clear()
                value._metadata = finish(metadata)
            for key, item in value.items():
                require(isinstance(key, _KEYS), 'it has a key that is not a name')
                value[key] = finish(item)
        elif kind is list:
            value[:] = map(finish, value)
        elif kind is tuple:
            return tuple(map(finish, value))
        elif isinstance(value, Tensor):
            return own(value)
        elif isinstance(value, _Array | _History):
            return value.finish(finish)
        elif kind is set:
            require(all(isinstance(v, _KEYS) for v in value), 'it has a set of objects')
        elif isinstance(value, FunctionType) and value in _OneCycle.curves():
            return value
        elif not isinstance(value, _LEAVES):
            raise Refused(f'it holds a {kind.__name__}, which no checkpoint needs')
        return value

    def finish(value: Any) -> Any:
        if id(value) not in done:
            done[id(value)] = (value, value)
            done[id(value)] = (value, convert(value))
        return done[id(value)][1]

    try:
        return finish(content)
    finally:
        # The functions above refer to each other, and would keep the original, and so
        # its file mapped, until a garbage collection.
        done.clear()
        copies.clear()
