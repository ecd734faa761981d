"""What the pickle inside a checkpoint may say: tensors, plain Python, numpy, MMEngine.

A pickle is a program. This machine for it knows the opcodes that `torch.save` writes,
and the names in :data:`GLOBALS`: each is a function of ours that checks what it is
given. Anything else is refused by name, and nothing of it runs. What a file makes grow
(tensors that repeat an element, one list copied a thousand times) is counted against
the file's own size; nesting ends at :data:`DEPTH`.
"""

import math
import pickle
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor, nn

# Levels of lists in lists: whoever prints or copies a checkpoint recurses.
DEPTH = 100
_BOMB = 'what it describes is far larger than the file: it would fill the memory'
# Python's hash of an integer is the integer, below this: above, all can be made one.
_HASHED = 2**61 - 1


class Refused(ValueError):
    """What a checkpoint must not hold; the message goes on from "is refused: "."""


def _forbidden(what: str) -> Refused:
    return Refused(
        f'it pickles {what}, which weights do not need and which could run code; '
        'nothing of it was executed. Ask its author for a checkpoint of plain tensors '
        '(a state_dict)'
    )


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Refused(otherwise)


@dataclass
class Storage:
    """The numbers of tensors, as a file refers to them.

    Args:
        data (torch.UntypedStorage): The bytes.
        dtype (torch.dtype): How to read them.
    """

    data: torch.UntypedStorage
    dtype: torch.dtype


# Tensors.


def _tensor(storage: Storage, offset: int, size: tuple, stride: tuple) -> Tensor:
    _require(isinstance(storage, Storage), 'it has a tensor without numbers')
    shaped = isinstance(size, tuple) and isinstance(stride, tuple)
    _require(
        shaped and len(size) == len(stride) <= 64, 'it has a tensor without a shape'
    )
    numbers = (offset, *size, *stride)
    fits = all(type(n) is int and 0 <= n < _HASHED for n in numbers)
    fits = fits and math.prod(n or 1 for n in size) < _HASHED
    if fits and 0 not in size:
        last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
        fits = (last + 1) * storage.dtype.itemsize <= storage.data.nbytes()
    _require(fits, 'it has a tensor that is larger than its storage')
    empty = torch.empty(0, dtype=storage.dtype, device=storage.data.device)
    return empty.set_(storage.data, offset, size, stride)


def _tensor_v2(
    storage: Storage,
    offset: int,
    size: tuple,
    stride: tuple,
    requires_grad: bool,
    hooks: dict,
    metadata: dict | None = None,
) -> Tensor:
    _require(not metadata, 'it has a lazily conjugated or negated tensor')
    tensor = _tensor(storage, offset, size, stride)
    return tensor.requires_grad_(_learns(tensor, requires_grad))


def _parameter(data: Tensor, requires_grad: bool = True, hooks: Any = None) -> Tensor:
    _require(isinstance(data, Tensor), 'it has a parameter without a tensor')
    return nn.Parameter(data.detach(), _learns(data, requires_grad))


def _learns(data: Tensor, requires_grad: bool) -> bool:
    return requires_grad is True and (data.is_floating_point() or data.is_complex())


class _Unfinished:
    """What a pickle names first and fills later: `build` gives the real thing."""

    slot: int | None = None  # where the pickle remembers it


class _OldTensor(_Unfinished):
    """A tensor as PyTorch 0.1 pickled it."""

    def build(self, state: tuple) -> Tensor:
        return _tensor(*state)


class _OldParameter(_Unfinished):
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


class _Dtype(_Unfinished):
    """A dtype: a code, then a byte order; nothing structured."""

    def __init__(self, code: str, *flags) -> None:
        _require(isinstance(code, str), 'it has a dtype without a code')
        if not re.fullmatch(r'[?bBhHiIlLqQefdg]|[biufSU]\d{1,6}|O8?', code):
            raise _forbidden(f'numpy.dtype({code[:20]!r})')
        self.code = code

    def build(self, state: tuple) -> np.dtype:
        _, order, *structure = state[:5]
        if order not in ('<', '>', '=', '|') or structure != [None, None, None]:
            raise _forbidden('a structured numpy.dtype')
        return np.dtype(self.code).newbyteorder(order.replace('|', '='))


class _Array(_Unfinished):
    """An array: a name first, then shape, dtype and data."""

    def __init__(self, *args) -> None:
        pass

    def build(self, state: tuple) -> np.ndarray:
        _, shape, dtype, fortran, data = state
        _require(isinstance(dtype, np.dtype), 'it has an array without a dtype')
        _require(isinstance(data, list | bytes), 'it has an array without data')
        if isinstance(data, list):  # Python objects, unpickled one by one
            # Arrays of arrays free themselves by recursion, which can overflow.
            direct = any(isinstance(item, np.ndarray | _Unfinished) for item in data)
            _require(not direct, 'it has an array of arrays')
            flat = np.empty(len(data), dtype=object)
            for i, item in enumerate(data):  # at once, numpy would look into lists
                flat[i] = item
        elif dtype.hasobject:
            raise _forbidden('numpy.ndarray of raw object pointers')
        else:
            flat = np.frombuffer(data, dtype).copy()
        return flat.reshape(shape, order='F' if fortran else 'C')


