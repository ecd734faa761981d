"""MMAction2's video dataset, with its list checked and bad videos accounted for."""

import repflow_mm.compat.patched  # noqa: F401  before anything that imports MMAction2

# isort: split
import os
from functools import cache
from pathlib import Path

from mmaction.datasets import VideoDataset
from mmaction.registry import DATASETS
from mmaction.structures import ActionDataSample
from mmengine.fileio import list_from_file
from torch import Tensor

from repflow_mm.errors import InputError, MissingFileError, shorten
from repflow_mm.video import VideoError

# So many videos in a row are no accident: the disk is gone, or the prefix is wrong.
_TRIES = 10


@DATASETS.register_module()
class CheckedVideoDataset(VideoDataset):
    """`VideoDataset` that finds a bad annotation list before training starts.

    Same arguments and list format, `path label` on each line; the path may hold
    spaces. The files of a local list are looked up one folder at a time, which
    takes seconds for the 240,000 of Kinetics.

    A video that cannot be read (:class:`repflow_mm.video.VideoError`, which
    :class:`VideoInit` and :class:`VideoDecode` raise) does not end the run. In training
    another one, drawn at random, takes its place; in testing its prediction is wrong,
    whatever the model says of the next video, which it sees instead. Either way the
    sample's `bad_videos` lists path and reason for
    :class:`repflow_mm.engine.BadVideosHook`, which also counts samples that have an
    `other_decoder`: what `decoder='auto'` tries first did not read them.

    Args:
        allow_outside (bool): Whether the list may name files outside
            `data_prefix.video`. Defaults to False.
        **kwargs: As for `VideoDataset`.

    Raises:
        MissingFileError: If the list or a file on it is missing; the list's line is
            named.
        InputError: If the list is empty, no text, or a line is malformed or leads
            outside the data prefix.
    """

    def __init__(self, *args, allow_outside: bool = False, **kwargs) -> None:
        self.allow_outside = allow_outside
        prefix = kwargs.get('data_prefix', dict(video=''))
        if not isinstance(prefix, dict) or set(prefix) != {'video'}:
            raise InputError(
                f"data_prefix must be dict(video='FOLDER'), got {prefix!r}"
            )
        super().__init__(*args, **kwargs)

    def __getitem__(self, index: int) -> dict:
        """The sample of a video, or one that says what was wrong with it."""
        asked, bad = index, []
        for _ in range(_TRIES):
            try:
                data = super().__getitem__(index)
            except VideoError as error:
                bad.append((error.path, error.reason))
            else:
                if bad and self.test_mode:
                    # Of the videos that stood in, each has its own turn.
                    bad = bad[:1]
                    label = self.get_data_info(asked)['label']
                    data['data_samples'] = UnreadableSample().set_gt_label(label)
                if bad:
                    data['data_samples'].set_metainfo(dict(bad_videos=bad))
                return data
            index = (index + 1) % len(self) if self.test_mode else self._rand_another()
        path, reason = bad[-1]
        raise InputError(
            f'{_TRIES} videos in a row cannot be read, the last one {path} '
            f'({reason}): is the disk there, and is data_prefix.video right?'
        )

    def prepare_data(self, idx: int) -> dict:
        """The sample; its `other_decoder` is set if the first one did not read it."""
        info = self.get_data_info(idx)
        data = self.pipeline(info)
        # VideoDecode notes it in what it was given, which packing leaves behind.
        if info.get('other_decoder'):
            found = dict(other_decoder=info['other_decoder'])
            data['data_samples'].set_metainfo(found)
        return data

    def load_data_list(self) -> list[dict]:
        """Read the list; see the class for what it raises."""
        if '://' not in self.ann_file and not os.path.isfile(self.ann_file):
            raise MissingFileError(
                f'no annotation list at {self.ann_file}: set ann_file, or prepare '
                'the dataset (docs/datasets.md)'
            )
        if self.multi_class:
            return super().load_data_list()
        try:
            lines = list_from_file(self.ann_file)
        except UnicodeDecodeError:
            raise InputError(
                f'{self.ann_file} is no text: an annotation list has `path label` '
                'on each line'
            ) from None
        prefix = self.data_prefix['video'] or ''
        data_list, missing = [], []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f'{self.ann_file}, line {number}'
            name, label = self._parse(line.strip(), where)
            filename = os.path.join(prefix, name)
            if not (self.allow_outside or _is_under(filename, prefix)):
                raise InputError(
                    f'{where}: {shorten(name)} is outside data_prefix.video '
                    f'({prefix or "the current folder"}): set allow_outside=True in '
                    'the dataset if the list can be trusted'
                )
            if not _exists(filename):
                missing.append(f'{where}: there is no video {shorten(filename)}')
            data_list.append(dict(filename=filename, label=label, line=number))
        if missing:
            more = f' (and {len(missing) - 1} more)' if len(missing) > 1 else ''
            raise MissingFileError(
                f'{missing[0]}{more}: correct data_prefix.video, or take the line '
                'off the list'
            )
        if not data_list:
            raise InputError(
                f'{self.ann_file} lists no videos: each line is `path label`'
            )
        return data_list

    def _parse(self, line: str, where: str) -> tuple[str, int]:
        name, _, label = line.rpartition(self.delimiter)
        if not name:
            return line, -1  # a list without labels, for inference
        try:
            return name.strip(), int(label)
        except ValueError:
            raise InputError(
                f'{where}: expected `path label` with an integer label, got '
                f'{shorten(repr(line))}'
            ) from None

    def check_labels(self, num_classes: int) -> None:
        """Check every label against the number of classes of the model.

        A line without a label is for inference, that is for `test_mode`.

        Args:
            num_classes (int): Labels have to be below it.

        Raises:
            InputError: Naming the list, the line and what to change.
        """
        if self.multi_class:
            return
        lowest = -1 if self.test_mode else 0
        for index in range(len(self)):
            info = self.get_data_info(index)
            if not lowest <= info['label'] < num_classes:
                raise InputError(
                    f'{self.ann_file}, line {info["line"]}: label {info["label"]} is '
                    f'out of range for {num_classes} classes (0 to '
                    f'{num_classes - 1}; -1 is a line without one): correct the '
                    'list, or set model.cls_head.num_classes'
                )


class UnreadableSample(ActionDataSample):
    """A sample whose video could not be read: whatever is predicted, is wrong."""

    def set_pred_score(self, value: Tensor) -> ActionDataSample:
        """Set the scores, with those of the true labels below all others."""
        value = value.clone()
        labels = [label for label in self.gt_label.tolist() if label >= 0]
        value[..., labels] = value.min() - 1
        return super().set_pred_score(value)

    def set_pred_label(self, value: Tensor) -> ActionDataSample:
        """Set the label that the scores are highest for."""
        if 'pred_score' in self:
            value = self.pred_score.argmax(dim=-1, keepdim=True)
        return super().set_pred_label(value)


def _is_under(filename: str, folder: str) -> bool:
    """By the names alone: a link inside the folder may lead where its owner likes."""
    if '://' in filename:
        inside = filename.startswith(f'{folder.rstrip("/")}/')
        return '://' in folder and inside and '/..' not in filename
    folder = os.path.abspath(folder)
    return os.path.abspath(filename).startswith(os.path.join(folder, ''))


def _exists(filename: str) -> bool:
    if '://' in filename:
        return True  # remote: found out when it is read
    path = Path(filename)
    # MMAction2 reads a name without suffix as an mp4.
    name = path.name if path.suffix else f'{path.name}.mp4'
    return name in _listing(str(path.parent))


@cache
def _listing(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except (OSError, ValueError):  # a name that no file can have
        return frozenset()
