"""Builds the C++ kernel where a compiler is there. Metadata is in pyproject.toml."""

import runpy
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

OPS = Path('repflow_mm', 'ops')
digest = runpy.run_path(str(Path(__file__).parent / OPS / 'sources.py'))['digest']


class BuildKernel(build_ext):
    """Builds a plain shared library that ctypes loads."""

    def get_export_symbols(self, ext: Extension) -> list[str]:
        """No `PyInit`: it is no Python module."""
        return []


kernel = Extension(
    'repflow_mm.ops._tvl1',
    sources=[str(OPS / 'csrc' / 'tvl1.cpp')],
    depends=[str(OPS / 'csrc' / 'tvl1.h')],
    define_macros=[('REPFLOW_SOURCES', f'"{digest()}"')],
    extra_compile_args=[
        '-O3',
        '-g0',
        '-std=c++17',
        '-pthread',
        '-fopenmp-simd',  # the pragma alone, no OpenMP runtime
        '-fno-math-errno',
        '-fno-trapping-math',
        '-fvisibility=hidden',
    ],
    extra_link_args=['-pthread'],
    py_limited_api=True,
    optional=True,  # without it, the PyTorch reference does the work
)
setup(ext_modules=[kernel], cmdclass=dict(build_ext=BuildKernel))
