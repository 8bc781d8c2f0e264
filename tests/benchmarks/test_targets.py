from __future__ import annotations

import json

from benchmarks.targets import TARGETS, measure, read, table


def test_the_best_learning_rate_counts_by_the_mean_over_seeds():
    target = TARGETS[0]
    losses = {1e-3: (0.1, 0.9), 3e-3: (0.3, 0.4)}
    rows = [
        {"net": target.name, "policy": "auto", "rate": rate, "seed": seed, "loss": loss}
        for rate, found in losses.items()
        for seed, loss in enumerate(found)
    ]
    (line,) = [line for line in table(rows, "auto").splitlines() if line.startswith(target.name)]
    assert "0.350" in line
    assert line.endswith("met")
    rows[2]["loss"] = 0.9
    assert table(rows, "auto").endswith("MISSED")
    assert target.name not in table(rows, "he_normal")


def test_trials_in_the_file_are_not_run_again(tmp_path):
    target = TARGETS[0]
    path = tmp_path / "targets.jsonl"
    first = next(measure(target, "shipped", 1, set()))
    path.write_text(json.dumps(first) + "\n")
    second = next(measure(target, "shipped", 1, {row["key"] for row in read(path)}))
    assert (second["rate"], second["seed"]) != (first["rate"], first["seed"])
    assert first["loss"] > 1.0  # torch's default leaves a sigmoid net of 8 layers dead
