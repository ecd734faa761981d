"""Pictures of predictions, for `tools/test.py --show-dir` and `--show`."""

from collections.abc import Sequence
from pathlib import Path

from mmaction.registry import HOOKS
from mmaction.structures import ActionDataSample
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from repflow_mm.checks import check_count
from repflow_mm.errors import InputError
from repflow_mm.packed import rgb_inputs, score_and_label, to_frames, unpack_views
from repflow_mm.visualization.flow_clip import even_steps
from repflow_mm.visualization.sheet import Row, draw_sheet, save_png

_FRAMES = 6


@HOOKS.register_module()
class PredictionPicturesHook(Hook):
    """Draw a strip of frames with its label and the network's top predictions.

    Replaces MMAction2's `VisualizationHook`, which can draw neither its recognizers'
    inputs (it expects one clip instead of views) nor their outputs (it reads fields of
    older data samples).

    Args:
        out_dir (str, optional): Folder for the PNG files.
        show (bool): Whether to show each in a window. Defaults to False.
        interval (int): Draw every `interval`-th sample. Defaults to 1.
        wait_time (float): Seconds to keep a window open. Defaults to 2.
    """

    def __init__(
        self,
        out_dir: str | None = None,
        show: bool = False,
        interval: int = 1,
        wait_time: float = 2,
    ) -> None:
        self.out_dir = out_dir and Path(out_dir)
        self.show = show
        self.interval = check_count('interval', interval)
        self.wait_time = wait_time
        self._seen = 0

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict,
        outputs: Sequence[ActionDataSample],
    ) -> None:
        """Draw every `interval`-th sample."""
        inputs = rgb_inputs(data_batch['inputs'])
        if inputs is None:
            raise InputError(
                '--show-dir and --show draw frames, but this pipeline packs none: only '
                f'{", ".join(data_batch["inputs"])}'
            )
        for views, sample in zip(inputs, outputs, strict=True):
            # Samples are dealt out to processes in turn.
            number = self._seen * get_world_size() + get_rank()
            padding = number >= len(runner.test_dataloader.dataset)
            unreadable = sample.metainfo.get('bad_videos')  # frames are of another
            if number % self.interval == 0 and not padding and not unreadable:
                self._draw(views, sample, number)
            self._seen += 1

    def _draw(self, inputs: Tensor, sample: ActionDataSample, number: int) -> None:
        frames = to_frames(unpack_views(inputs)[0]).numpy()
        scores, labels = score_and_label(sample.to_dict())
        title = f'label {labels.tolist()}'
        if isinstance(scores, Tensor):  # not those of several modalities
            best = scores.topk(min(3, len(scores))).indices.tolist()
            guesses = ', '.join(f'{label} ({scores[label]:.2f})' for label in best)
            title += f', predicted {guesses}'
        shown = frames[even_steps(len(frames), _FRAMES)]
        picture = draw_sheet([Row('', shown)], title)
        if self.out_dir:
            save_png(picture, self.out_dir / f'{number:06d}.png')
        if self.show:
            # Imported here because it is slow.
            from matplotlib import pyplot

            height, width = picture.shape[:2]
            figure = pyplot.figure(figsize=(width / 100, height / 100), dpi=100)
            figure.figimage(picture)
            pyplot.pause(self.wait_time)
            pyplot.close(figure)
