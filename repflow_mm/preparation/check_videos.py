"""Check that videos decode at the start, in the middle and at the end."""

import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from repflow_mm.preparation.parallel import run_all
from repflow_mm.preparation.plan import Plan, Problem
from repflow_mm.preparation.record import Record
from repflow_mm.video import VideoError, VideoProcess, candidates


@dataclass(frozen=True)
class Verdict:
    """Result of checking a video.

    Args:
        frames (int): Number of frames; 0 if the video cannot be opened.
        reason (str): Why the video is broken; empty if it is not.
    """

    frames: int
    reason: str = ''


def check_plan(plan: Plan, verdicts: dict[str, Verdict], min_frames: int) -> Plan:
    """Remove broken and short videos from a plan.

    Args:
        plan (Plan): The lists.
        verdicts (dict[str, Verdict]): The verdict per file.
        min_frames (int): Videos with fewer frames are removed.

    Returns:
        Plan: The remaining samples, with a problem for each removed video.
    """
    kept, problems = {}, []
    for sample in plan.samples():
        verdict = verdicts[sample.file]
        if verdict.reason:
            problems.append(Problem('broken', sample.file, verdict.reason))
        elif verdict.frames < min_frames:
            why = f'{verdict.frames} frames, fewer than {min_frames}'
            problems.append(Problem('too short', sample.file, why))
        else:
            kept[sample.file] = sample
    return plan.keep(kept, problems)


def check_videos(
    files: Sequence[str], record: Path, decoder: str, timeout: float, workers: int
) -> dict[str, Verdict]:
    """Decode frames of each video in subprocesses, which may crash or hang.

    Args:
        files (Sequence[str]): The videos.
        record (Path): Verdicts of earlier runs, reused for files that have not changed
            since; new verdicts are appended.
        decoder (str): As for :class:`VideoProcess`.
        timeout (float): Seconds after which a decoder counts as hung.
        workers (int): Number of videos to check in parallel.

    Returns:
        dict[str, Verdict]: The verdict per file.

    Raises:
        InputError: If the decoder is not installed, which would make every video
            look broken.
    """
    # With another decoder, what was broken may decode. Raises if there is none.
    how = ','.join(candidates(decoder))
    local, processes = threading.local(), []

    def work(file: str) -> Verdict:
        if not hasattr(local, 'process'):
            local.process = VideoProcess(decoder, timeout)
            processes.append(local.process)
        return check_video(local.process, file)

    def stop() -> None:
        for process in processes:
            process.close()

    def done(file: str, verdict: Verdict) -> None:
        verdicts[file] = verdict
        known.add(file, how, dict(asdict(verdict), timeout=timeout))

    verdicts = {}
    with Record(record) as known:
        for file in files:
            verdict = known.find(file, how)
            # Retry failures if the timeout is longer now: the video may decode.
            if verdict and (not verdict['reason'] or timeout <= verdict['timeout']):
                verdicts[file] = Verdict(verdict['frames'], verdict['reason'])
        if verdicts:
            print(f'{len(verdicts)} videos were checked before')
        todo = [file for file in files if file not in verdicts]
        run_all(work, todo, workers, 'checking', done, stop)
    return verdicts


def check_video(process: VideoProcess, file: str) -> Verdict:
    """Decode the first, the middle and the last frame of a video.

    Where training would seek, the middle frame is also decoded sequentially from the
    start, and the two results must be identical.

    Args:
        process (VideoProcess): The decoder process.
        file (str): The video.

    Returns:
        Verdict: The result.
    """
    frames, where = 0, ''
    try:
        info = process.open(file)
        frames, fetched = info.frames, {}
        for index in sorted({0, frames // 2, frames - 1}):
            where = f'frame {index} of {frames}: '
            fetched[index] = process.frames([index])
        if info.seeks:
            index, where = frames // 2, f'frame {frames // 2} of {frames}, in order: '
            process.open(file, in_order=True)
            if not np.array_equal(process.frames([index]), fetched[index]):
                return Verdict(frames, where + 'another picture than by seeking')
    except VideoError as error:
        return Verdict(frames, where + error.reason)
    return Verdict(frames)
