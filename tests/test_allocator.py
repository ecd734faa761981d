"""Memory that is freed and allocated again, measured by the pages that it touches."""

import pytest

from repflow_mm import allocator

pytestmark = pytest.mark.skipif(
    bool(allocator.reason()), reason=f'nothing is kept: {allocator.reason()}'
)
COUNT = """
import os, resource
os.environ.update({env})
from repflow_mm.allocator import keep_memory, memory_is_kept

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        b'x' * (48 * 2**20)  # more than glibc keeps
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_memory()
faults()
print(int(memory_is_kept()), faults(), flush=True)
if os.fork() == 0:
    faults()
    print(int(memory_is_kept()), faults(), flush=True)
else:
    os.wait()
"""


def measured(run_python, **env) -> list[tuple[int, int]]:
    """Whether memory is kept, and page faults; then in a fork."""
    result = run_python('-c', COUNT.format(env=env))
    assert result.returncode == 0, result.stderr
    return [tuple(map(int, line.split())) for line in result.stdout.splitlines()]


def test_freed_memory_is_used_again_but_in_forks(run_python):
    (kept, faults), (kept_in_fork, faults_in_fork) = measured(run_python)
    assert kept and not kept_in_fork
    assert faults < faults_in_fork / 10


@pytest.mark.parametrize(
    'env', [{allocator.VARIABLE: '0'}, dict(MALLOC_MMAP_THRESHOLD_='65536')]
)
def test_the_users_choice_comes_first(run_python, env):
    (kept, faults), (_, faults_in_fork) = measured(run_python, **env)
    assert not kept and faults > faults_in_fork / 2
    assert allocator.reason(env).startswith(next(iter(env)))


def test_other_allocators_are_left_alone():
    assert 'LD_PRELOAD' in allocator.reason(dict(LD_PRELOAD='/usr/lib/libjemalloc.so'))
    assert allocator.reason(dict(GLIBC_TUNABLES='glibc.malloc.check=3'))
