"""Export a recognizer to ONNX, verified against PyTorch before the file is written."""

import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from repflow_mm.errors import InputError, MissingFileError
from repflow_mm.export.deployable import Deployable

INPUT, OUTPUT = 'frames', 'logits'
LIMIT = 1e-3  # maximum relative error; fp32 rounding causes about a hundredth of it


@dataclass
class Exported:
    """An exported ONNX file and its properties.

    Args:
        path (Path): The file.
        opset (int): ONNX operator set version.
        nodes (int): Number of nodes in the graph.
        error (float): Maximum relative error of the logits against PyTorch, on clips
            other than those used for recording, in batches of one and three.
    """

    path: Path
    opset: int
    nodes: int
    error: float

    @property
    def mebibytes(self) -> float:
        """File size including weights."""
        return self.path.stat().st_size / 2**20


def export_onnx(
    model: nn.Module,
    clip: Sequence[int],
    path: str | os.PathLike,
    on_step: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Export a recognizer to one ONNX file with its weights, for any batch size.

    The flow layer's iterations are unrolled into standard operators, which any runtime
    supports. Input and output are those of
    :class:`repflow_mm.export.deployable.Deployable`: uint8 `frames`, fp32 `logits`.

    Args:
        model (nn.Module): A built recognizer on the CPU.
        clip (Sequence[int]): Frames, height and width of a clip, fixed in the file.
        path (str | os.PathLike): The file, written only after verification.
        on_step (Callable): Progress callback, called with a description of each step.

    Returns:
        Exported: The file and its properties.

    Raises:
        MissingFileError: If the folder does not exist.
        InputError: If a package is missing, the model cannot be exported or process
            such clips, or the relative error against PyTorch exceeds :data:`LIMIT`.
    """
    _require_packages()
    path = Path(path)
    if not path.parent.is_dir():
        raise MissingFileError(f'there is no folder {path.parent} to write into')
    for name, weight in model.named_parameters():
        if weight.dtype != torch.float32:
            raise InputError(
                f'the model has {name} in {str(weight.dtype).removeprefix("torch.")}: '
                'call model.float() first, as logits are fp32'
            )
    deployable = Deployable(model)
    batches = [_clips(count, clip) for count in (1, 3)]
    on_step('running PyTorch')
    with torch.no_grad():
        try:
            expected = [deployable(frames) for frames in batches]
        except (RuntimeError, InputError) as error:
            raise InputError(
                f'the model cannot take clips of {"x".join(map(str, clip))} (frames, '
                f'height, width): {_first_line(error)}; set --frames and --size'
            ) from error
    for frames, logits in zip(batches, expected, strict=True):
        if len(logits) != len(frames):
            raise InputError(
                f'{len(frames)} clips of {clip[0]} frames give {len(logits)} rows of '
                'logits: the network takes clips of num_segments frames; set --frames'
            )
    on_step('recording the graph')
    program = record(deployable, clip)
    on_step('translating to ONNX')
    translated = _translate(program)
    with tempfile.TemporaryDirectory(prefix='.onnx-', dir=path.parent) as folder:
        file = Path(folder) / path.name
        translated.save(file, external_data=False)
        on_step('checking with onnxruntime')
        run = session(file)
        errors = [
            relative_error(run(frames), logits)
            for frames, logits in zip(batches, expected, strict=True)
        ]
        error = float(np.max(errors))  # NaN if one is
        if not error <= LIMIT:
            raise InputError(
                f'the output of the graph differs from PyTorch: relative error '
                f'{error:.1e}, allowed {LIMIT:.0e}; {path} was not written'
            )
        os.replace(file, path)
    opsets = translated.model.opset_imports
    nodes = sum(1 for _ in translated.model.graph)
    return Exported(path, opsets[''], nodes, error)


def record(module: nn.Module, clip: Sequence[int]) -> torch.export.ExportedProgram:
    """Run `torch.export` on a :class:`Deployable`, for any batch size.

    Args:
        module (nn.Module): Module from frames to logits.
        clip (Sequence[int]): Frames, height and width of a clip.

    Returns:
        torch.export.ExportedProgram: The program, without operators of this package.

    Raises:
        InputError: If PyTorch cannot record the model.
    """
    # PyTorch 2.6 demands that it cannot be the largest integer.
    batch = torch.export.Dim('batch', min=1, max=2**31)
    try:
        with _quiet(), torch.no_grad():
            return torch.export.export(
                module, (_clips(2, clip),), dynamic_shapes=({0: batch},), strict=False
            )
    except RuntimeError as error:
        raise InputError(
            f'torch.export cannot record this model ({type(error).__name__}: '
            f'{_first_line(error)}); if it can without the flow layer, report it'
        ) from error


def _translate(program: torch.export.ExportedProgram) -> torch.onnx.ONNXProgram:
    try:
        with _quiet():
            translated = torch.onnx.export(
                program,
                dynamo=True,
                input_names=[INPUT],
                output_names=[OUTPUT],
                optimize=True,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:  # e.g. ONNX lacks an operator
        raise InputError(
            'torch.onnx cannot translate this model '
            f'({_first_line(error.__cause__ or error)}); if it can without the flow '
            'layer, report it'
        ) from error
    model = translated.model
    for part in (model, model.graph, *model.graph, *model.graph.initializers.values()):
        part.metadata_props.clear()  # Python's call stacks, with this machine's paths
    return translated


def session(path: str | os.PathLike) -> Callable[[Tensor], Tensor]:
    """Load an exported file as a function on the CPU, with PyTorch's thread count."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    runtime = onnxruntime.InferenceSession(
        path, options, providers=['CPUExecutionProvider']
    )

    def run(frames: Tensor) -> Tensor:
        (logits,) = runtime.run([OUTPUT], {INPUT: frames.numpy()})
        return torch.from_numpy(logits)

    return run


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """Maximum absolute difference over maximum absolute value; NaN propagates."""
    return ((actual - expected).abs().max() / expected.abs().max()).item()


def _clips(count: int, clip: Sequence[int]) -> Tensor:
    """Random clips; of three clips, the last one is black."""
    generator = torch.Generator().manual_seed(count)
    shape = (count, 3, *clip)
    frames = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    frames[2:] = 0
    return frames


def _require_packages() -> None:
    if not all(map(find_spec, ('onnx', 'onnxscript', 'onnxruntime'))):
        raise InputError(
            'exporting needs onnxscript and onnxruntime: '
            'pip install onnxscript onnxruntime'
        )


def _first_line(error: Exception) -> str:
    line = next(iter(str(error).strip().splitlines()), '')
    return line.partition(' See the stack trace')[0][:200]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the exporters say of PyTorch's own code and of other packages."""
    logger = logging.getLogger('torch.onnx')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', r'`isinstance\(treespec', FutureWarning)
            yield
    finally:
        logger.setLevel(level)
