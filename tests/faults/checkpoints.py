"""Hostile and broken checkpoint files, and a process that loads them all.

`python -m tests.faults.checkpoints FOLDER --damaged 1000 --seed 1` makes them in
FOLDER, loads each under a limit of memory and time, and prints one JSON line a file.
The quick tests run it with a few.
"""

import argparse
import codecs
import functools
import io
import json
import pickle
import random
import resource
import signal
import struct
import tarfile
import time
import warnings
import zipfile
import zlib
from collections import Counter, OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

ROOM = 1 << 30  # what a process may take on top of what it started with
SECONDS = 20  # for one file
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


def harmless(folder: Path) -> Iterator[tuple[str, Path]]:
    """What looks bad and may load, as long as it costs nothing."""
    for i, (name, obj) in enumerate(_harmless()):
        yield name, archive(folder / f'harmless{i}.pth', pickled(obj))
    good = pickled(dict(x=tensor(Storage(4))))
    path = archive(folder / 'big_endian.pth', good, byteorder=b'big')
    yield 'the other byte order', path  # torch swaps the bytes


def _harmless() -> Iterator[tuple[str, object]]:
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


def _raw() -> Iterator[tuple[str, bytes]]:
    item = pickled(tensor(Storage(4), (1 << 18,), (0,)))[2:-1] + b'K\0K\1s'
    for name, body in _RAW.items():
        yield name, b'\x80\2' + (body or item) + b'.'


def archive(path: Path, data: bytes, compression=zipfile.ZIP_STORED, **records) -> Path:
    """A zip as `torch.save` lays it out, of any pickle and records."""
    records = {'data/0': bytes(16), 'version': b'3\n', 'byteorder': b'little'} | records
    with zipfile.ZipFile(path, 'w', compression, allowZip64=True) as file:
        file.writestr('archive/data.pkl', data)
        for name, content in records.items():
            file.writestr(f'archive/{name}', content)
    return path


