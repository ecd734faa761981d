"""Reading video files that may be broken: decoders, and the process they run in.

Needs numpy and the decoder alone, for the decoding process imports nothing else.
"""

from repflow_mm.video.decoders import DECODERS, VideoError, candidates
from repflow_mm.video.process import VideoInfo, VideoProcess

__all__ = ['DECODERS', 'VideoError', 'VideoInfo', 'VideoProcess', 'candidates']
