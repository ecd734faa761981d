"""Convert the authors' published weights for `configs/legacy/`."""

from collections.abc import Sequence
from pathlib import Path

from repflow_mm.checkpoint import load_checkpoint
from repflow_mm.checkpoint.fit import weights
from repflow_mm.checkpoint.save import to_bytes
from repflow_mm.commands._parser import Parser
from repflow_mm.errors import InputError, command
from repflow_mm.files import check_file, write_bytes
from repflow_mm.models.legacy_weights import convert_authors_weights


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Convert a checkpoint of the authors for `configs/legacy/`.

    Args:
        argv (Sequence[str], optional): The command line. Defaults to `sys.argv`.
    """
    parser = Parser(description='Convert a checkpoint of the authors')
    parser.add_argument('source', type=Path, metavar='CKPT', help='their checkpoint')
    parser.add_argument(
        'target', type=Path, metavar='OUT', help='file to write, e.g. authors.pth'
    )
    args = parser.parse_args(argv)
    check_file(args.target, args.source)
    theirs = weights(str(args.source), load_checkpoint(args.source), {})
    try:
        state_dict = convert_authors_weights(theirs)
    except InputError as error:
        raise InputError(f'{args.source}: {error}') from None
    content = dict(state_dict=state_dict, meta={})
    write_bytes(args.target, to_bytes(content, args.target.suffix))
    print(f'wrote {args.target}')
