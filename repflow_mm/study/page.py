"""The page of the study: a section per claim, generated from its rows."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from repflow_mm.files import write_text
from repflow_mm.study.claim import Claim
from repflow_mm.study.plan import plan
from repflow_mm.study.report import Report
from repflow_mm.study.rows import Row, current, read_rows
from repflow_mm.study.statistics import estimate
from repflow_mm.study.table import markdown
from repflow_mm.synthetic import KINDS
from repflow_mm.visualization.accuracies import Panel, draw_accuracies

# The text above this line of a page is kept.
MARK = '<!-- Below: python tools/study.py --page -->'
_SAYS = ('holds', 'does not hold', 'cannot be told')


def write_page(path: Path, claims: Sequence[Claim], results: Path, out: Path) -> Path:
    """Write the page and its plots, which go into a folder of its name.

    Args:
        path (Path): The page, in Markdown; the text above :data:`MARK` is kept.
        claims (Sequence[Claim]): The claims; they are put in the order of the paper.
        results (Path): Folder of the rows.
        out (Path): Folder of the runs, which need not exist.

    Returns:
        Path: The page.

    Raises:
        InputError: If a file of rows or a claim is wrong.
        OutputError: If a file cannot be written.
    """
    above = path.read_text(encoding='utf-8') if path.is_file() else '# Study\n\n'
    above = above.partition(MARK)[0]
    sections = []
    head = ('claim', 'paper', 'scale', 'state', *_SAYS)
    summary = [head, ('---',) * 4 + ('--:',) * 3]
    for claim in sorted(claims, key=lambda claim: (not claim.table, claim.table)):
        link = f'[{claim.title}](#{_anchor(claim.title)})'
        rows = read_rows(results / f'{claim.name}.jsonl')
        parts = [f'## {claim.title}', f'{claim.table}. {claim.why}'.removeprefix('. ')]
        reports = _reports(claim, rows, out)
        if not reports:
            summary.append((link, claim.table, '', 'not run', '', '', ''))
            parts.append(f'Not run: `python tools/study.py {claim.name}`.')
        for report in reports:
            counts = Counter(verdict.says for verdict in report.verdicts())
            says = (str(counts[word]) for word in _SAYS)
            summary.append((link, claim.table, report.scale, report.state(), *says))
            parts += _section(report, path)
        sections.append('\n\n'.join(parts))
    text = '\n\n'.join([f'{above}{MARK}', markdown(summary), *sections])
    write_text(path, f'{text}\n')
    return path


def _reports(claim: Claim, rows: Sequence[Row], out: Path) -> list[Report]:
    """A report for each scale that has rows of the present configs."""
    reports = []
    for scale, size in claim.scales.items():
        found = [row for row in rows if row.scale == scale]
        if not found:
            continue
        seeds = max(size.seeds, 1 + max(row.seed for row in found))
        kept = current(found, plan(claim, scale, seeds, out))
        if kept:
            seeds = max(size.seeds, 1 + max(row.seed for row in kept))
            reports.append(Report(claim, scale, kept, seeds))
    return reports


def _section(report: Report, page: Path) -> list[str]:
    claim, scale = report.claim, report.scale
    plot = page.parent / page.stem / f'{claim.name}_{scale}.png'
    draw_accuracies(_panels(report), claim.baseline, plot)
    shown = plot.relative_to(page.parent).as_posix()
    last = max(report.rows, key=lambda row: row.date)
    about = {'device': 'unknown', 'threads': 'unknown', **last.machine}
    versions = ', '.join(
        f'{name} {about[name]}'
        for name in ('PyTorch', 'mmaction2', 'mmengine', 'Python')
        if name in about
    )
    commits = sorted({row.machine.get('commit', 'unknown') for row in report.rows})
    options = '' if scale == 'quick' else f' --scale {scale}'
    parts = [
        f'### {scale}: {report.state()}',
        f'![Accuracy of each arm, by set]({shown})',
        report.statements(),
        report.table(),
    ]
    if others := report.not_run():
        parts.append(others)
    if failures := report.failures():
        parts.append('Failed:\n\n- ' + '\n- '.join(failures))
    parts.append(
        f'`python tools/study.py {claim.name}{options}`; {about["device"]}, threads: '
        f'{about["threads"]}, {versions}, commit {", ".join(commits)}, {last.date}.'
    )
    return parts


def _panels(report: Report) -> list[Panel]:
    panels = []
    for test in report.tests():
        kind = report.claim.sets[test.partition('/')[0]].get('kind', 'motion')
        values = {
            arm: [100 * value for value in report.accuracies(arm, test).values()]
            for arm in report.arms
        }
        estimates = {arm: estimate(v) for arm, v in values.items() if v}
        intervals = {arm: (e.mean, e.half_width) for arm, e in estimates.items()}
        chance = 100 / len(KINDS[kind].classes)
        panels.append(Panel(test, values, intervals, chance))
    return panels


def _anchor(title: str) -> str:
    """The anchor that GitHub gives to a heading."""
    kept = (c for c in title.lower() if c.isalnum() or c in ' -_')
    return ''.join(kept).replace(' ', '-')
