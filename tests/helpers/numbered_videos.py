"""Videos whose frames show their number, in many formats that FFmpeg can write.

Frame `i` shows `i` as eight black or white blocks, two rows of four, so that a test
reads from the pixels which frame a decoder gave. Faint moving texture keeps encoders
from dropping frames.
"""

import subprocess
from functools import cache
from pathlib import Path

import numpy as np

# Arguments of FFmpeg for each kind of file; the suffix chooses the container.
_B = ('-bf', '2')
_X264 = ('-c:v', 'libx264', '-preset', 'fast', '-g', '12', '-keyint_min', '12')
_X265 = ('-c:v', 'libx265', '-preset', 'ultrafast')
_MPEG4 = ('-c:v', 'mpeg4', '-q:v', '4', '-g', '12')
_OPEN = ('-x264-params', 'open-gop=1:bframes=3:b-adapt=0:scenecut=0')
KINDS: dict[str, tuple[str, ...]] = {
    'h264_closed.mp4': (*_X264, '-bf', '2', '-x264-params', 'scenecut=0'),
    'h264_one_key_frame.mp4': ('-c:v', 'libx264', '-g', '9999'),
    'h264_open_gop.mp4': (*_X264, *_OPEN),
    'h264_open_gop.mkv': (*_X264, *_OPEN),
    'h264_open_gop.ts': (*_X264, *_OPEN),
    'h264_intra_refresh.mp4': (*_X264, '-x264-params', 'intra-refresh=1'),
    'h264_b.avi': (*_X264, *_B),
    'h264_b.mkv': (*_X264, *_B),
    'h264_b.mov': (*_X264, *_B),
    'h264_b.flv': (*_X264, *_B),
    'h264_b.ts': (*_X264, *_B),
    'h264_interlaced.ts': (*_X264, *_B, '-x264-params', 'interlaced=1'),
    'h264_fragmented.mp4': (*_X264, *_B, '-movflags', '+frag_keyframe+empty_moov'),
    'h264_10bit.mp4': (*_X264, *_B, '-pix_fmt', 'yuv420p10le'),
    'h264_444.mp4': (*_X264, *_B, '-pix_fmt', 'yuv444p'),
    'h264_grey.mp4': (*_X264, *_B, '-pix_fmt', 'gray'),
    'h264_bt709.mp4': (*_X264, '-colorspace', 'bt709', '-color_primaries', 'bt709')
    + ('-color_trc', 'bt709', '-vf', 'scale=out_color_matrix=bt709'),
    'h264_full_range.mp4': (*_X264, '-pix_fmt', 'yuvj420p'),
    'hevc_default.mp4': _X265,
    'hevc_open_gop.mp4': (*_X265, '-g', '12', '-x265-params', 'keyint=12:open-gop=1'),
    'hevc_closed.mp4': (*_X265, '-x265-params', 'keyint=12:open-gop=0'),
    'hevc_open_gop.mkv': (*_X265, '-x265-params', 'keyint=12:open-gop=1'),
    'mpeg4.avi': _MPEG4,
    'mpeg4_b.avi': (*_MPEG4, *_B),
    'mpeg4_b.mp4': (*_MPEG4, *_B),
    'mpeg4_packed.avi': (
        *_MPEG4,
        *_B,
        '-vtag',
        'DX50',
        '-bsf:v',
        'mpeg4_unpack_bframes',
    ),
    'xvid_b.avi': (*_MPEG4, *_B, '-vtag', 'xvid'),
    'msmpeg4.avi': ('-c:v', 'msmpeg4v2', '-g', '12', '-q:v', '4'),
    'mpeg4_b.3gp': (*_MPEG4, *_B),
    'wmv2.wmv': ('-c:v', 'wmv2', '-g', '12', '-q:v', '4'),
    'wmv1.asf': ('-c:v', 'wmv1', '-g', '12', '-q:v', '4'),
    'mpeg1.mpg': ('-c:v', 'mpeg1video', '-g', '12', *_B, '-q:v', '4'),
    'mpeg2_ps.mpg': ('-c:v', 'mpeg2video', '-g', '12', *_B, '-q:v', '4', '-f', 'vob'),
    'mpeg2.ts': ('-c:v', 'mpeg2video', '-g', '12', *_B, '-q:v', '4'),
    'flv1.flv': ('-c:v', 'flv1', '-g', '12', '-q:v', '4'),
    'mjpeg.avi': ('-c:v', 'mjpeg', '-q:v', '4', '-pix_fmt', 'yuvj420p'),
    'mjpeg.mov': ('-c:v', 'mjpeg', '-q:v', '4', '-pix_fmt', 'yuvj420p'),
    'vp8.webm': ('-c:v', 'libvpx', '-g', '12', '-b:v', '1M', '-auto-alt-ref', '1')
    + ('-lag-in-frames', '16', '-deadline', 'good', '-cpu-used', '5'),
    'vp9.webm': ('-c:v', 'libvpx-vp9', '-g', '12', '-b:v', '1M', '-cpu-used', '6')
    + ('-deadline', 'good', '-auto-alt-ref', '1', '-lag-in-frames', '16'),
    'vp9_alpha.webm': ('-c:v', 'libvpx-vp9', '-g', '12', '-cpu-used', '8')
    + ('-deadline', 'realtime', '-pix_fmt', 'yuva420p'),
    'av1.mp4': ('-c:v', 'libsvtav1', '-preset', '12', '-g', '12'),
    'prores.mov': ('-c:v', 'prores_ks'),
    'ffv1.mkv': ('-c:v', 'ffv1', '-g', '1'),
    'ffv1_inter.avi': ('-c:v', 'ffv1', '-g', '12', '-coder', '1', '-context', '1'),
    'png_alpha.mov': ('-c:v', 'png', '-pix_fmt', 'rgba'),
    'animation.gif': ('-pix_fmt', 'rgb8'),
    'raw.avi': ('-c:v', 'rawvideo', '-pix_fmt', 'bgr24'),
    'variable_rate.mp4': (*_X264, *_B, '-vf', "setpts='(N+floor(N/7)*3)/25/TB'")
    + ('-fps_mode', 'vfr', '-enc_time_base', '1/1000'),
    'variable_rate.mkv': (*_X264, *_B, '-vf', "setpts='(N+floor(N/7)*3)/25/TB'")
    + ('-fps_mode', 'vfr', '-enc_time_base', '1/1000'),
}
# Made by copying streams: (source, arguments before -i, arguments after).
COPIES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    'cut.mp4': ('h264_b.mov', ('-ss', '1.3'), ()),
    'cut.mkv': ('h264_b.mkv', ('-ss', '1.3'), ()),
    'cut.ts': ('h264_b.ts', ('-ss', '1.3'), ()),
    'cut_open_gop.mp4': ('h264_open_gop.mp4', ('-ss', '1.3'), ()),
    'cut_negative.mp4': ('h264_b.mov', ('-ss', '1.3'), ('-avoid_negative_ts', '0')),
    'cut_hevc.mp4': ('hevc_open_gop.mp4', ('-ss', '1.3'), ()),
    'cut_mpeg4.avi': ('mpeg4_b.avi', ('-ss', '1.3'), ()),
    'offset.mp4': ('h264_closed.mp4', ('-itsoffset', '5'), ()),
    'rotated_90.mp4': ('h264_closed.mp4', ('-display_rotation', '90'), ()),
    'rotated_180.mp4': ('h264_closed.mp4', ('-display_rotation', '180'), ()),
    'rotated_270.mp4': ('h264_closed.mp4', ('-display_rotation', '270'), ()),
    'rotated_90.mov': ('h264_b.mov', ('-display_rotation', '90'), ()),
    'no_stamps.h264': ('h264_b.mov', (), ('-bsf:v', 'h264_mp4toannexb')),
    'no_stamps.hevc': ('hevc_open_gop.mp4', (), ('-bsf:v', 'hevc_mp4toannexb')),
    'no_stamps.m4v': ('mpeg4_b.avi', (), ('-f', 'm4v')),
    'fast_start.mp4': ('h264_b.mov', (), ('-movflags', '+faststart')),
}
NAMES = (*KINDS, *COPIES)
# Quarter turns to the left requested by the metadata.
TURNS = {'rotated_90.mp4': 1, 'rotated_180.mp4': 2, 'rotated_270.mp4': 3}
TURNS['rotated_90.mov'] = 1


