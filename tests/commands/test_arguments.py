"""Videos of a folder: what is left out is said."""

import argparse
import os

import pytest

from repflow_mm.commands._arguments import add_videos, videos_of
from repflow_mm.errors import MissingFileError


def test_a_video_whose_name_no_list_can_hold(tmp_path, capsys):
    parser = argparse.ArgumentParser()
    add_videos(parser)
    (tmp_path / os.fsdecode(b'caf\xe9.mp4')).touch()
    args = parser.parse_args([str(tmp_path)])
    args.out = None
    with pytest.raises(MissingFileError, match='no video in'):
        videos_of(args)
    (tmp_path / 'fine.mp4').touch()
    assert [path.name for path in videos_of(args)] == ['fine.mp4']
    line = r"left out: 'caf\udce9.mp4', the name is not UTF-8"
    assert capsys.readouterr().err.splitlines() == [line] * 2