def legacy(path: Path, data: bytes, keys=('0',), records=(bytes(16),)) -> Path:
    """A file as `torch.save` wrote it before it wrote zips."""
    system = dict(protocol_version=1001, little_endian=True, type_sizes={})
    parts = [pickled(o) for o in (0x1950A86A20F9469CFC6C, 1001, system)]
    parts += [data, pickled(list(keys))]
    parts += [struct.pack('<q', len(r) // 4) + r for r in records]
    path.write_bytes(b''.join(parts))
    return path


def hostile(folder: Path) -> Iterator[tuple[str, Path]]:
    """Files that must be refused, one of each kind."""
    for i, (name, obj) in enumerate(objects()):
        yield name, archive(folder / f'object{i}.pth', pickled(obj))
        data = pickled(obj, legacy=True)
        stored = (('0',), (bytes(16),)) if b'storage' in data else ((), ())
        yield f'{name}, legacy', legacy(folder / f'legacy{i}.pth', data, *stored)
    for i, (name, data) in enumerate(_raw()):
        yield name, archive(folder / f'raw{i}.pth', data)
    good = pickled(dict(x=tensor(Storage(4))))
    bomb = archive(folder / 'bomb.pth', good, zipfile.ZIP_DEFLATED, **{'data/0': b''})
    with zipfile.ZipFile(bomb, 'a', zipfile.ZIP_DEFLATED) as file:
        with file.open('archive/data/1', 'w', force_zip64=True) as record:
            for _ in range(8):
                record.write(bytes(1 << 25))  # 256 MiB of zeros in a quarter of one
    yield 'a deflated record', bomb
    yield 'a deflated pickle', archive(folder / 'd.pth', good, zipfile.ZIP_DEFLATED)
    yield 'overlapping records', _overlapping(folder / 'overlap.pth')
    path = archive(folder / 'twice.pth', good)
    with warnings.catch_warnings(), zipfile.ZipFile(path, 'a') as file:
        warnings.simplefilter('ignore')
        file.writestr('archive/data.pkl', pickled(dict(x=1)))
    yield 'a record twice', path
    path = archive(folder / 'script.pth', good, **{'constants.pkl': b'x'})
    yield 'a TorchScript archive', path
    path = folder / 'other.pth'
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr('readme', 'no checkpoint')
    yield 'a zip of something else', path
    path = archive(folder / 'case.pth', good, **{'DATA/0': b'1234'})
    yield 'a record twice, in capitals', path
    path = archive(folder / 'two.pth', good)
    # Python looks for the list where it ends, torch where it is said to start.
    path.write_bytes(path.read_bytes()[:-22] + path.read_bytes())
    yield 'two lists of records', path
    path = archive(folder / 'order.pth', good, byteorder=b'none')
    yield 'an unknown byte order', path
    path = folder / 'tar.pth'
    with tarfile.open(path, 'w', format=tarfile.GNU_FORMAT) as file:
        # The first name makes it begin as a pickle does.
        for name in ('\udc80\2.', 'storages', 'tensors', 'pickle', '../outside'):
            member = tarfile.TarInfo(name)
            member.size = len(good)
            file.addfile(member, io.BytesIO(good))
    yield 'a tar', path
    terabyte = pickled(dict(x=tensor(Storage(1 << 38))), legacy=True)
    yield 'a terabyte, legacy', legacy(folder / 'l1.pth', terabyte)
    four = pickled(dict(x=tensor(Storage(4))), legacy=True)
    yield 'no storages, legacy', legacy(folder / 'l2.pth', four, (), ())
    yield 'unknown storages, legacy', legacy(folder / 'l3.pth', four, ('1',))
    path = legacy(folder / 'l4.pth', four, records=(bytes(8),))
    yield 'a short storage, legacy', path


def _overlapping(path: Path) -> Path:
    """A hundred records of a megabyte in little more than one: each holds the next."""
    content, records = bytes(1 << 20), []
    for i in reversed(range(100)):
        record = zipfile.ZipInfo(f'archive/data/{i}')
        record.file_size = record.compress_size = len(content)
        record.CRC = zlib.crc32(content)
        records.append((record, len(content)))
        content = record.FileHeader() + content
    tensors = [
        tensor(Storage(count, record.filename[13:], kind=torch.ByteStorage), (0,))
        for record, count in records
    ]
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr('archive/data.pkl', pickled(tensors))
        end = file.start_dir + len(content)
        for record, count in records:
            record.header_offset = end - count - len(record.FileHeader())
            file.filelist.append(record)
        file.fp.write(content)
        file.start_dir = end
    return path


def damaged(
    source: Path, folder: Path, count: int, seed: int
) -> Iterator[tuple[str, Path]]:
    """`count` truncations and `count` flipped bytes of a real checkpoint."""
    data, dice = source.read_bytes(), random.Random(seed)
    path = folder / 'damaged.pth'
    for _ in range(count):
        end = dice.randrange(len(data))
        path.write_bytes(data[:end])
        yield f'{source.stem} cut at {end}', path
    for _ in range(count):
        at, by = dice.randrange(len(data)), dice.randrange(1, 256)
        flipped = bytearray(data)
        flipped[at] ^= by
        path.write_bytes(flipped)
        yield f'{source.stem} with byte {at} xor {by}', path


def real(folder: Path) -> list[Path]:
    """What MMEngine writes, as a zip and as a legacy file."""
    history = HistoryBuffer([1.5, 2.5], [1, 1])
    weights = OrderedDict(weight=torch.rand(8, 8), bias=torch.rand(8))
    checkpoint = dict(
        meta=dict(epoch=3, iter=30, dataset_meta=dict(classes=np.array(['a', 'b']))),
        state_dict=weights,
        message_hub=dict(log_scalars={'train/loss': history}, runtime_info=dict(n=1)),
        optimizer=dict(state={0: dict(momentum_buffer=torch.rand(8))}),
        param_schedulers=[dict(milestones=Counter([3, 6]), last_step=3)],
    )
    paths = []
    for name, zipped in (('zipped', True), ('legacy', False)):
        paths.append(folder / f'{name}.pth')
        torch.save(checkpoint, paths[-1], _use_new_zipfile_serialization=zipped)
    return paths


def _out_of_time(*_) -> None:
    raise TimeoutError


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def outcome(load, path: Path) -> dict:
    """What loading did: `end` is `'loads'`, `'refused'` or the name of an error."""
    signal.signal(signal.SIGALRM, _out_of_time)
    started, before = time.perf_counter(), _peak()
    signal.alarm(SECONDS)
    try:
        loaded = load(path)
        end, message = 'loads', ''
        del loaded
    except ValueError as error:
        end, message = 'refused', str(error)
    except BaseException as error:  # whatever it is, it is to be told
        end, message = type(error).__name__, str(error)
    finally:
        signal.alarm(0)
    seconds = round(time.perf_counter() - started, 2)
    grown = (_peak() - before) >> 20
    return dict(end=end, message=message, seconds=seconds, grown_mib=grown)


def main() -> None:
    """See the head of this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path)
    parser.add_argument('--damaged', type=int, default=100, help='of each kind')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    from repflow_mm.engine import load_checkpoint

    args.folder.mkdir(parents=True, exist_ok=True)
    # All are made before the limit: what makes them may take what it likes.
    files = [(name, path, 'hostile') for name, path in hostile(args.folder)]
    files += [(name, path, 'harmless') for name, path in harmless(args.folder)]
    sources = real(args.folder)
    files += [(path.stem, path, 'real') for path in sources]
    taken = int(Path('/proc/self/statm').read_text().split()[0])
    limit = taken * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for name, path, kind in files:
        print(json.dumps(dict(name=name, kind=kind, **outcome(load_checkpoint, path))))
    for source in sources:
        for name, path in damaged(source, args.folder, args.damaged, args.seed):
            result = outcome(load_checkpoint, path)
            print(json.dumps(dict(name=name, kind='damaged', **result)), flush=True)


if __name__ == '__main__':
    main()
