"""The examples of the README and the manual run, and print what they say they print."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md", "docs/start.md", "docs/theory.md", "docs/recipes.md", "docs/heads.md", "docs/transfer.md",
    "docs/methods/own.md", "docs/study.md", "docs/tune.md", "docs/engines.md",
)  # fmt: skip
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize("page", PAGES)
def test_examples_print_what_they_say(page):
    """Words exactly, numbers within 5 %: other processors sum in another order."""
    names: dict[str, object] = {}
    printed = ""
    with torch.random.fork_rng(devices=[]):
        for kind, body in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
            if kind == "python":
                out = io.StringIO()
                with contextlib.redirect_stdout(out):
                    exec(compile(body, page, "exec"), names)
                printed = out.getvalue()
            else:
                assert NUMBER.sub("#", printed) == NUMBER.sub("#", body)
                seen, said = (list(map(float, NUMBER.findall(text))) for text in (printed, body))
                assert seen == pytest.approx(said, rel=0.05)


@pytest.mark.parametrize("page", [*PAGES, "docs/index.md", "docs/command-line.md", "docs/layout.md"])
def test_links_lead_somewhere(page):
    path = ROOT / page
    missing = [
        link for link in LINK.findall(path.read_text(encoding="utf-8")) if not (path.parent / link).exists()
    ]
    assert not missing


def test_the_layout_names_every_package():
    text = (ROOT / "docs" / "layout.md").read_text(encoding="utf-8")
    packages = {path.parent.name for path in (ROOT / "src" / "initium").glob("*/__init__.py")} - {"testing"}
    assert not {name for name in packages if f"{name}/" not in text}
