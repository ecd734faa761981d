"""Pickles that a hostile checkpoint may contain."""

import codecs
import io
import pickle
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

RECONSTRUCT = np.zeros(0).__reduce__()[0]
SCALAR = np.float64(0).__reduce__()[0]


class Call:
    """Pickles as a call of any function, with a state for the result."""

    def __init__(self, function, *args, state=None):
        self.reduced = (function, args) if state is None else (function, args, state)

    def __reduce__(self):
        return self.reduced


class Hiding(dict):
    """Pickles as an OrderedDict with an attribute in place of a method."""

    def __reduce__(self):
        return OrderedDict, (), dict(items=set), None, iter(self.items())


class Storage:
    """Pickles like torch's reference to a tensor storage."""

    def __init__(self, numel, key='0', location='cpu', kind=torch.FloatStorage):
        self.id = ('storage', kind, key, location, numel)


class _Pickler(pickle.Pickler):
    more = ()

    def persistent_id(self, obj):
        return (*obj.id, *self.more) if isinstance(obj, Storage) else None


def pickled(obj, legacy: bool = False) -> bytes:
    """Pickle with protocol 2, like `torch.save`."""
    out = io.BytesIO()
    pickler = _Pickler(out, 2)
    if legacy:
        pickler.more = (None,)
    pickler.dump(obj)
    return out.getvalue()


def tensor(storage, size=(4,), stride=(1,), offset=0) -> Call:
    """Pickles as a tensor of any claimed size."""
    rebuild = torch._utils._rebuild_tensor_v2
    return Call(rebuild, storage, offset, size, stride, False, OrderedDict())


def laughs(make, levels: int = 60):
    """Nested pairs of pairs: linear size, exponential when expanded."""
    value = make(1, 2)
    for _ in range(levels):
        value = make(value, value)
    return value


def dtype(code: str, *state) -> Call:
    return Call(np.dtype, code, False, True, state=state or None)


def array(shape: tuple, dtype: Call, data) -> Call:
    state = (1, shape, dtype, False, data)
    return Call(RECONSTRUCT, np.ndarray, (0,), b'b', state=state)


def objects() -> Iterator[tuple[str, object]]:
    """Pickle contents that no checkpoint needs, all of which must be refused."""
    utils, little = torch._utils, (3, '<', None, None, None, -1, -1, 0)
    yield 'a bytearray of 2 gigabytes', Call(bytearray, 1 << 31)
    yield 'a tensor of a terabyte', Call(torch.Tensor, 1 << 20, 1 << 18)
    yield 'a typed tensor of a terabyte', Call(torch.FloatTensor, 1 << 20, 1 << 18)
    yield 'a typed tensor of 512 megabytes', Call(torch.FloatTensor, 1 << 27)
    yield 'a storage of a terabyte', Call(torch.UntypedStorage, 1 << 40)
    longs = Storage(2, kind=torch.LongStorage)
    sparse = (tensor(longs, (1, 2), (2, 1)), tensor(longs, (2,)), (1 << 60,))
    call = Call(utils._rebuild_sparse_tensor, torch.sparse_coo, sparse)
    yield 'a sparse tensor, whose indices torch does not check', call
    meta = utils._rebuild_meta_tensor_no_storage
    yield 'a meta tensor', Call(meta, torch.float32, (1 << 60,), (0,), False)
    yield 'a tensor of stride 0', dict(x=tensor(Storage(4), (1 << 40,), (0,)))
    repeated = [tensor(Storage(4), (1 << 20,), (0,)) for _ in range(1000)]
    yield 'many tensors of stride 0', dict(x=repeated)
    yield 'a tensor beyond its storage', tensor(Storage(4), (5,))
    yield 'a gigabyte beyond its storage', tensor(Storage(4), (1 << 28,))
    yield 'a tensor before its storage', tensor(Storage(4), (1,), offset=-1)
    yield 'a tensor of negative stride', tensor(Storage(4), (2,), (-1,), 3)
    yield 'a tensor of negative size', tensor(Storage(4), (-4,))
    yield 'a tensor of overflowing size', tensor(Storage(4), (1 << 62, 8), (1, 1))
    huge = (1 << 62, 1 << 62)
    yield 'a tensor of overflowing stride', tensor(Storage(4), (2, 2), huge)
    yield 'a tensor of sizes that are no integers', tensor(Storage(4), (4.0,), ('1',))
    yield 'a storage larger than its record', tensor(Storage(1 << 20), (1 << 20,))
    yield 'a storage of a terabyte in no record', tensor(Storage(1 << 38, 'none'))
    yield 'a storage outside the archive', tensor(Storage(4, '../../../etc/passwd'))
    yield 'a storage alone', dict(x=Storage(4))
    yield 'a function', dict(x=codecs.encode)
    yield 'a class', dict(x=torch.nn.Parameter)
    yield 'a device that is not there', Call(torch.device, 'nowhere')
    number = dtype('f8', *little)
    yield 'an array of 8 exabytes', array((1 << 60,), number, b'')
    yield 'an array of raw pointers', array((1,), dtype('O8'), b'A' * 8)
    yield 'an array by its constructor', Call(np.ndarray, (1,), 'O', b'A' * 8)
    yield 'a number by a raw pointer', Call(SCALAR, dtype('O8'), b'A' * 8)
    yield 'a void dtype', dtype('V8')
    fields = (3, '|', ('i4', 2), None, None, -1, -1, 0)
    yield 'a structured dtype', array((1,), dtype('S1', *fields), b'A')
    longer = dtype('S1', 3, '|', None, None, None, 200, 1, 0)
    yield 'a dtype longer than its code', array((1,), longer, b'A' * 200)
    bomb: object = b'x'
    for _ in range(28):  # 256 megabytes
        bomb = Call(codecs.encode, bomb, 'hex_codec')
    yield 'text that doubles again and again', bomb
    huge_tensor = tensor(Storage(4), (1 << 33,), (0,))
    yield 'a dict that hides its items', Hiding(w=huge_tensor)
    yield 'a set of tensors', Call(set, [huge_tensor])
    yield 'a tensor as a key', [Call(OrderedDict, [[huge_tensor, 1]])]
    yield 'a log without numbers', Call(HistoryBuffer, state=dict(max_length=1))


def harmless_objects() -> Iterator[tuple[str, object]]:
    """Contents that look suspicious but load at no cost."""
    loop: list = []
    loop.append(loop)
    yield 'a list in itself', loop
    yield 'billion laughs of lists', laughs(lambda a, b: [a, b])
    yield 'billion laughs of tuples', laughs(lambda a, b: (a, b))
    yield 'billion laughs of dicts', laughs(lambda a, b: dict(a=a, b=b))
    yield 'a tensor shared often', [tensor(Storage(4)) for _ in range(100)]
    yield 'an expanded tensor', tensor(Storage(4), (9, 4), (0, 1))
    yield 'keys of many kinds', {0: 1, None: 2, 1.5: 3, True: 4, b'x': 5, '': 6}


RAW = {  # what no pickler writes
    'lists 10,000 deep': b']' * 10_000 + b'a' * 9_999,
    'tuples 10,000 deep': b')' + b'\x85' * 10_000,
    'a string of 4 gigabytes': b'X\xff\xff\xff\xffx',
    'a place of 4 gigabytes in the memo': b'Nr\xff\xff\xff\xff(a',
    'an unknown opcode': b'\xff',
    'marks without end': b'(' * 10_000,
    'nothing on the stack': b'0aeust',
}


def raw() -> Iterator[tuple[str, bytes]]:
    for name, body in RAW.items():
        yield name, b'\x80\2' + body + b'.'
