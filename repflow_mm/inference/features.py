"""`tools/extract_features.py`: what a network makes of videos, before its head."""

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn

from repflow_mm.engine import AtomicBackend
from repflow_mm.errors import one_line_errors
from repflow_mm.inference.arguments import (
    add_model,
    add_videos,
    each_video,
    model_of,
    videos_of,
)
from repflow_mm.inference.windows import WindowedVideo, crops_of


@one_line_errors
def main(argv: Sequence[str] | None = None) -> None:
    """Write the features of videos.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = argparse.ArgumentParser(
        description='Write one NAME.npz a video: clip (W, D), the features of each '
        'window that the network sees, averaged over space and time; frame (W, T, D), '
        'averaged over space alone; seconds (W, 2), where each window begins and ends'
    )
    add_videos(parser)
    add_model(parser, required=True)
    parser.add_argument(
        '--out', type=Path, required=True, metavar='FOLDER', help='where they go'
    )
    args = parser.parse_args(argv)
    videos = videos_of(args)
    model = model_of(args)
    console = Console(highlight=False, soft_wrap=True)
    progress = Progress(console=console, disable=not console.is_terminal)

    def show(path: Path, name: Path) -> None:
        features = video_features(model, path)
        target = args.out / name.with_name(name.name + '.npz')
        content = io.BytesIO()
        np.savez(content, **features)
        AtomicBackend().put(content.getvalue(), target)
        windows, frames, size = features['frame'].shape
        console.print(
            f'{target}: {windows} windows, {frames} frames, {size} features',
            markup=False,
        )
        progress.advance(task)

    with progress:
        task = progress.add_task('videos', total=len(videos))
        each_video(videos, show)


def video_features(model: nn.Module, path: str | Path) -> dict[str, np.ndarray]:
    """Features of a video, window by window.

    Args:
        model (nn.Module): From :func:`repflow_mm.inference.recognizer.load_recognizer`.
        path (str | Path): The video.

    Returns:
        dict[str, np.ndarray]: `clip` `(W, D)` and `frame` `(W, T, D)`, fp32, behind
        backbone and neck, averaged over crops; `seconds` `(W, 2)`. `T` is that of the
        features: `clip_len - 1` behind a flow layer, less behind temporal strides.

    Raises:
        VideoError: If the video cannot be read.
        ValueError: If the network's features are no maps.
    """
    if not hasattr(model, 'extract_feat'):
        raise ValueError(
            f'{type(model).__name__} has no features of its own: take the config '
            'of one of its streams'
        )
    video = WindowedVideo(path, model.cfg)
    frames = []
    for packed in video:
        with torch.no_grad():
            data = model.data_preprocessor(pseudo_collate([packed]), False)
            features, _ = model.extract_feat(data['inputs'], test_mode=True)
        views = crops_of(packed['inputs'], len(video.indices[0]))
        frames.append(pooled(features, views).mean(dim=0).float().cpu().numpy())
    frame = np.stack(frames)
    ends = np.array([(window[0], window[-1]) for window in video.indices])
    return dict(clip=frame.mean(axis=1), frame=frame, seconds=ends / video.fps)


def pooled(features: Tensor | Sequence[Tensor], views: int) -> Tensor:
    """Features averaged over space.

    Args:
        features (Tensor | Sequence[Tensor]): `(views, C, T, H, W)`,
            `(views * T, C, H, W)` or `(views, C)`; several, such as SlowFast's, are
            stacked, each frame with the nearest of the others.
        views (int): Crops of the window.

    Returns:
        Tensor: `(views, T, C)`.

    Raises:
        ValueError: On other shapes.
    """
    if not isinstance(features, Tensor):
        parts = [pooled(each, views) for each in features]
        longest = max(part.shape[1] for part in parts)
        places = [
            torch.arange(longest, device=part.device) * part.shape[1] // longest
            for part in parts
        ]
        return torch.cat([p[:, at] for p, at in zip(parts, places, strict=True)], -1)
    if features.dim() == 5:
        return features.mean(dim=(-2, -1)).transpose(1, 2)
    if features.dim() == 4:
        return features.mean(dim=(-2, -1)).unflatten(0, (views, -1))
    if features.dim() == 2:
        return features[:, None]
    raise ValueError(
        'features are maps (N, C, T, H, W), (N * T, C, H, W) or vectors (N, C), and '
        f"this network's have shape {tuple(features.shape)}"
    )
