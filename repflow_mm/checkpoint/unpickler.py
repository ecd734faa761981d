"""The machine that reads the pickle in a checkpoint, for `torch.load` to use.

A pickle is a program. This machine for it knows the opcodes that `torch.save` writes,
and the names of :mod:`repflow_mm.checkpoint.pickled_names`. Anything else is refused by
name, and nothing of it runs. What a file makes grow (tensors that repeat an element,
one list copied a thousand times) is counted against the file's own size; nesting ends
at :data:`DEPTH`.
"""

import pickle
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, BinaryIO

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor, TypedStorage

from repflow_mm.checkpoint.pickled_names import (
    CALLABLE,
    DTYPES,
    GLOBALS,
    Refused,
    Unfinished,
    check_key,
    forbidden,
    require,
    show,
)
from repflow_mm.errors import InputError

# Levels of lists in lists: whoever prints or copies a checkpoint recurses.
DEPTH = 100
_BOMB = 'what it describes is far larger than the file: it would fill the memory'

_OPCODES = """
    PROTO STOP MARK GLOBAL REDUCE NEWOBJ BUILD BINPERSID BINPUT LONG_BINPUT BINGET
    LONG_BINGET APPEND APPENDS SETITEM SETITEMS TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_TUPLE
    EMPTY_LIST EMPTY_DICT NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT
    BINUNICODE SHORT_BINSTRING
""".split()
_PYTHON = pickle._Unpickler  # the one in Python: the one in C cannot be told opcodes


class DeviceError(RuntimeError):
    """A storage cannot be where it is wanted; its cause says why, in torch's words."""


class PickleModule:
    """What `torch.load` takes for the module `pickle`, to read one file.

    Args:
        size (int): Bytes of the file, what its content is measured against.
        records (Mapping | None): Of a zip: the size of each storage, by its key.
    """

    __name__ = 'pickle'

    def __init__(self, size: int, records: Mapping[str, int] | None = None) -> None:
        self.records, self.left, self.keys = records, size, set()
        self.Unpickler = type('Unpickler', (Unpickler,), dict(module=self, size=size))

    def load(self, file: BinaryIO, **options) -> Any:
        """The small pickles around that of a legacy file."""
        content = self.Unpickler(file, **options).load()
        if self.keys and sorted(content) != sorted(self.keys):
            # torch would leave the others as they are: not initialised.
            raise InputError('its list of storages is not that of its tensors')
        return content

    def claim(self, key: str | int, size: int) -> None:
        """Check the size that a pickle says a storage has, before it is allocated."""
        if self.records is not None:
            there = self.records.get(str(key)) == size
            require(there, f'its storage {show(key)} is not there, or of another size')
        elif key not in self.keys:
            self.keys.add(key)
            self.left -= size
            require(min(size, self.left) >= 0, 'its storages claim more than it has')


class Unpickler(_PYTHON):
    """Read one pickle of a checkpoint; `torch.load` subclasses it.

    Raises:
        Refused: If it holds anything but the content of checkpoints.
    """

    module: PickleModule
    size: int

    dispatch = {
        code: _PYTHON.dispatch[code]
        for code in (getattr(pickle, name)[0] for name in _OPCODES)
    }

    def __init__(self, file: BinaryIO, encoding: str = 'utf-8') -> None:
        super().__init__(file, encoding=encoding)
        # Weights may be tied, names shared: eightfold is more than any real file needs.
        self.room = 8 * self.size + (1 << 20)
        self._restore = None

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
            raise forbidden(f'{module}.{name}'[:80]) from None

    @property
    def persistent_load(self) -> Callable[[tuple], TypedStorage]:
        """Torch's function for storages (it sets this), behind our checks."""
        return self._storage

    @persistent_load.setter
    def persistent_load(self, restore: Callable[[tuple], TypedStorage]) -> None:
        self._restore = restore

    def _storage(self, pid: tuple) -> TypedStorage:
        what, kind, key, location, numel, *view = pid
        require(
            what == 'storage'
            and getattr(kind, 'dtype', None) in DTYPES
            and isinstance(key, str | int)
            and isinstance(location, str)
            and isinstance(numel, int)
            and view in ([], [None]),  # a part of another: nothing writes it today
            'it refers to something that is no storage of numbers',
        )
        self.module.claim(key, numel * kind.dtype.itemsize)
        try:
            return self._restore(pid)
        except RuntimeError as error:
            try:
                torch.device(location)
            except RuntimeError:
                raise Refused(f'its weights are for {show(location)}') from None
            raise DeviceError from error

    def _spend(self, amount: int) -> None:
        self.room -= amount
        require(self.room >= 0, _BOMB)

    def _call(self, function: Any, args: tuple) -> Any:
        # Hashed only if callable: a tuple hashes by recursion, which can overflow.
        known = callable(function) and function in CALLABLE
        if not known or type(args) is not tuple:
            raise forbidden('a call of what is no function')
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
        elif isinstance(target, Unfinished) and type(state) in (tuple, dict):
            self._spend(sum(map(_length, state)))
            self.stack[-1] = target.build(state)
            if target.slot is not None:
                self.memo[target.slot] = self.stack[-1]
        else:
            raise forbidden(f'a state for {type(target).__name__}')

    def _put(self, slot: int) -> None:
        top = self.memo[slot] = self.stack[-1]
        if isinstance(top, Unfinished):
            top.slot = slot

    def _set_items(self, items: list) -> None:
        target = self.stack[-1]
        require(type(target) in _DICTS, 'it sets items of what is no dict')
        for key, value in zip(items[::2], items[1::2], strict=True):
            check_key(key)
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
                require(id(item) not in entered, 'something in it contains itself')
                require(
                    len(path) <= DEPTH, f'it is nested more than {DEPTH} levels deep'
                )
                entered.add(id(item))
                path.append([item, iter(_inside(item)), 1])
                break
        else:
            path.pop()
            require(top[2] <= room, _BOMB)
            if path:
                entered.discard(id(top[0]))
                counts[id(top[0])] = top[2]
                path[-1][2] += top[2]
