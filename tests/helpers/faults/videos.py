"""Videos in common formats, and broken ones."""

import os
import subprocess
from pathlib import Path

import numpy as np

# Encoder arguments of each kind of file.
KINDS = {
    'h264.mp4': ['-c:v', 'libx264'],
    'h264_index_first.mp4': ['-c:v', 'libx264', '-movflags', '+faststart'],
    'mpeg4_b_frames.avi': ['-c:v', 'mpeg4', '-bf', '2', '-q:v', '5'],
    'mjpeg.avi': ['-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p'],
    'vp9.webm': ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8'],
    'h264.mkv': ['-c:v', 'libx264'],
}


def encode(
    path: Path,
    *arguments: str,
    size: str = '320x240',
    seconds: float = 3,
    source: str = '',
) -> None:
    """Encode a moving test picture with ffmpeg's binary from imageio-ffmpeg."""
    import imageio_ffmpeg

    source = source or f'testsrc2=size={size}:rate=25:duration={seconds}'
    subprocess.run(
        [
            imageio_ffmpeg.get_ffmpeg_exe(),
            *('-v', 'error', '-y', '-f', 'lavfi', '-i', source),
            *(arguments or KINDS['h264.mp4']),
            str(path),
        ],
        check=True,
    )


def good_videos(folder: Path) -> list[Path]:
    """One video of each kind."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, arguments in KINDS.items():
        encode(folder / name, *arguments)
    return [folder / name for name in KINDS]


def truncated(videos: list[Path], folder: Path, count: int) -> list[Path]:
    """Videos cut at random bytes."""
    return _damaged(videos, folder, count, lambda data, rng: data[: rng(len(data))])


def overwritten(videos: list[Path], folder: Path, count: int) -> list[Path]:
    """Videos with a random kilobyte of noise in them."""

    def overwrite(data: bytes, rng) -> bytes:
        start = rng(len(data))
        noise = bytes(rng(256) for _ in range(1024))
        return data[:start] + noise + data[start + 1024 :]

    return _damaged(videos, folder, count, overwrite)


def _damaged(videos, folder: Path, count: int, damage) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    paths = []
    for i in range(count):
        video = videos[i % len(videos)]
        path = folder / f'{i:04d}{video.suffix}'
        data = damage(video.read_bytes(), lambda n: int(generator.integers(n)))
        path.write_bytes(data)
        paths.append(path)
    return paths


def oddities(folder: Path) -> list[Path]:
    """Files that are not videos, and degenerate videos."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'empty.mp4').write_bytes(b'')
    (folder / 'text.mp4').write_text('This is a text, not a video.\n' * 100)
    (folder / 'noise.avi').write_bytes(np.random.default_rng(0).bytes(100_000))
    (folder / 'folder.mp4').mkdir()
    os.mkfifo(folder / 'pipe.mp4')  # whoever opens it waits for ever
    (folder / 'loop.mp4').symlink_to(folder / 'loop.mp4')
    encode(folder / 'sound.mp4', '-c:a', 'aac', source='sine=duration=1')
    pixel = 'color=red:size=1x1:rate=25:duration=1'
    encode(folder / 'pixel.avi', '-pix_fmt', 'bgr0', '-c:v', 'ffv1', source=pixel)
    wide = [*KINDS['mjpeg.avi'], '-q:v', '31']
    encode(folder / 'strip.avi', *wide, size='16000x16', seconds=1)
    encode(folder / 'huge.avi', *wide, size='16000x9000', seconds=0.4)
    return sorted(folder.iterdir())
