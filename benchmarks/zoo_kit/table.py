"""The zoo's results as text: a line a model, then counts, ratios and what went wrong."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import Any

Row = dict[str, Any]


def table(rows: list[Row], steps: tuple[str, ...]) -> tuple[str, int]:
    """The table, and how many steps failed or were lost."""
    lines = [_head(steps), *(_line(row, steps) for row in rows), ""]
    failed = 0
    for step in steps:
        ran = sum(row["steps"].get(step, {}).get("ok", False) for row in rows)
        tried = sum("skipped" not in row for row in rows)
        failed += tried - ran
        lines.append(f"{step:9} ran on {ran} of {tried}")
    return "\n".join([*lines, *_coverage(rows), *_times(rows), *_verdicts(rows), *_wrong(rows)]), failed


def _head(steps: tuple[str, ...]) -> str:
    names = " ".join(f"{step[:6]:>6}" for step in steps)
    return f"{'model':46} {names} {'used':>6} {'shipped':>9} {'':>6} {'auto':>9} {'':>6} diagnose init_"


def _line(row: Row, steps: tuple[str, ...]) -> str:
    if "lost" in row or "skipped" in row:
        return f"{row['name']:46} {row.get('lost', row.get('skipped'))}"
    marks = " ".join(f"{'ok' if row['steps'].get(s, {}).get('ok') else 'FAILED':>6}" for s in steps)
    share = row["steps"].get("plan", row["steps"].get("record", {})).get("share")
    return " ".join(
        [
            f"{row['name']:46} {marks} {'' if share is None else f'{share:.1%}':>6}",
            _health(_get(row, "diagnose", "shipped")),
            _health(_get(row, "init_", "auto")),
            _ratio(_diagnose_ratio(row)),
            _ratio(_init_ratio(row)),
        ]
    )


def _get(row: Row, step: str, key: str) -> Any:
    return row["steps"].get(step, {}).get(key)


def _health(seen: Any) -> str:
    return f"{'':>16}" if seen is None else f"{seen['verdict']:>9} {seen['badness']:6.2f}"


def _ratio(value: float | None) -> str:
    return f"{'' if value is None else f'{value:.2f}x':>7}"


def _diagnose_ratio(row: Row) -> float | None:
    seconds = _get(row, "diagnose", "seconds")
    return None if seconds is None else seconds / row["plain"]["forward_backward"]


def _init_ratio(row: Row) -> float | None:
    seconds = _get(row, "init_", "init_seconds")
    return None if seconds is None else seconds / row["plain"]["forward"]


def _coverage(rows: list[Row]) -> list[str]:
    lines = []
    for step in ("record", "plan"):
        shares = [(row["steps"][step]["share"], row) for row in rows if "share" in row["steps"].get(step, {})]
        if shares:
            whole = sum(share == 1.0 for share, _ in shares)
            lines.append(f"{step} accounts for every parameter used in {whole} of {len(shares)}")
            lines += [
                f"  {row['name']} misses {', '.join(row['steps'][step]['missed'][:4])}"
                for share, row in shares
                if share < 1.0
            ]
    return lines


def _times(rows: list[Row]) -> list[str]:
    lines = []
    for text, ratio, limit in (
        ("diagnose / plain forward and backward", _diagnose_ratio, 1.15),
        ("init_ / plain forward", _init_ratio, 8.0),
    ):
        found = [value for row in rows if (value := ratio(row)) is not None]
        if found:
            over = sum(value > limit for value in found)
            lines.append(
                f"{text}: median {median(found):.2f}, largest {max(found):.2f}, over {limit:g} in {over}"
            )
    return lines


def _verdicts(rows: list[Row]) -> list[str]:
    pairs = [
        (row["name"], before, after)
        for row in rows
        if (before := _get(row, "diagnose", "shipped")) and (after := _get(row, "init_", "auto"))
    ]
    if not pairs:
        shipped = Counter(s["verdict"] for row in rows if (s := _get(row, "diagnose", "shipped")))
        return [f"shipped: {dict(shipped)}"] if shipped else []
    lines = [f"shipped: {dict(Counter(b['verdict'] for _, b, _ in pairs))}"]
    lines.append(f"auto:    {dict(Counter(a['verdict'] for _, _, a in pairs))}")
    worse = [(n, b, a) for n, b, a in pairs if a["badness"] > b["badness"] + 1e-9]
    lines.append(f"left less healthy than found: {len(worse)} of {len(pairs)}")
    return lines + [
        f"  {n}: {b['verdict']} {b['findings'][:6]} -> {a['verdict']} {a['findings'][:6]}"
        for n, b, a in worse
    ]


def _wrong(rows: list[Row]) -> list[str]:
    lines = []
    for row in rows:
        if "lost" in row:
            lines.append(f"LOST {row['name']}: {row['lost']}")
        for step, seen in row["steps"].items():
            if not seen["ok"]:
                lines.append(f"FAILED {step} {row['name']}: {seen['error']}")
            elif seen.get("changed"):
                lines.append(f"CHANGED by {step} {row['name']}: {', '.join(seen['changed'][:4])}")
    return lines
