"""Human- and machine-readable reports of what was listed and what was not."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping

from repflow_mm.preparation.plan import Plan

_SHOWN = 200  # problems per kind in report.md; report.jsonl has all


def report_md(dataset: str, plan: Plan) -> list[str]:
    """The human-readable report.

    Args:
        dataset (str): Name of the dataset.
        plan (Plan): The plan as written.

    Returns:
        list[str]: Lines of Markdown.
    """
    text = [f'# {dataset}', '', '| list | videos | classes |', '|---|---|---|']
    for name, samples in plan.lists.items():
        classes = len({sample.label for sample in samples})
        text.append(f'| {name} | {len(samples)} | {classes} |')
    by_kind = defaultdict(list)
    for problem in sorted(plan.problems):
        by_kind[problem.kind].append(problem)
    if not by_kind:
        text += ['', 'Nothing was left out.']
    for kind, problems in by_kind.items():
        text += ['', f'## {kind}: {len(problems)}', '']
        text += [f'- `{p.what}`: {p.why}' for p in problems[:_SHOWN]]
        if len(problems) > _SHOWN:
            text.append(f'- and {len(problems) - _SHOWN} more, in report.jsonl')
    return text


def report_jsonl(plan: Plan) -> list[str]:
    """The machine-readable report.

    Args:
        plan (Plan): The plan as written.

    Returns:
        list[str]: JSON objects with `state` (`'listed'` or the kind of the problem)
        and `path`; listed videos have `label` and `lists`, the others `why`.
    """
    on = defaultdict(list)
    for name, samples in plan.lists.items():
        for sample in samples:
            on[sample.file].append(name)
    rows = [
        dict(state='listed', path=s.file, label=s.label, lists=on[s.file])
        for s in plan.samples()
    ]
    rows += [dict(state=p.kind, path=p.what, why=p.why) for p in sorted(plan.problems)]
    return [json.dumps(row) for row in rows]


def summary(plan: Plan) -> Mapping[str, int]:
    """Count the problems of each kind.

    Args:
        plan (Plan): The plan as written.

    Returns:
        Mapping[str, int]: Count by kind, in alphabetical order.
    """
    counts = Counter(problem.kind for problem in plan.problems)
    return dict(sorted(counts.items()))
