"""The names that a checkpoint may use, and what each means.

None means the function that it names: each is one of ours, which checks what it is
given.
"""

import math
import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor, TypedStorage, nn

# Python's hash of an integer is the integer, below this: above, all can be made one.
_HASHED = 2**61 - 1


class Refused(ValueError):
    """What a checkpoint must not hold; the message goes on from "is refused: "."""


def forbidden(what: str) -> Refused:
    """The error for what could run code."""
    return Refused(
        f'it pickles {what}, which weights do not need and which could run code; '
        'nothing of it was executed. Ask its author for a checkpoint of plain tensors '
        '(a state_dict)'
    )


def require(condition: bool, otherwise: str) -> None:
    """Refuse a file unless a condition holds."""
    if not condition:
        raise Refused(otherwise)


def show(name: str | int) -> str:
    """What a file calls something, on one line."""
    return repr(str(name)[:60])


def check_key(key: Any) -> None:
    """Only what hashes fast, and not all alike."""
    plain = isinstance(key, (str, bytes, float, np.generic, type(None))) or (
        isinstance(key, int) and abs(key) < _HASHED
    )
    require(plain, 'it has a key that is neither text nor a number of usual size')


# Tensors.


def _tensor(storage: TypedStorage, offset: int, size: tuple, stride: tuple) -> Tensor:
    require(isinstance(storage, TypedStorage), 'it has a tensor without numbers')
    shaped = isinstance(size, tuple) and isinstance(stride, tuple)
    require(
        shaped and len(size) == len(stride) <= 64, 'it has a tensor without a shape'
    )
    numbers = (offset, *size, *stride)
    fits = all(type(n) is int and 0 <= n < _HASHED for n in numbers)
    fits = fits and math.prod(n or 1 for n in size) < _HASHED
    if fits and 0 not in size:
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
        numel = storage._untyped_storage.nbytes() // storage.dtype.itemsize
        fits = last < numel
    require(fits, 'it has a tensor that is larger than its storage')
    return torch._utils._rebuild_tensor(storage, offset, size, stride)


def _tensor_v2(
    storage: TypedStorage,
    offset: int,
    size: tuple,
    stride: tuple,
    requires_grad: bool,
    hooks: dict,
    metadata: dict | None = None,
) -> Tensor:
    require(not metadata, 'it has a lazily conjugated or negated tensor')
    tensor = _tensor(storage, offset, size, stride)
    return tensor.requires_grad_(_learns(tensor, requires_grad))


def _parameter(data: Tensor, requires_grad: bool = True, hooks: Any = None) -> Tensor:
    require(isinstance(data, Tensor), 'it has a parameter without a tensor')
    return nn.Parameter(data.detach(), _learns(data, requires_grad))


def _learns(data: Tensor, requires_grad: bool) -> bool:
    return requires_grad is True and (data.is_floating_point() or data.is_complex())


class Unfinished:
    """What a pickle names first and fills later: `build` gives the real thing."""

    slot: int | None = None  # where the pickle remembers it


class _OldTensor(Unfinished):
    """A tensor as PyTorch 0.1 pickled it."""

    def build(self, state: tuple) -> Tensor:
        return _tensor(*state)


class _OldParameter(Unfinished):
    """A parameter as PyTorch 0.1 pickled it: with its data, or to get it later."""

    def __init__(self, data: Tensor | None = None) -> None:
        self.data = data

    def build(self, state: tuple) -> Tensor:
        if len(state) == 5:
            return _parameter(state[0], state[3])
        return _parameter(self.data, state[0])


# numpy.


class _NdarrayName:
    """What the name `numpy.ndarray` means in a file: a word, not a constructor."""


class _Dtype(Unfinished):
    """A dtype: a code, then a byte order; nothing structured."""

    def __init__(self, code: str, *flags) -> None:
        require(isinstance(code, str), 'it has a dtype without a code')
        if not re.fullmatch(r'[?bBhHiIlLqQefdg]|[biufSU]\d{1,6}|O8?', code):
            raise forbidden(f'numpy.dtype({code[:20]!r})')
        self.code = code

    def build(self, state: tuple) -> np.dtype:
        _, order, *structure = state[:5]
        if order not in ('<', '>', '=', '|') or structure != [None, None, None]:
            raise forbidden('a structured numpy.dtype')
        return np.dtype(self.code).newbyteorder(order.replace('|', '='))


class _Array(Unfinished):
    """An array: a name first, then shape, dtype and data."""

    def __init__(self, *args) -> None:
        pass

    def build(self, state: tuple) -> np.ndarray:
        _, shape, dtype, fortran, data = state
        require(isinstance(dtype, np.dtype), 'it has an array without a dtype')
        require(isinstance(data, list | bytes), 'it has an array without data')
        if isinstance(data, list):  # Python objects, unpickled one by one
            # Arrays of arrays free themselves by recursion, which can overflow.
            direct = any(isinstance(item, np.ndarray | Unfinished) for item in data)
            require(not direct, 'it has an array of arrays')
            flat = np.empty(len(data), dtype=object)
            for i, item in enumerate(data):  # at once, numpy would look into lists
                flat[i] = item
        elif dtype.hasobject:
            raise forbidden('numpy.ndarray of raw object pointers')
        else:
            flat = np.frombuffer(data, dtype).copy()
        return flat.reshape(shape, order='F' if fortran else 'C')


