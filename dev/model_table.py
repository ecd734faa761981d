"""Print parameters and FLOPs of the backbones, with and without flow."""

from collections.abc import Sequence

import torch
from mmengine.registry import init_default_scope

from repflow_mm.benchmark.complexity import FLOWS, build, flops, parameters
from repflow_mm.benchmark.tables import network_name
from repflow_mm.commands._networks import add_clip, add_networks
from repflow_mm.commands._parser import Parser
from repflow_mm.errors import command


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Print the table as Markdown.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(
        description='Parameters and FLOPs of the backbones, with and without flow'
    )
    add_networks(parser, depths=(18, 34, 50))
    add_clip(parser, frames=32)
    args = parser.parse_args(argv)
    init_default_scope('mmaction')
    print(
        f'| backbone | parameters | against RGB | GFLOPs, {args.frames}x{args.size}'
        f'x{args.size} | against RGB |\n|---|---|---|---|---|'
    )
    for family in args.families:
        for depth in args.depths:
            base = None
            for flow in FLOWS:
                with torch.device('meta'):  # shapes without data
                    model = build(family, depth, flow)
                counts = parameters(model), flops(model, args.frames, args.size)
                base = base or counts
                more = [
                    f'{100 * (count / least - 1):+.1f} %'
                    for count, least in zip(counts, base, strict=True)
                ]
                name = network_name(family, depth, flow)
                print(
                    f'| {name} | {counts[0] / 1e6:.2f} M | {more[0]} | '
                    f'{counts[1] / 1e9:.0f} | {more[1]} |'
                )


if __name__ == '__main__':
    main()
