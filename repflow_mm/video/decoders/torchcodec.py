"""torchcodec, PyTorch's decoder; also needs FFmpeg's shared libraries."""

from collections.abc import Callable

import numpy as np

from repflow_mm.video.decoders.base import Decoder
from repflow_mm.video.decoders.index import Index, MissingFrameError

_TOLERANCE = 1e-4  # seconds


class TorchCodec(Decoder):
    """See :class:`Decoder`.

    Its `VideoDecoder` relies on packet stamps, so it is only used for files that are
    safe to seek in. The others are read by a private function that returns the next
    frame; written for torchcodec 0.13.
    """

    def __init__(
        self, path: str, index: Index | None, beat: Callable[[], None]
    ) -> None:
        from torchcodec._core import ops
        from torchcodec.decoders import VideoDecoder

        super().__init__(path, index, beat)
        self._ops, self._open = ops, VideoDecoder
        self._video = None

    def _start(self, entry: int) -> int:
        if self.index.closed:
            return entry
        self._video = self._ops.create_from_file(self.path, 'approximate')
        self._ops.add_video_stream(self._video, dimension_order='NHWC', num_threads=1)
        return 0

    def _skip(self, position: int) -> None:
        if not self.index.closed:
            self._following(position)

    def _next(self, position: int) -> np.ndarray:
        if not self.index.closed:
            return self._following(position)
        video = self._video or self._open(self.path, dimension_order='NHWC')
        self._video = None  # after an error it would return wrong frames
        frame = video.get_frame_at(position)
        stamp = self.index.stamps[position] * self.index.time_base
        if abs(frame.pts_seconds - stamp) > _TOLERANCE:
            raise MissingFrameError(position)
        self._video = video
        return frame.data.numpy()

    def _following(self, position: int) -> np.ndarray:
        try:
            return self._ops.get_next_frame(self._video)[0].numpy()
        except IndexError:
            raise MissingFrameError(position) from None
