"""The number of frames of a video, and the frames at which decoding can start.

Headers are unreliable about the former (AVI often declares one or two frames too many),
and most seek functions about the latter. So frames are counted by decoding, and read in
order from the start, unless the container (mp4, mov, Matroska) gives each frame its own
time stamp and the codec has one frame per packet. Then packets are counted without
decoding, and decoding can start at a key frame that no reference crosses.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import av

# Containers with a stamp for each frame, and codecs with a frame for each packet.
_CONTAINERS = {'mov,mp4,m4a,3gp,3g2,mj2', 'matroska,webm'}
_CODECS = {'h264', 'hevc', 'vp9', 'av1', 'mjpeg', 'prores', 'ffv1', 'png', 'dnxhd'}
# NAL unit types of IDR pictures: nothing after one refers to anything before it.
_IDR = {'h264': {5}, 'hevc': {19, 20}}


class MissingFrameError(ValueError):
    """A frame that does not decode with any decoder."""

    def __init__(self, number: int, more: str = '') -> None:
        super().__init__(f'frame {number} does not decode{more}')


class Index(NamedTuple):
    """What decoders need to know about a video.

    Args:
        frames (int): Number of frames.
        fps (float): Average frames per second; 0 if the file does not say.
        width (int): Displayed width in pixels.
        height (int): Displayed height in pixels.
        rotation (int): Degrees by which frames are rotated left for display.
        container (str): FFmpeg's name for the format.
        interlaced (bool): Whether any frame is interlaced.
        hole (int, optional): A frame that does not decode, though later ones do.
        entries (tuple[int, ...]): Frames at which decoding can start, including 0.
        closed (bool): Whether these are all of the key frames, so that any seek
            function is correct.
        stamps (tuple[int, ...]): Time stamps of the frames, if known without decoding.
        time_base (float): Seconds per unit of the stamps.
    """

    frames: int
    fps: float
    width: int
    height: int
    rotation: int = 0
    container: str = ''
    interlaced: bool = False
    hole: int | None = None
    entries: tuple[int, ...] = (0,)
    closed: bool = False
    stamps: tuple[int, ...] = ()
    time_base: float = 0.0

    def entry_before(self, number: int) -> int:
        """The last frame, up to this one, at which decoding can start."""
        return self.entries[bisect_right(self.entries, number) - 1]

    def check(self, number: int) -> None:
        """Raise :class:`MissingFrameError` unless the frame exists and decodes."""
        if not 0 <= number < self.frames:
            raise MissingFrameError(number, f' (it has {self.frames})')
        if self.hole is not None and number >= self.hole:
            raise MissingFrameError(self.hole)


class _Packet(NamedTuple):
    stamp: int | None
    key: bool
    idr: bool
    whole: bool


def index_video(path: str, beat: Callable[[], None]) -> Index:
    """Index a video with PyAV or, without it, OpenCV.

    Args:
        path (str): The video.
        beat (Callable): Heartbeat, called for each packet and each frame counted.

    Returns:
        Index: Its index.

    Raises:
        ValueError: If it cannot be opened, or has no video that decodes.
    """
    if not find_spec('av'):
        return _count_with_opencv(path, beat)
    with open_container(path) as container:
        return scan(container, path, beat)


def open_container(path: str) -> 'av.container.InputContainer':
    """Open a file with PyAV; raises `ValueError` if that fails."""
    import av

    try:
        return av.open(path)
    except (av.error.FFmpegError, OSError) as error:
        raise ValueError(f'cannot be opened ({error.strerror})') from None


def scan(
    container: 'av.container.InputContainer', path: str, beat: Callable[[], None]
) -> Index:
    """Like :func:`index_video`, from a newly opened PyAV container."""
    import av

    stream = video_stream(container)
    packets, first = [], None
    try:
        for packet in container.demux(stream):
            beat()  # the whole file is read here
            if packet.size:
                packets.append(_describe(packet, stream.codec_context))
            if first is None:
                first = _first(packet)
    except av.error.FFmpegError:  # the file ends within a packet
        packets.append(_Packet(None, False, False, False))
    if first is None:
        raise ValueError('has no frames')
    turned = first.rotation % 180 != 0
    index = Index(
        frames=len(packets),
        fps=float(stream.average_rate or 0),
        width=first.height if turned else first.width,
        height=first.width if turned else first.height,
        rotation=first.rotation,
        container=container.format.name,
        interlaced=first.interlaced_frame,
        time_base=float(stream.time_base or 0),
    )
    if index.container in _CONTAINERS and stream.codec.canonical_name in _CODECS:
        entries = _entries(packets)
        if entries[:1] == [0]:
            return index._replace(
                entries=tuple(entries),
                closed=len(entries) == sum(packet.key for packet in packets),
                stamps=tuple(sorted(packet.stamp for packet in packets)),
            )
    with open_container(path) as container:
        return _count(container, index, beat)


def video_stream(
    container: 'av.container.InputContainer',
) -> 'av.video.stream.VideoStream':
    """FFmpeg's default video stream, set to decode in one thread."""
    stream = container.streams.best('video')
    if stream is None:
        raise ValueError('has no video stream')
    if not stream.codec_context.is_open:
        # Each data-loading worker has a decoding process: threads would compete.
        stream.thread_type, stream.codec_context.thread_count = 'NONE', 1
    return stream


