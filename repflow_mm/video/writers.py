"""Writing videos frame by frame: mp4 for players, gif for web pages."""

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np

from repflow_mm.errors import InputError

# In order of preference: what browsers play, then what PyAV may have instead.
_ENCODERS = ('libx264', 'libopenh264', 'h264_videotoolbox', 'mpeg4')
_GIF_FRAMES = 150


class _Writer:
    """Context manager that writes a file atomically."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._unfinished = self.path.with_name(f'.unfinished-{self.path.name}')

    def __enter__(self):
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._close()
            if error is None and self._unfinished.exists():
                os.replace(self._unfinished, self.path)
        finally:
            self._unfinished.unlink(missing_ok=True)


class Mp4Writer(_Writer):
    """H.264 in mp4, by PyAV.

    Args:
        path (Path): The file; its folder is created.
        fps (float): Frames per second.

    Raises:
        InputError: If PyAV is not installed or lacks an encoder.
    """

    def __init__(self, path: Path, fps: float) -> None:
        super().__init__(path)
        try:
            import av
        except ImportError:
            raise InputError('writing mp4 needs PyAV: pip install av') from None
        self._av = av
        names = [name for name in _ENCODERS if name in av.codecs_available]
        if not names:
            raise InputError(
                f'this PyAV has none of the encoders {", ".join(_ENCODERS)}; its '
                'wheels do: pip install --force-reinstall --only-binary :all: av'
            )
        self._container = av.open(str(self._unfinished), 'w', format='mp4')
        rate = Fraction(fps).limit_denominator(1000)
        self._stream = self._container.add_stream(names[0], rate=rate)
        self._stream.pix_fmt = 'yuv420p'

    def add(self, frame: np.ndarray) -> None:
        """Write a frame.

        Args:
            frame (np.ndarray): `(H, W, 3)`, uint8 RGB; even size, the same for all.
        """
        if not self._stream.codec_context.is_open:
            self._stream.height, self._stream.width = frame.shape[:2]
        picture = self._av.VideoFrame.from_ndarray(frame, format='rgb24')
        self._container.mux(self._stream.encode(picture))

    def _close(self) -> None:
        if self._stream.codec_context.is_open:
            self._container.mux(self._stream.encode(None))
        self._container.close()


class GifWriter(_Writer):
    """An animated GIF of the first 150 frames, to limit its size.

    Args:
        path (Path): The file; its folder is created.
        fps (float): Frames per second; browsers show at most 50.
    """

    def __init__(self, path: Path, fps: float) -> None:
        super().__init__(path)
        self._duration = max(20, round(1000 / fps))
        self._pictures = []

    def add(self, frame: np.ndarray) -> None:
        """Add a frame, `(H, W, 3)`, uint8 RGB."""
        if len(self._pictures) < _GIF_FRAMES:
            from PIL import Image

            picture = Image.fromarray(frame)
            self._pictures.append(picture.quantize(128, Image.Quantize.FASTOCTREE))

    def _close(self) -> None:
        if self._pictures:
            self._pictures[0].save(
                self._unfinished,
                format='GIF',
                save_all=True,
                append_images=self._pictures[1:],
                duration=self._duration,
                loop=0,
            )
