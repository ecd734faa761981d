"""Reading possibly broken video files: decoders, and the process they run in.

Needs only numpy and the decoder: the decoding process imports nothing else.
"""

from repflow_mm.video.decoders import DECODERS, VideoError, candidates
from repflow_mm.video.process import VideoInfo, VideoProcess

__all__ = ['DECODERS', 'VideoError', 'VideoInfo', 'VideoProcess', 'candidates']
