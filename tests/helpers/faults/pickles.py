"""Pickles that a hostile checkpoint may hold."""

import codecs
import functools
import io
import pickle
import struct
from collections import Counter, OrderedDict
from collections.abc import Iterator

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

RECONSTRUCT = np.zeros(0).__reduce__()[0]


class Call:
    """Pickles as a call of any function, and a state for what it returns."""

    def __init__(self, function, *args, state=None):
        self.reduced = (function, args) if state is None else (function, args, state)

    def __reduce__(self):
        return self.reduced


class Storage:
    """Pickles as what torch writes for the numbers of a tensor."""

    def __init__(self, numel, key='0', location='cpu', kind=torch.FloatStorage):
        self.id = ('storage', kind, key, location, numel)


class _Pickler(pickle.Pickler):
    more = ()

    def persistent_id(self, obj):
        return (*obj.id, *self.more) if isinstance(obj, Storage) else None


def pickled(obj, legacy: bool = False) -> bytes:
    """Protocol 2, as `torch.save` writes."""
    out = io.BytesIO()
    pickler = _Pickler(out, 2)
    if legacy:
        pickler.more = (None,)
    pickler.dump(obj)
    return out.getvalue()


def tensor(storage, size=(4,), stride=(1,), offset=0) -> Call:
    """Pickles as a tensor, of whatever size is claimed."""
    rebuild = torch._utils._rebuild_tensor_v2
    return Call(rebuild, storage, offset, size, stride, False, OrderedDict())


def laughs(make, levels: int = 60):
    """Two of two of two ...: linear to write, exponential to read out."""
    value = make(1, 2)
    for _ in range(levels):
        value = make(value, value)
    return value


def array(state) -> Call:
    return Call(RECONSTRUCT, np.ndarray, (0,), b'b', state=state)


def nested_arrays(depth: int) -> bytes:
    """A pickle of an array in an array in an array ..."""
    parts = (RECONSTRUCT, (np.ndarray, (0,), b'b'), np.dtype(object), (1,))
    names = b''.join(
        pickle.dumps(part, 2)[2:-1] + b'r' + struct.pack('<I', 1000 + i)
        for i, part in enumerate(parts)
    )
    call, args, dtype, shape = (b'j' + struct.pack('<I', 1000 + i) for i in range(4))
    # Each takes the place of the one inside it in a dict: nothing else holds them.
    state = b'(K\1' + shape + dtype + b'\x89]h\1at'
    level = b'K\0' + call + args + b'R' + state + b'bq\1s'
    return names + b'}K\0K\0q\1s' + level * depth


