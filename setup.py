"""Builds the C++ kernel if a compiler is available. Metadata is in pyproject.toml."""

import runpy
import shutil
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

TVL1 = Path('repflow_mm', 'ops', 'tvl1')
digest = runpy.run_path(str(Path(__file__).parent / TVL1 / 'csrc_digest.py'))['digest']


class BuildKernel(build_ext):
    """Builds a plain shared library, loaded through ctypes."""

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
    extra_compile_args=[
        '-O3',
        '-g0',
        '-std=c++17',
        '-pthread',
        '-fopenmp-simd',  # only the pragma, no OpenMP runtime
        '-fno-math-errno',
        '-fno-trapping-math',
        '-fvisibility=hidden',
    ],
    extra_link_args=['-pthread'],
    py_limited_api=True,
    optional=True,  # the PyTorch reference is the fallback
)
setup(ext_modules=[kernel], cmdclass=dict(build_ext=BuildKernel, build_py=AddShipped))