def decoded(
    container: 'av.container.InputContainer', stream: 'av.video.stream.VideoStream'
) -> 'Iterator[av.VideoFrame]':
    """Frames in order, up to the end or to a hole.

    Packets that do not decode are skipped before the first frame (they lack their key
    frame). If the last packet does not decode (the file was truncated), it is the end:
    as with the other decoders, frames that the decoder still buffers are lost.

    Args:
        container (av.container.InputContainer): Read from its current position.
        stream (av.video.stream.VideoStream): Its video stream.

    Yields:
        av.VideoFrame: Frames in display order.

    Raises:
        MissingFrameError: If a packet in the middle does not decode.
    """
    import av

    begun, lost, count = False, False, 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:  # the file ends within a packet
            packet = None
        if lost:
            if packet is not None and packet.size:
                raise MissingFrameError(count)
            return
        try:
            # The very last packet is empty, and flushes the decoder.
            for frame in stream.codec_context.decode(packet):
                begun, count = True, count + 1
                yield frame
        except av.error.InvalidDataError:
            lost = begun
        except av.error.EOFError:
            return
        if packet is None:
            return


def _describe(packet: 'av.Packet', codec: 'av.CodecContext') -> _Packet:
    idr = packet.is_keyframe
    if idr and codec.codec.canonical_name in _IDR:
        kinds = _IDR[codec.codec.canonical_name]
        idr = not kinds.isdisjoint(_nal_types(packet, codec))
    whole = not (packet.is_discard or packet.is_corrupt)
    return _Packet(packet.pts, packet.is_keyframe, idr, whole)


def _nal_types(packet: 'av.Packet', codec: 'av.CodecContext') -> Iterator[int]:
    """Types of the (length-prefixed) NAL units in a packet of mp4 or Matroska."""
    extra, data = codec.extradata or b'', bytes(packet)
    hevc = codec.codec.canonical_name == 'hevc'
    place = 21 if hevc else 4
    if len(extra) <= place or extra[0] != 1:
        return
    size, at = (extra[place] & 3) + 1, 0
    while at + size < len(data):
        head = data[at + size]
        yield head >> 1 & 63 if hevc else head & 31
        at += size + int.from_bytes(data[at : at + size], 'big')


def _first(packet: 'av.Packet') -> 'av.VideoFrame | None':
    import av

    try:
        return next(iter(packet.decode()), None)
    except av.error.InvalidDataError:
        return None


def _entries(packets: list[_Packet]) -> list[int]:
    """Frames at which decoding can start; none if packet stamps are not the frames'.

    A key frame is one of them if all packets before it are displayed before it, and all
    packets after it are displayed after it.
    """
    stamps = [packet.stamp for packet in packets]
    intact = all(packet.whole for packet in packets)
    if not intact or None in stamps or len(set(stamps)) < len(stamps):
        return []
    after, lowest = [], float('inf')
    for stamp in reversed(stamps):
        lowest = min(lowest, stamp)
        after.append(lowest)
    after.reverse()
    highest, entries = float('-inf'), []
    for number, packet in enumerate(packets):
        if packet.idr and highest < packet.stamp == after[number]:
            entries.append(number)
        highest = max(highest, packet.stamp)
    return entries


def _count(
    container: 'av.container.InputContainer', index: Index, beat: Callable[[], None]
) -> Index:
    """Count frames by decoding them, which excludes a missing tail."""
    stream = video_stream(container)
    count, hole, interlaced = 0, None, index.interlaced
    try:
        for frame in decoded(container, stream):
            count += 1
            interlaced = interlaced or frame.interlaced_frame
            beat()
    except MissingFrameError:
        hole, count = count, count + 1  # a lower bound; frames beyond are unreachable
    return index._replace(frames=count, hole=hole, interlaced=interlaced)


def _count_with_opencv(path: str, beat: Callable[[], None]) -> Index:
    import cv2

    capture = cv2.VideoCapture(path)
    good, first = capture.read()
    if not good:
        raise ValueError('cannot be opened, or has no frames')
    count = 1
    while capture.grab():
        count += 1
        beat()
    height, width = first.shape[:2]
    return Index(count, float(capture.get(cv2.CAP_PROP_FPS)), width, height)
