"""The decoding process: `python -m repflow_mm.video.server DECODER`.

Reads requests, a JSON object a line, from its standard input: `{"open": path}`, then
any number of `{"read": indices}`. Answers with a JSON line each, `{"error": text}`,
`{"frames": n, "fps": f}` or `{"shape": [n, h, w, 3]}`; the last is followed by the
frames' bytes. No pickles: what reads hostile files is not to be believed.
"""

import json
import os
import re
import sys
from typing import BinaryIO

import numpy as np

from repflow_mm.video.decoders import DECODERS

# Beyond this the frames of one clip end a training machine sooner than they train it.
MAX_BYTES = 2**31
MAX_MEMORY = 2**33


def serve(decoder: str, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more.

    Args:
        decoder (str): A name in `DECODERS`.
        requests (BinaryIO): Where requests come from.
        answers (BinaryIO): Where answers go.
    """
    path, video = '', None
    for line in requests:
        request, frames = json.loads(line), None
        try:
            if 'open' in request:
                path, video = request['open'], None  # closed, whatever comes next
                video = DECODERS[decoder](path)
                if video.info.frames <= 0:
                    raise ValueError('has no frames')
                answer = video.info._asdict()
            else:
                frames = np.ascontiguousarray(video.read(request['read']))
                if frames.nbytes > MAX_BYTES:
                    _, height, width, _ = frames.shape
                    raise ValueError(
                        f'{len(frames)} frames of {width}x{height} take '
                        f'{frames.nbytes / 2**30:.1f} GiB: re-encode it smaller'
                    )
                answer = dict(shape=frames.shape)
        except Exception as error:  # decoders raise what they like: it is the answer
            answer, frames = dict(error=_in_words(error, path)), None
        answers.write(json.dumps(answer).encode() + b'\n')
        if frames is not None:
            answers.write(frames.data)
        answers.flush()


def _in_words(error: Exception, path: str) -> str:
    """The gist of a decoder's error, without its place in the sources."""
    text = next(iter(str(error).replace(path, 'the file').splitlines()), '').rstrip('.')
    text = re.sub(r'.*Check failed: .*\) ', '', text)[-200:]
    if isinstance(error, MemoryError):
        text = 'a frame does not fit into memory'
    return text or type(error).__name__


def main() -> None:
    """Serve on standard input and output; what libraries print goes elsewhere."""
    answers = os.fdopen(os.dup(1), 'wb')
    os.dup2(2, 1)
    if os.name == 'posix':
        import resource

        # A file that claims to be huge fails here, and here alone.
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    serve(sys.argv[1], sys.stdin.buffer, answers)


if __name__ == '__main__':
    main()
