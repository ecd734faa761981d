"""MMAction2's video dataset with a validated list and accounting of bad videos."""

import repflow_mm.compat.patched  # noqa: F401  before anything that imports MMAction2

# isort: split
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from mmaction.datasets import VideoDataset
from mmaction.registry import DATASETS
from mmaction.structures import ActionDataSample
from mmengine.dataset import BaseDataset
from mmengine.fileio import list_from_file
from torch import Tensor

from repflow_mm.errors import InputError, MissingFileError, shorten
from repflow_mm.video import VideoError

# This many failures in a row mean that the disk is gone or the prefix is wrong.
_TRIES = 10


@DATASETS.register_module()
class CheckedVideoDataset(VideoDataset):
    """`VideoDataset` that detects a bad annotation list before training starts.

    Same arguments and list format, one `path label` per line; the path may contain
    spaces. With `multi_class=True`, several labels follow it. The files of a local list
    are looked up one folder at a time, which takes seconds for the 240,000 of Kinetics.

    A video that cannot be read (:class:`repflow_mm.video.VideoError`, raised by
    :class:`VideoInit` and :class:`VideoDecode`) does not end the run. In training it is
    replaced by another one, drawn at random; in testing its prediction counts as wrong,
    whatever the model predicts for the next video, which it gets instead. In both cases
    the sample's `bad_videos` lists path and reason for
    :class:`repflow_mm.engine.hooks.BadVideosHook`, which also counts samples with an
    `other_decoder`, where `decoder='auto'` fell back to another decoder.

    Args:
        allow_outside (bool): Whether the list may name files outside
            `data_prefix.video`. Defaults to False.
        **kwargs: As for `VideoDataset`.

    Raises:
        MissingFileError: If the list or a file on it is missing; names the line.
        InputError: If the list is empty or not text, or a line is malformed or points
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
        """The sample of a video, or a replacement that records what was wrong."""
        asked, bad = index, []
        for _ in range(_TRIES):
            try:
                data = super().__getitem__(index)
            except VideoError as error:
                bad.append((error.path, error.reason))
            else:
                if bad and self.test_mode:
                    # Unreadable replacements are reported at their own index.
                    bad = bad[:1]
                    info = self.get_data_info(asked)
                    data['data_samples'] = UnreadableSample(
                        metainfo=dict(filename=info['filename'])
                    ).set_gt_label(info['label'])
                if bad:
                    data['data_samples'].set_metainfo(dict(bad_videos=bad))
                return data
            index = (index + 1) % len(self) if self.test_mode else self._rand_another()
        path, reason = bad[-1]
        raise InputError(
            f'{_TRIES} videos in a row cannot be read, the last one {path} '
            f'({reason}): check that the disk is mounted and data_prefix.video is right'
        )

    def prepare_data(self, idx: int) -> dict:
        """The sample, with its `filename`, by which scores of two tests are fused.

        And with `other_decoder`, if the first decoder failed.
        """
        info = self.get_data_info(idx)
        data = self.pipeline(info)
        data['data_samples'].set_metainfo(dict(filename=info['filename']))
        # VideoDecode sets it in `info`, which packing drops.
        if info.get('other_decoder'):
            found = dict(other_decoder=info['other_decoder'])
            data['data_samples'].set_metainfo(found)
        return data

    def load_data_list(self) -> list[dict]:
        """Read the list; for exceptions see the class."""
        if '://' not in self.ann_file and not os.path.isfile(self.ann_file):
            raise MissingFileError(
                f'no annotation list at {self.ann_file}: set ann_file, or prepare '
                'the dataset (docs/datasets.md)'
            )
        try:
            lines = list_from_file(self.ann_file, encoding='utf-8-sig')
        except UnicodeDecodeError:
            raise InputError(
                f'{self.ann_file} is not a text file: an annotation list has '
                '`path label` on each line'
            ) from None
        prefix = self.data_prefix['video'] or ''
        data_list, missing, listing = [], [], cache(_listing)
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f'{self.ann_file}, line {number}'
            line = line.strip()
            whole = '://' not in prefix and _exists(os.path.join(prefix, line), listing)
            name, label = self._parse(line, where, whole)
            filename = os.path.join(prefix, name)
            if not (self.allow_outside or _is_under(filename, prefix)):
                raise InputError(
                    f'{where}: {shorten(name)} is outside data_prefix.video '
                    f'({prefix or "the current folder"}): set allow_outside=True in '
                    'the dataset if you trust the list'
                )
            if not _exists(filename, listing):
                hint = ' (path and label are separated by a space)' * ('\t' in name)
                missing.append(f'{where}: there is no video {shorten(filename)}{hint}')
            data_list.append(dict(filename=filename, label=label, line=number))
        if missing:
            more = f' (and {len(missing) - 1} more)' if len(missing) > 1 else ''
            raise MissingFileError(
                f'{missing[0]}{more}: correct data_prefix.video, or remove the line '
                'from the list'
            )
        if not data_list:
            raise InputError(
                f'{self.ann_file} lists no videos: each line is `path label`'
            )
        return data_list

    def _parse(self, line: str, where: str, whole: bool) -> tuple[str, int | list[int]]:
        """Path and label; -1 in a list without labels, whose line is `whole` a path.

        For `multi_class=True`, all integers at the end of the line.
        """
        if self.multi_class:
            return self._parse_several(line, where)
        name, _, label = line.rpartition(self.delimiter)
        if not name:
            return line, -1
        try:
            return name.strip(), int(label)
        except ValueError:
            if whole:
                return line, -1
            raise InputError(
                f'{where}: expected `path label` with an integer label, got '
                f'{shorten(repr(line))}'
            ) from None

    def _parse_several(self, line: str, where: str) -> tuple[str, list[int]]:
        if self.num_classes is None:
            raise InputError('a dataset with multi_class=True needs num_classes')
        labels: list[int] = []
        name, _, last = line.rpartition(self.delimiter)
        while name and last.strip().isdecimal():
            labels.insert(0, int(last))
            line = name.strip()
            name, _, last = line.rpartition(self.delimiter)
        if max(labels, default=0 if self.test_mode else -1) not in range(
            self.num_classes
        ):
            raise InputError(
                f'{where}: expected `path label label ...` with labels of 0 to '
                f'{self.num_classes - 1}, got {labels or "none"}: correct the list, or '
                'set num_classes'
            )
        return line, labels

    def get_cat_ids(self, idx: int) -> list[int]:
        """The classes of a video, for MMEngine's `ClassBalancedDataset`."""
        label = self.get_data_info(idx)['label']
        return label.nonzero().flatten().tolist() if self.multi_class else [label]

    def check_labels(self, num_classes: int) -> bool:
        """Check every label against the model's number of classes.

        A list without labels is for inference, and allowed only in `test_mode`.

        Args:
            num_classes (int): Labels must be less than this.

        Returns:
            bool: Whether there are labels.

        Raises:
            InputError: If a label is out of range, or only some lines have one.
        """
        if self.multi_class and self.num_classes != num_classes:
            raise InputError(
                f'{self.ann_file} is of num_classes={self.num_classes}, and the model '
                f'has {num_classes} classes'
            )
        without, first = 0, 0
        for index in range(len(self)):
            # MMAction2's would make a tensor of each of several labels.
            info = BaseDataset.get_data_info(self, index)
            if info['label'] in (-1, []):
                without, first = without + 1, first or info['line']
                if self.test_mode:
                    continue
            if not self.multi_class and not 0 <= info['label'] < num_classes:
                raise InputError(
                    f'{self.ann_file}, line {info["line"]}: label {info["label"]} is '
                    f'out of range for {num_classes} classes (0 to '
                    f'{num_classes - 1}; -1 means that the line has none): correct the '
                    'list, or set model.cls_head.num_classes'
                )
        if self.test_mode and 0 < without < len(self):
            raise InputError(
                f'{self.ann_file}, line {first}: there is no label, as on {without} of '
                f'{len(self)} lines: give all lines one, or none'
            )
        return not without


