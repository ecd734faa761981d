"""Builds the C++ kernel if a compiler is available. Metadata is in pyproject.toml."""

import runpy
import shutil
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

TVL1 = Path('repflow_mm', 'ops', 'tvl1')
digest = runpy.run_path(str(Path(__file__).parent / TVL1 / 'csrc_digest.py'))['digest']


GCC = [  # and clang
    '-O3',
    '-g0',
    '-std=c++17',
    '-pthread',
    '-fopenmp-simd',  # only the pragma, no OpenMP runtime
    '-fno-math-errno',
    '-fno-trapping-math',
    '-fvisibility=hidden',
]
MSVC = ['/O2', '/std:c++17', '/EHsc', '/Zc:preprocessor']
# Builtins of GCC that MSVC knows by the names of the C library.
MSVC_MACROS = [('__builtin_sqrtf', 'sqrtf'), ('__builtin_sqrt', 'sqrt')]


class BuildKernel(build_ext):
    """Builds a plain shared library, loaded through ctypes."""

    def build_extension(self, ext: Extension) -> None:
        """Build with the flags of the compiler that was found."""
        if self.compiler.compiler_type == 'msvc':
            ext.extra_compile_args = MSVC
            ext.define_macros += MSVC_MACROS
        else:
            ext.extra_compile_args = GCC
            ext.extra_link_args = ['-pthread']
        super().build_extension(ext)

    def get_export_symbols(self, ext: Extension) -> list[str]:
        """No `PyInit`: it is not a Python module."""
        return []


class AddShipped(build_py):
    """Copies tools and configs into `.mim`, where OpenMMLab's mim looks for them.

    Not in an editable install, where mim looks in a different place.
    """

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if self.editable_mode:
            return
        folder = Path(self.build_lib, 'repflow_mm', '.mim')
        shutil.rmtree(folder, ignore_errors=True)  # from an earlier build
        for name in ('tools', 'configs'):
            unwanted = shutil.ignore_patterns('__pycache__')
            shutil.copytree(name, folder / name, ignore=unwanted)
        shutil.copy('model-index.yml', folder)


kernel = Extension(
    'repflow_mm.ops.tvl1._tvl1',
    sources=[str(TVL1 / 'csrc' / 'tvl1.cpp')],
    depends=[str(TVL1 / 'csrc' / 'tvl1.h')],
    define_macros=[('REPFLOW_SOURCES', f'"{digest()}"')],
    py_limited_api=True,
    optional=True,  # the PyTorch reference is the fallback
)
setup(
    ext_modules=[kernel],
    cmdclass=dict(build_ext=BuildKernel, build_py=AddShipped),
    # One wheel per platform for every Python: the kernel does not use Python's API.
    options=dict(bdist_wheel=dict(py_limited_api='cp311')),
)
