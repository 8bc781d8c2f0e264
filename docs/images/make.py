"""Draws the pictures of the manual and the README with the project's own charts: `python docs/images/make.py`.

With `--smoke` six steps, into a folder that is thrown away.

Trains the two networks of `initium quickstart`, half a minute.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from pathlib import Path

from initium.cli.demo import Run, data_order, first_batch, make_net, train
from initium.cli.demo_page import DEFAULT, OURS, depth_figures, loss_chart
from initium.diagnose import diagnose
from initium.plan import plan
from initium.report import standalone, write_atomically

HERE = Path(__file__).parent


NAMES = ("learning", "signal", "difference", "gradient")


def main() -> None:
    """Parse the options and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="tiny inputs, and a check of what comes out")
    if not parser.parse_args().smoke:
        draw(HERE, steps=200)
        return
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder), steps=6)
        for name in NAMES:
            text = (Path(folder) / f"{name}.svg").read_text(encoding="utf-8")
            assert text.startswith("<svg"), name
            assert "nan" not in text, name


def draw(folder: Path, steps: int) -> None:
    """The learning curves and what goes through depth."""
    net, order = make_net(), data_order(5000, steps, seed=0)
    images, loss = first_batch(order)
    before = diagnose(net, images, loss=loss)
    ours = copy.deepcopy(net)
    plan(net, images, loss=loss).apply(ours)
    images, loss = first_batch(order[1:])
    after = diagnose(ours, images, loss=loss)
    runs: tuple[Run, Run] = train(net, DEFAULT, order), train(ours, OURS, order)
    write_atomically(folder / f"{NAMES[0]}.svg", standalone(loss_chart(runs)))
    for name, figure in zip(NAMES[1:], depth_figures(before, after), strict=True):
        write_atomically(folder / f"{name}.svg", standalone(figure.svg))


if __name__ == "__main__":
    main()