class UnreadableSample(ActionDataSample):
    """A sample whose video could not be read; any prediction counts as wrong."""

    def set_pred_score(self, value: Tensor) -> ActionDataSample:
        """Set the scores, with those of the true labels below all others."""
        value, truth = value.clone(), self.gt_label
        one_hot = truth.is_floating_point()  # of a dataset with multi_class=True
        labels = truth.nonzero().flatten() if one_hot else truth[truth >= 0]
        value[..., labels.to(value.device)] = value.min() - 1
        return super().set_pred_score(value)

    def set_pred_label(self, value: Tensor) -> ActionDataSample:
        """Set the label with the highest score."""
        if hasattr(self, 'pred_score'):
            value = self.pred_score.argmax(dim=-1, keepdim=True)
        return super().set_pred_label(value)


def _is_under(filename: str, folder: str) -> bool:
    """Compares paths only: symlinks inside the folder may point anywhere."""
    if '://' in filename:
        inside = filename.startswith(f'{folder.rstrip("/")}/')
        return '://' in folder and inside and '/..' not in filename
    folder = os.path.abspath(folder)
    return os.path.abspath(filename).startswith(os.path.join(folder, ''))


def _exists(filename: str, listing: Callable[[str], frozenset[str]]) -> bool:
    if '://' in filename:
        return True  # remote: checked when it is read
    path = Path(filename)
    # MMAction2 appends .mp4 to a name without suffix.
    name = path.name if path.suffix else f'{path.name}.mp4'
    return name in listing(str(path.parent))


def _listing(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except (OSError, ValueError):  # ValueError: an impossible file name
        return frozenset()