def _scalar(dtype: np.dtype, data: bytes) -> np.generic:
    sound = isinstance(dtype, np.dtype) and isinstance(data, bytes)
    _require(sound, 'it has a number without a dtype or data')
    if dtype.hasobject:
        raise _forbidden('a numpy scalar of a raw object pointer')
    (value,) = np.frombuffer(data, dtype)
    return value


# MMEngine and Python.


class _History(_Unfinished):
    """A :class:`HistoryBuffer`: two rows of numbers and how long they may get."""

    def build(self, state: dict) -> HistoryBuffer:
        log, count = state.get('_log_history'), state.get('_count_history')
        numbers = all(
            isinstance(row, np.ndarray) and row.dtype.kind in 'biuf' and row.ndim == 1
            for row in (log, count)
        )
        longest = state.get('max_length')
        _require(
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
    raise _forbidden('builtins.getattr')


def _encode(text: str, encoding: str) -> bytes:
    """`_codecs.encode`: how protocol 2 writes bytes."""
    if encoding not in ('latin1', 'latin-1'):
        raise _forbidden('_codecs.encode to something else than bytes')
    return text.encode('latin1')


def _bytes() -> bytes:
    """`bytes`: how protocol 2 writes the data of an empty array."""
    return b''


def _ordered_dict() -> OrderedDict:
    return OrderedDict()


def _counter(counts: dict | None = None) -> Counter:
    _require(counts is None or type(counts) is dict, 'it has a Counter of no counts')
    return Counter(counts)


def _set(items: list | tuple = ()) -> set:
    _require(type(items) in (list, tuple), 'it has a set of no items')
    for item in items:
        _check_key(item)
    return set(items)


def _size(items: tuple) -> torch.Size:
    _require(type(items) in (list, tuple), 'it has a torch.Size of no numbers')
    return torch.Size(items)


def _device(kind: str, index: int | None = None) -> torch.device:
    _require(isinstance(kind, str), 'it names a device without a name')
    try:
        return torch.device(kind) if index is None else torch.device(kind, index)
    except RuntimeError:
        raise Refused(f'it names a device {kind[:20]!r}') from None


def _complex(real: float, imaginary: float) -> complex:
    numbers = isinstance(real, float) and isinstance(imaginary, float)
    _require(numbers, 'it has a complex number of no numbers')
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

# Every name that a checkpoint may use, and what it means.
GLOBALS: dict[str, Any] = (
    _CALLS
    | {f'torch.{name}Storage': dtype for name, dtype in _STORED.items()}
    | {str(dtype): dtype for dtype in _STORED.values()}
    | {'numpy.ndarray': _NdarrayName}
)
_CALLABLE = frozenset(_CALLS.values())

_OPCODES = """
    PROTO STOP MARK GLOBAL REDUCE NEWOBJ BUILD BINPERSID BINPUT LONG_BINPUT BINGET
    LONG_BINGET APPEND APPENDS SETITEM SETITEMS TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_TUPLE
    EMPTY_LIST EMPTY_DICT NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT
    BINUNICODE SHORT_BINSTRING
""".split()
_PYTHON = pickle._Unpickler  # the one in Python: the one in C cannot be told opcodes


class Unpickler(_PYTHON):
    """Read one pickle of a checkpoint.

    Args:
        file (BinaryIO): Where it starts; must not read beyond its end.
        storage (Callable): Called as `storage(dtype, key, location, numel, ...)`
            with what the file says of a tensor's numbers; returns a :class:`Storage`.
        size (int): Bytes of the file, what its content is measured against.

    Raises:
        Refused: If it holds anything but the content of checkpoints.
    """

    dispatch = {
        code: _PYTHON.dispatch[code]
        for code in (getattr(pickle, name)[0] for name in _OPCODES)
    }

    def __init__(
        self, file: BinaryIO, storage: Callable[..., Storage], size: int
    ) -> None:
        super().__init__(file, encoding='utf-8')
        self.storage = storage
        # Weights may be tied, names shared: eightfold is more than any real file needs.
        self.room = 8 * size + (1 << 20)

    def load(self) -> Any:
        """The content, once nothing of it can surprise."""
        content = super().load()
        _check_content(content, self.room)
        return content

    def find_class(self, module: str, name: str) -> Any:
        """The meaning of a name; names outside :data:`GLOBALS` have none."""
        module = module.replace('__builtin__', 'builtins')  # protocol 2 is Python 2's
        try:
            return GLOBALS[f'{module}.{name}']
        except KeyError:
            raise _forbidden(f'{module}.{name}'[:80]) from None

    def persistent_load(self, pid: tuple) -> Storage:
        """The numbers of tensors."""
        what, dtype, *rest = pid
        plain = all(isinstance(item, str | int | None) for item in rest)
        _require(
            what == 'storage' and isinstance(dtype, torch.dtype) and plain,
            'it refers to something that is no storage',
        )
        return self.storage(dtype, *rest)

    def _spend(self, amount: int) -> None:
        self.room -= amount
        _require(self.room >= 0, _BOMB)

    def _call(self, function: Any, args: tuple) -> Any:
        # Hashed only if callable: a tuple hashes by recursion, which can overflow.
        known = callable(function) and function in _CALLABLE
        if not known or type(args) is not tuple:
            raise _forbidden('a call of what is no function')
        self._spend(sum(map(_length, args)))
        result = function(*args)
        if isinstance(result, Tensor):
            self._spend(result.numel() * result.element_size())
        return result

    def _reduce(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = self._call(self.stack[-1], args)

    def _build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if type(target) is OrderedDict:  # PyTorch's versions of modules
            if type(state) is dict and '_metadata' in state:
                target._metadata = state['_metadata']
        elif isinstance(target, _Unfinished) and type(state) in (tuple, dict):
            self._spend(sum(map(_length, state)))
            self.stack[-1] = target.build(state)
            if target.slot is not None:
                self.memo[target.slot] = self.stack[-1]
        else:
            raise _forbidden(f'a state for {type(target).__name__}')

    def _put(self, slot: int) -> None:
        top = self.memo[slot] = self.stack[-1]
        if isinstance(top, _Unfinished):
            top.slot = slot

    def _set_items(self, items: list) -> None:
        target = self.stack[-1]
        _require(type(target) in _DICTS, 'it sets items of what is no dict')
        for key, value in zip(items[::2], items[1::2], strict=True):
            _check_key(key)
            target[key] = value

    def _pop(self, count: int) -> list:
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    dispatch |= {
        pickle.REDUCE[0]: _reduce,
        pickle.NEWOBJ[0]: _reduce,
        pickle.BUILD[0]: _build,
        pickle.BINPUT[0]: lambda self: self._put(self.read(1)[0]),
        pickle.LONG_BINPUT[0]: lambda self: self._put(
            int.from_bytes(self.read(4), 'little')
        ),
        pickle.SETITEM[0]: lambda self: self._set_items(self._pop(2)),
        pickle.SETITEMS[0]: lambda self: self._set_items(self.pop_mark()),
    }


_DICTS = (dict, OrderedDict, Counter)
_PLAIN = (str, bytes, int, float, bool, type(None), complex)
_LEAVES = (
    *_PLAIN,
    Tensor,
    torch.Size,
    torch.dtype,
    torch.device,
    np.generic,
    np.dtype,
    HistoryBuffer,
)


def _length(value: Any) -> int:
    """What copying it would take, in bytes, about."""
    if isinstance(value, str | bytes):
        return len(value)
    return 8 * len(value) if isinstance(value, list | tuple | dict) else 0


def _check_key(key: Any) -> None:
    """Only what hashes fast, and not all alike."""
    plain = isinstance(key, (str, bytes, float, np.generic, type(None))) or (
        isinstance(key, int) and abs(key) < _HASHED
    )
    _require(plain, 'it has a key that is neither text nor a number of usual size')


def _inside(value: Any) -> Iterable:
    """What a container holds, keys aside."""
    kind = type(value)
    if kind in _DICTS:
        attributes = vars(value) if kind is OrderedDict else {}
        return [*value.values(), *attributes.values()]
    if kind in (list, tuple, set):
        return value
    if kind is np.ndarray:
        return value.flat if value.dtype.hasobject else ()
    raise Refused(f'it holds a {kind.__name__}, which is no content of a checkpoint')


def _check_content(root: Any, room: int) -> None:
    """Refuse loops, depth, and references that multiply when followed.

    Each container is looked at once: no content can make this slow.
    """
    counts: dict[int, int] = {}  # by id, what whoever follows all references meets
    path = [[root, iter((root,)), 0]]  # a level above the root
    entered = set()
    while path:
        top = path[-1]
        for item in top[1]:
            if isinstance(item, _LEAVES):
                top[2] += 1
            elif id(item) in counts:
                top[2] += counts[id(item)]
            else:
                _require(id(item) not in entered, 'something in it contains itself')
                _require(
                    len(path) <= DEPTH, f'it is nested more than {DEPTH} levels deep'
                )
                entered.add(id(item))
                path.append([item, iter(_inside(item)), 1])
                break
        else:
            path.pop()
            _require(top[2] <= room, _BOMB)
            if path:
                entered.discard(id(top[0]))
                counts[id(top[0])] = top[2]
                path[-1][2] += top[2]