@cache
def ffmpeg() -> str:
    """FFmpeg's program, which comes with imageio-ffmpeg."""
    import imageio_ffmpeg

    return imageio_ffmpeg.get_ffmpeg_exe()


def picture(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """The frame that shows a number below 256, `(height, width, 3)` uint8 RGB."""
    y, x = np.mgrid[:height, :width]
    block = 4 * (2 * y // height) + 4 * x // width
    bit = (number >> block) & 1
    texture = 12 * np.sin(0.7 * (x + 2 * number)) + 12 * np.sin(0.5 * (y - number))
    grey = np.where(bit, 200, 55) + texture
    colour = np.array([40, -25, 10]) * np.sin(0.1 * (x + y + number))[..., None]
    return np.rint(grey[..., None] + colour).astype(np.uint8)


def number_of(frame: np.ndarray, turns: int = 0) -> int:
    """The number shown by a frame that was rotated left by quarter turns."""
    grey = np.rot90(frame, -turns).astype(float).mean(2)
    height, width = grey.shape
    number = 0
    for block in range(8):
        top, left = divmod(block, 4)
        rows = slice(int((top + 0.2) * height / 2), int((top + 0.8) * height / 2) + 1)
        columns = slice(
            int((left + 0.2) * width / 4), int((left + 0.8) * width / 4) + 1
        )
        number |= int(grey[rows, columns].mean() > 127) << block
    return number


def make(
    folder: Path, name: str, frames: int = 120, size: tuple[int, int] = (64, 48)
) -> Path:
    """Encode or copy a video of a format, unless it exists."""
    path = folder / name
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    if name in COPIES:
        source, before, after = COPIES[name]
        whole = str(make(folder, source, frames, size))
        _run([*before, '-i', whole, '-c', 'copy', *after, str(path)])
    else:
        encode(path, KINDS[name], frames, size)
    return path


def encode(
    path: Path, arguments: tuple[str, ...], frames: int, size: tuple[int, int]
) -> None:
    """Encode frames 0 to `frames - 1`."""
    data = b''.join(picture(i, *size).tobytes() for i in range(frames))
    raw = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', f'{size[0]}x{size[1]}']
    if '-pix_fmt' not in arguments and 'prores_ks' not in arguments:
        arguments = ('-pix_fmt', 'yuv420p', *arguments)
    _run([*raw, '-r', '25', '-i', '-', *arguments, str(path)], data)


def _run(arguments: list[str], data: bytes | None = None) -> None:
    command = [ffmpeg(), '-v', 'error', '-y', *arguments]
    subprocess.run(command, input=data, check=True)
