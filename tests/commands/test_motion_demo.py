"""The demo on small data, as a subprocess: table, picture, and resuming."""

import cv2
import pytest


@pytest.mark.slow
def test_demo_end_to_end_and_again(run_python, tmp_path):
    args = ['tools/motion_demo.py', '--work-dir', tmp_path / 'a demo, [x]']
    args += ['--epochs', '1', '--clips', '2']
    result = run_python(*args)
    assert result.returncode == 0, result.stdout + result.stderr
    rows = [line for line in result.stdout.splitlines() if line.startswith('| ResNet')]
    assert len(rows) == 2 and 'RepFlow' in rows[0] and 'RGB only' in rows[1]
    assert all('%' in row and 'nan' not in row for row in rows)
    assert result.stdout.count('epoch 1/1: top-1') == 2
    picture = cv2.imread(str(tmp_path / 'a demo, [x]' / 'motion_demo.png'))
    assert picture.shape[1] > 1000 and picture.std() > 20

    assert (
        len(list((tmp_path / 'a demo, [x]').glob('repflow_r18_block2_motion-*'))) == 1
    )

    again = run_python(*args)
    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stdout.count('already trained') == 2
    assert [
        line for line in again.stdout.splitlines() if line.startswith('| ResNet')
    ] == rows