def objects() -> Iterator[tuple[str, object]]:
    """What a pickle may hold that no checkpoint needs; each must be refused."""
    loop: list = []
    loop.append(loop)
    ring: dict = {}
    ring['ring'] = ring
    yield 'a list in itself', loop
    yield 'a dict in itself', dict(state_dict=ring)
    yield 'billion laughs of lists', laughs(lambda a, b: [a, b])
    yield 'billion laughs of tuples', laughs(lambda a, b: (a, b))
    yield 'billion laughs of dicts', laughs(lambda a, b: dict(a=a, b=b))
    yield (
        'billion laughs of logs',
        laughs(lambda a, b: Call(HistoryBuffer, state=dict(a=a, b=b)), 20),
    )
    many = list(range(20_000))
    text = 'x' * 1_000_000
    yield 'one list in a thousand sets', [Call(set, many) for _ in range(5000)]
    yield 'one list in many sizes', [Call(torch.Size, many) for _ in range(9000)]
    counts = dict.fromkeys(many, 1)
    yield 'one dict in many counters', [Call(Counter, counts) for _ in range(3000)]
    yield (
        'one text encoded often',
        [Call(codecs.encode, text, 'latin1') for _ in range(3000)],
    )
    slow = ''.join(map(chr, many * 20))
    yield 'a slow encoding', Call(codecs.encode, slow, 'punycode')
    yield 'keys of one hash', {k * (2**61 - 1): k for k in range(1, 40)}
    yield 'a bytearray of a terabyte', Call(bytearray, 1 << 40)
    yield 'a bytearray of 2 gigabytes', Call(bytearray, 1 << 31)
    yield 'a tensor of a terabyte', Call(torch.Tensor, 1 << 20, 1 << 18)
    yield 'a typed tensor of a terabyte', Call(torch.FloatTensor, 1 << 20, 1 << 18)
    yield 'a storage of a terabyte', Call(torch.UntypedStorage, 1 << 40)
    utils = torch._utils
    yield (
        'a meta tensor',
        Call(
            utils._rebuild_meta_tensor_no_storage,
            torch.float32,
            (1 << 40, 1 << 20),
            (0, 0),
            False,
        ),
    )
    yield (
        'a sparse tensor',
        Call(
            utils._rebuild_sparse_tensor,
            torch.sparse_coo,
            (
                tensor(Storage(2, '0', kind=torch.LongStorage), (1, 2), (2, 1)),
                tensor(Storage(2, '0', kind=torch.LongStorage), (2,)),
                (1 << 60,),
            ),
        ),
    )
    yield (
        'a quantised tensor',
        Call(
            utils._rebuild_qtensor,
            Storage(16, kind=torch.QInt8Storage),
            0,
            (1 << 40,),
            (0,),
            (torch.per_tensor_affine, 0.1, 0),
            False,
            OrderedDict(),
        ),
    )
    yield (
        'a nested tensor',
        Call(
            utils._rebuild_nested_tensor,
            tensor(Storage(4)),
            tensor(Storage(2, kind=torch.LongStorage), (1, 1), (1, 1)),
            tensor(Storage(2, kind=torch.LongStorage), (1, 1), (1, 1)),
            tensor(Storage(2, kind=torch.LongStorage), (1,)),
        ),
    )
    yield (
        'a wrapper subclass',
        Call(
            utils._rebuild_wrapper_subclass,
            torch.Tensor,
            torch.float32,
            (1 << 40,),
            (1,),
            0,
            torch.strided,
            torch.device('cpu'),
            False,
        ),
    )
    yield (
        'a tensor of a device that is not there',
        Call(
            utils._rebuild_device_tensor_from_cpu_tensor,
            tensor(Storage(4)),
            torch.float32,
            'nowhere:99',
            False,
        ),
    )
    yield (
        'a tensor with any attributes',
        Call(
            torch._tensor._rebuild_from_type_v2,
            utils._rebuild_tensor_v2,
            torch.Tensor,
            (Storage(4), 0, (4,), (1,), False, OrderedDict()),
            dict(shape='no', __class__='no'),
        ),
    )
    yield 'a tensor of stride 0', dict(x=tensor(Storage(4), (1 << 40,), (0,)))
    yield (
        'many tensors of stride 0',
        dict(x=[tensor(Storage(4), (1 << 20,), (0,)) for _ in range(1000)]),
    )
    yield 'a tensor beyond its storage', tensor(Storage(4), (5,))
    yield 'a tensor before its storage', tensor(Storage(4), (1,), offset=-1)
    yield 'a tensor of negative stride', tensor(Storage(4), (2,), (-1,), 3)
    yield 'a tensor of negative size', tensor(Storage(4), (-4,))
    yield 'a tensor of overflowing size', tensor(Storage(4), (1 << 62, 8), (1, 1))
    huge = (1 << 62, 1 << 62)
    yield 'a tensor of overflowing stride', tensor(Storage(4), (2, 2), huge)
    yield 'a tensor as a size', tensor(Storage(4), tensor(Storage(4)))
    yield 'a tensor of many dimensions', tensor(Storage(4), (9,) * 999, (0,) * 999)
    yield 'a joke as a name', Call(np.dtype, laughs(lambda a, b: (a, b)))
    yield 'a tensor of sizes that are no integers', tensor(Storage(4), (4.0,), ('1',))
    yield 'a storage larger than its record', tensor(Storage(1 << 20), (1 << 20,))
    yield 'a storage of a terabyte in no record', tensor(Storage(1 << 38, 'none'))
    yield 'a storage of negative size', tensor(Storage(-4), (0,))
    yield 'a storage of many lines', tensor(Storage(4, 'line\n' * 999))
    yield 'a storage outside the archive', tensor(Storage(4, '../../../etc/passwd'))
    yield 'a storage alone', dict(x=Storage(4))
    yield 'a function', dict(x=codecs.encode)
    yield 'a class', dict(x=torch.nn.Parameter)
    yield (
        'an array of 8 exabytes',
        array((1, (1 << 60,), Call(np.dtype, 'f8', False, True), False, b'')),
    )
    yield 'a dtype of a gigabyte', Call(np.dtype, 'U250000000', False, True)
    yield 'a device that is not there', Call(torch.device, 'nowhere')
    yield 'a tensor on no device', tensor(Storage(4, location='../nowhere'))


def harmless_objects() -> Iterator[tuple[str, object]]:
    state = {str(i): i for i in range(20_000)}
    yield (
        'one state in many dicts',
        [Call(OrderedDict, state=state) for _ in range(3000)],
    )
    yield 'a tensor shared often', [tensor(Storage(4)) for _ in range(100)]
    yield 'an expanded tensor', tensor(Storage(4), (9, 4), (0, 1))
    yield 'keys of many kinds', {0: 1, None: 2, 1.5: 3, True: 4, b'x': 5, '': 6}
    yield 'a list 90 deep', functools.reduce(lambda inner, _: [inner], range(90))


_RAW = {  # what no pickler writes without running out of stack itself
    'arrays 100,000 deep': nested_arrays(100_000),
    'a call of tuples 1,000,000 deep': b')' + b'\x85' * 1_000_000 + b')R',
    'a key of tuples 1,000,000 deep': b'})' + b'\x85' * 1_000_000 + b'Ns',
    'lists 100,000 deep': b']' * 100_000 + b'a' * 99_999,
    'tuples 100,000 deep': b')' + b'\x85' * 100_000,
    'dicts 100,000 deep': b'}' + b'X\1\0\0\0k}' * 99_999 + b's' * 99_999,
    'a string of 4 gigabytes': b'X\xff\xff\xff\xffx',
    'an unknown opcode': b'\xff',
    'marks without end': b'(' * 100_000,
    'nothing on the stack': b'0aeust',
    'an item of a tensor': b'',  # filled in below
}


def raw() -> Iterator[tuple[str, bytes]]:
    item = pickled(tensor(Storage(4), (1 << 18,), (0,)))[2:-1] + b'K\0K\1s'
    for name, body in _RAW.items():
        yield name, b'\x80\2' + (body or item) + b'.'
