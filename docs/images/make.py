"""Draws the pictures of the manual and the README with the project's own charts: `python docs/images/make.py`.

Trains the two networks of `initium quickstart`, half a minute.
"""

from __future__ import annotations

import copy
from pathlib import Path

from initium.cli.demo import Run, data_order, first_batch, make_net, train
from initium.cli.demo_page import DEFAULT, OURS, depth_figures, loss_chart
from initium.diagnose import diagnose
from initium.plan import plan
from initium.report import standalone, write_atomically

HERE = Path(__file__).parent


def main() -> None:
    """The learning curves and what goes through depth."""
    net, order = make_net(), data_order(5000, 200, seed=0)
    images, loss = first_batch(order)
    before = diagnose(net, images, loss=loss)
    ours = copy.deepcopy(net)
    plan(net, images, loss=loss).apply(ours)
    images, loss = first_batch(order[1:])
    after = diagnose(ours, images, loss=loss)
    runs: tuple[Run, Run] = train(net, DEFAULT, order), train(ours, OURS, order)
    write_atomically(HERE / "learning.svg", standalone(loss_chart(runs)))
    for name, figure in zip(("signal", "difference", "gradient"), depth_figures(before, after), strict=True):
        write_atomically(HERE / f"{name}.svg", standalone(figure.svg))


if __name__ == "__main__":
    main()
