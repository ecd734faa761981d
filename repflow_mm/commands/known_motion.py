"""Print end-point errors on known motions."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from repflow_mm.commands._parser import Parser, number
from repflow_mm.errors import command
from repflow_mm.ops import representation_flow
from repflow_mm.optical_flow.methods import opencv_tvl1
from repflow_mm.synthetic.known_motion import end_point_error, moved_textures

MOTIONS = ((0.5, 0.0), (1.0, -0.5))


def dual_tvl1(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """OpenCV's TV-L1 with its defaults (5 scales, 5 warps) on the same maps."""
    flows = [
        opencv_tvl1(*(f.round().byte().numpy() for f in pair))
        for pair in zip(first[0], second[0], strict=True)
    ]
    u_x, u_y = torch.from_numpy(np.stack(flows)).unbind(-1)
    return u_x, u_y


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Print a table of end-point errors on known motions."""
    parser = Parser(description=main.__doc__)
    parser.add_argument(
        '--smoothness',
        type=number,
        default=3.0,
        metavar='PIXELS',
        help='standard deviation of the Gaussian that smooths the textures',
    )
    smoothness = parser.parse_args(argv).smoothness
    rows: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
        'always zero': lambda a, b: (torch.zeros_like(a), torch.zeros_like(a)),
        'representation flow, 20 iterations': representation_flow,
        'representation flow, 100 iterations': lambda a, b: representation_flow(
            a, b, n_iters=100
        ),
        'the same with Eq. 10 as printed, 100': lambda a, b: representation_flow(
            a, b, n_iters=100, flow_grad='sobel'
        ),
        'OpenCV DualTVL1 (pyramid, warping)': dual_tvl1,
    }
    print(
        'Mean end-point error in pixels, Gaussian textures '
        f'({smoothness} pixels) moved by (dx, dy)\n'
    )
    print(f'| method | {" | ".join(map(str, MOTIONS))} |')
    print('|---|' + '---|' * len(MOTIONS))
    for name, method in rows.items():
        errors = (
            end_point_error(*method(*moved_textures(dx, dy, smoothness)), dx, dy)
            for dx, dy in MOTIONS
        )
        print(f'| {name} | {" | ".join(f"{error:.3f}" for error in errors)} |')