def _scalar(dtype: np.dtype, data: bytes) -> np.generic:
    sound = isinstance(dtype, np.dtype) and isinstance(data, bytes)
    require(sound, 'it has a number without a dtype or data')
    if dtype.hasobject:
        raise forbidden('a numpy scalar of a raw object pointer')
    (value,) = np.frombuffer(data, dtype)
    return value


# MMEngine and Python.


class _History(Unfinished):
    """A :class:`HistoryBuffer`: two rows of numbers and how long they may get."""

    def build(self, state: dict) -> HistoryBuffer:
        log, count = state.get('_log_history'), state.get('_count_history')
        numbers = all(
            isinstance(row, np.ndarray) and row.dtype.kind in 'biuf' and row.ndim == 1
            for row in (log, count)
        )
        longest = state.get('max_length')
        require(
            numbers and len(log) == len(count) and type(longest) is int and longest > 0,
            'it has a log history that is not two rows of numbers',
        )
        history = HistoryBuffer(max_length=longest)
        history._log_history, history._count_history = log, count
        return history


def _getattr(owner: Any, name: str) -> Any:
    """`getattr`, for the statistics that a `HistoryBuffer` refers to."""
    if owner is _History and name in ('min', 'max', 'mean', 'current'):
        return getattr(HistoryBuffer, name)
    raise forbidden('builtins.getattr')


def _encode(text: str, encoding: str) -> bytes:
    """`_codecs.encode`: how protocol 2 writes bytes."""
    if encoding not in ('latin1', 'latin-1'):
        raise forbidden('_codecs.encode to something else than bytes')
    return text.encode('latin1')


def _bytes() -> bytes:
    """`bytes`: how protocol 2 writes the data of an empty array."""
    return b''


def _ordered_dict() -> OrderedDict:
    return OrderedDict()


def _counter(counts: dict | None = None) -> Counter:
    require(counts is None or type(counts) is dict, 'it has a Counter of no counts')
    return Counter(counts)


def _set(items: list | tuple = ()) -> set:
    require(type(items) in (list, tuple), 'it has a set of no items')
    for item in items:
        check_key(item)
    return set(items)


def _size(items: tuple) -> torch.Size:
    require(type(items) in (list, tuple), 'it has a torch.Size of no numbers')
    return torch.Size(items)


def _device(kind: str, index: int | None = None) -> torch.device:
    require(isinstance(kind, str), 'it names a device without a name')
    try:
        return torch.device(kind) if index is None else torch.device(kind, index)
    except RuntimeError:
        raise Refused(f'it names a device {kind[:20]!r}') from None


def _complex(real: float, imaginary: float) -> complex:
    numbers = isinstance(real, float) and isinstance(imaginary, float)
    require(numbers, 'it has a complex number of no numbers')
    return complex(real, imaginary)


_STORED = dict(
    Double=torch.float64,
    Float=torch.float32,
    Half=torch.float16,
    BFloat16=torch.bfloat16,
    Long=torch.int64,
    Int=torch.int32,
    Short=torch.int16,
    Char=torch.int8,
    Byte=torch.uint8,
    Bool=torch.bool,
    ComplexFloat=torch.complex64,
    ComplexDouble=torch.complex128,
)

DTYPES = frozenset(_STORED.values())

_CALLS: dict[str, Callable] = {
    'torch._utils._rebuild_tensor': _tensor,
    'torch._utils._rebuild_tensor_v2': _tensor_v2,
    'torch._utils._rebuild_parameter': _parameter,
    'torch.nn.parameter.Parameter': _OldParameter,
    'torch.Size': _size,
    'torch.device': _device,
    'numpy.dtype': _Dtype,
    'mmengine.logging.history_buffer.HistoryBuffer': _History,
    'collections.OrderedDict': _ordered_dict,
    'collections.Counter': _counter,
    'builtins.set': _set,
    'builtins.complex': _complex,
    'builtins.bytes': _bytes,
    'builtins.getattr': _getattr,
    '_codecs.encode': _encode,
}
for _name in ('numpy.core.multiarray', 'numpy._core.multiarray'):  # numpy renamed it
    _CALLS |= {f'{_name}._reconstruct': _Array, f'{_name}.scalar': _scalar}
_CALLS |= {f'torch.{name}Tensor': _OldTensor for name in _STORED}

# The storages of tensors, `torch.FloatStorage` ..., are torch's to name.
GLOBALS: dict[str, Any] = (
    _CALLS | {str(dtype): dtype for dtype in DTYPES} | {'numpy.ndarray': _NdarrayName}
)
CALLABLE = frozenset(_CALLS.values())
