"""Fuse the scores of several networks, such as RGB and flow."""

import pickle
from collections.abc import Sequence
from pathlib import Path

import torch

from repflow_mm.commands._parser import Parser, number
from repflow_mm.errors import InputError, command
from repflow_mm.files import check_file, write_bytes
from repflow_mm.study.score_fusion import (
    aligned,
    chosen_weights,
    fused,
    read_scores,
)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Print the accuracy of each network and of their weighted scores.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(
        description='Fuse the scores of several networks on the same clips, aligned by '
        'file name: late fusion of networks that were trained separately'
    )
    parser.add_argument(
        'scores', nargs='+', metavar='FILE', help='what `test --dump FILE` wrote'
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        '--weights',
        nargs='+',
        type=number,
        metavar='W',
        help='weights (default: equal)',
    )
    how.add_argument(
        '--validation',
        nargs=2,
        metavar='FILE',
        help='scores of the same two networks on a validation split, to choose the '
        'weights on',
    )
    parser.add_argument(
        '--softmax',
        action='store_true',
        help="scores are logits (average_clips='score'): turn them into probabilities",
    )
    parser.add_argument(
        '--out', type=Path, metavar='FILE', help='write the fused scores to this .pkl'
    )
    args = parser.parse_args(argv)
    count = len(args.scores)
    if count < 2:
        raise InputError('name the scores of at least two networks')
    weights = args.weights or [1] * count
    if len(weights) != count or not 0 < sum(weights) < float('inf'):
        raise InputError(f'--weights takes {count} numbers here, not all 0')
    if args.out is not None:
        for file in (*args.scores, *(args.validation or ())):
            check_file(args.out, file)
    tests = aligned([read_scores(file) for file in args.scores])
    if not tests[0].names:
        print('These files do not name their clips: they are fused in order.')
    if args.validation:
        if count != 2:
            raise InputError('--validation chooses the weights of two networks')
        validation = aligned([read_scores(file) for file in args.validation])
        weights = chosen_weights(validation, tests, args.softmax)
    result = fused(tests, weights, args.softmax)
    labelled = result.labelled()
    if not labelled and args.out is None:
        raise InputError(
            f'{tests[0].file} has clips without labels, so there is no accuracy: write '
            'the fused scores with --out'
        )
    share = [f'{weight / sum(weights):.2f}' for weight in weights]
    print('| scores | weight | top-1 | top-5 | mean class |\n|---|--:|--:|--:|--:|')
    for test, weight in zip((*tests, result), (*share, ''), strict=True):
        found = test.accuracy().values() if labelled else ()
        cells = [f'{100 * value:.2f}' for value in found] or ['-'] * 3
        print(f'| {test.file} | {weight} | {" | ".join(cells)} |')
    unit = 'accuracy in %' if labelled else 'without labels'
    print(f'\n{len(result.labels)} clips, {unit}.')
    if args.out is not None:
        write_bytes(args.out, pickle.dumps(_samples(result)))


def _samples(result) -> list[dict]:
    """As `DumpResults` writes them."""
    names = result.names or [None] * len(result.labels)
    samples = []
    rows = zip(names, result.scores, result.labels, result.unreadable, strict=True)
    for name, score, label, unreadable in rows:
        sample = dict(
            pred_score=torch.from_numpy(score).float(),
            gt_label=torch.tensor([label]),
            pred_label=torch.tensor([score.argmax()]),
        )
        if unreadable:
            sample['bad_videos'] = [(str(name), 'could not be read')]
        samples.append(sample if name is None else sample | dict(filename=name))
    return samples
