"""Hostile and broken checkpoint files, and a process that loads them all.

`python -m tests.helpers.faults.checkpoints FOLDER --damaged 1000 --seed 1` writes them
to FOLDER, loads each under a memory limit, and prints one JSON line per file. The tests
run it with a few files.
"""

import argparse
import io
import json
import random
import resource
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

from repflow_mm.checkpoint import load_checkpoint
from repflow_mm.errors import InputError
from tests.helpers.faults.pickles import (
    Storage,
    harmless_objects,
    objects,
    pickled,
    raw,
    tensor,
)

ROOM = 1 << 30  # what a process may take on top of what it started with


def harmless(folder: Path) -> Iterator[tuple[str, Path]]:
    """Files that look suspicious but load at no cost."""
    for i, (name, obj) in enumerate(harmless_objects()):
        yield name, archive(folder / f'harmless{i}.pth', pickled(obj))
    good = pickled(dict(x=tensor(Storage(4))))
    path = archive(folder / 'big_endian.pth', good, byteorder=b'big')
    yield 'the other byte order', path  # torch swaps the bytes


def archive(path: Path, data: bytes, compression=zipfile.ZIP_STORED, **records) -> Path:
    """A zip in the layout of `torch.save`, with arbitrary pickle and records."""
    records = {'data/0': bytes(16), 'version': b'3\n', 'byteorder': b'little'} | records
    with zipfile.ZipFile(path, 'w', compression, allowZip64=True) as file:
        file.writestr('archive/data.pkl', data)
        for name, content in records.items():
            file.writestr(f'archive/{name}', content)
    return path


def legacy(path: Path, data: bytes, keys=('0',), records=(bytes(16),)) -> Path:
    """A file in the format that `torch.save` used before zips."""
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
    for i, (name, data) in enumerate(raw()):
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
    path = archive(folder / 'before.pth', good)
    data = path.read_bytes()  # its end says where the directory starts
    path.write_bytes(data[:-6] + struct.pack('<I', len(data) + 9999) + data[-2:])
    yield 'records before the file', path
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
    yield 'no list of storages, legacy', legacy(folder / 'l2.pth', four, ())
    yield 'unknown storages, legacy', legacy(folder / 'l3.pth', four, ('1',))
    path = legacy(folder / 'l4.pth', four, records=(bytes(8),))
    yield 'a short storage, legacy', path


def _overlapping(path: Path) -> Path:
    """A hundred nested records of a megabyte in little more than one megabyte."""
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
    """Checkpoints written by MMEngine, as a zip and as a legacy file."""
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


def outcome(load, path: Path) -> dict:
    """Outcome of loading: `end` is `'loads'`, `'refused'` or the name of an error."""
    started, before = time.perf_counter(), _peak()
    try:
        loaded = load(path)
        end, message = 'loads', ''
        del loaded
    except InputError as error:
        end, message = 'refused', str(error)
    except Exception as error:  # whatever it is, it is to be told
        end, message = type(error).__name__, str(error)
    seconds = round(time.perf_counter() - started, 2)
    grown = (_peak() - before) >> 20
    return dict(end=end, message=message, seconds=seconds, grown_mib=grown)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Run the program; see the module docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path)
    parser.add_argument('--damaged', type=int, default=100, help='of each kind')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
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
