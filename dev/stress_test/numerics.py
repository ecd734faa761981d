"""Extreme values: the property-based tests with many more examples."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from dev.stress_test.row import Row
from tests.helpers.paths import ROOT

_TESTS = 'tests/layers/test_numerics.py'


def rows(folder: Path, share: float) -> Iterator[Row]:
    """Run the tests; `share` of the full number of examples."""
    folder.mkdir(parents=True, exist_ok=True)
    examples = max(20, int(500 * share))
    result = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', _TESTS],
        cwd=ROOT,
        env={**os.environ, 'REPFLOW_EXAMPLES': str(examples)},
        capture_output=True,
        text=True,
    )
    passed, failed = (
        int((re.findall(rf'(\d+) {word}', result.stdout) or ['0'])[-1])
        for word in ('passed', 'failed')
    )
    yield Row(
        'maps of 1e-30 to 1e30, constant, repeated, one NaN clip, huge learning rates',
        passed + failed,
        failed + (passed == 0),
        f'{passed} properties hold, {examples} random examples each',
    )
