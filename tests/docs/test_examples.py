"""The examples of the README and the manual run, and print what they say they print."""

from __future__ import annotations

import contextlib
import io
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
import torch

from initium.cli.main import VERBS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MANUAL = [path for path in sorted(DOCS.rglob("*.md")) if "_build" not in path.parts]
PAGES = ["README.md", *(str(path.relative_to(ROOT)) for path in MANUAL)]
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


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    path = ROOT / page
    missing = [
        link for link in LINK.findall(path.read_text(encoding="utf-8")) if not (path.parent / link).exists()
    ]
    assert not missing


def test_the_index_leads_to_every_page():
    tree = (DOCS / "index.md").read_text(encoding="utf-8").split("```")[1]
    patterns = [line for line in tree.splitlines()[1:] if line and not line.startswith(":")]
    pages = [str(path.relative_to(DOCS).with_suffix("")) for path in MANUAL if path.name != "index.md"]
    assert not [page for page in pages if not any(fnmatch(page, pattern) for pattern in patterns)]


def test_the_command_line_page_names_every_verb():
    text = (DOCS / "command-line.md").read_text(encoding="utf-8")
    assert not {verb for verb in VERBS if f"| `{verb}" not in text}


def test_the_layout_names_every_package():
    text = (DOCS / "layout.md").read_text(encoding="utf-8")
    packages = {path.parent.name for path in (ROOT / "src" / "initium").glob("*/__init__.py")}
    assert not {name for name in packages if f"{name}/" not in text}
