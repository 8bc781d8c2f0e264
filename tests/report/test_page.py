from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from initium.report.charts.charts import Series, line_chart
from initium.report.document import (
    Callout,
    Code,
    Document,
    Facts,
    Figure,
    Mark,
    Prose,
    Section,
    Table,
    Verdict,
)
from initium.report.page import _environment, _svg, fragment, page, write_html

VOID = {"meta", "br", "img", "link"}
LOADING = {"src", "href", "xlink:href", "srcset", "data", "action"}


class Outline(HTMLParser):
    """Tags, attributes and text of a page; fails on tags that do not match."""

    def __init__(self):
        super().__init__()
        self.stack, self.tags, self.attributes, self.words = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_endtag(self, tag):
        assert tag == self.stack.pop(), tag

    def handle_data(self, data):
        self.words.append(data)


def outline(html):
    parser = Outline()
    parser.feed(html)
    parser.close()
    assert not parser.stack
    return parser


def document(text="plain"):
    chart = line_chart([Series(text, [0, 1], [1, 2], labels=[text, text])], title=text)
    return Document(
        text,
        Verdict("error", text, text),
        [
            Section(text, [Prose(text), Code(text), Facts([(text, text), ("n", 1234)]), Figure(chart, text)]),
            Section(text, Callout("warning", text, [(text, text)], text), folded=True),
            Section(text, Table([text, "v"], [[text, 0.25], [Mark(text, "good"), None]])),
        ],
        footer=text,
    )


def test_a_page_is_one_file_that_loads_and_runs_nothing():
    html = page(document())
    seen = outline(html)
    assert html.startswith("<!doctype html>")
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(seen.tags)
    assert not LOADING & set(seen.attributes)
    assert "default-src 'none'" in html
    assert "url(" not in html
    assert "1,234" in seen.words
    assert "0.25" in seen.words


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "</title></style><svg onload=alert(1)>",
        "{{ 7 * 7 }}{% raw %}",
        "javascript:alert(1)",
        "\x1b[31m\u202e",
    ],
)
def test_hostile_names_stay_text(hostile):
    seen, plain = outline(page(document(hostile))), outline(page(document()))
    assert plain.tags == seen.tags
    assert plain.attributes == seen.attributes
    assert "49" not in seen.words


@given(st.text(min_size=1))
def test_no_text_changes_the_structure_of_a_page(text):
    with_text = document("x" + text)
    assert outline(page(document())).tags[:12] == outline(page(with_text)).tags[:12]


def test_light_and_dark_are_both_there_and_a_notebook_gets_a_fragment():
    html = fragment(document())
    assert html.startswith('<div class="initium">')
    assert "prefers-color-scheme: dark" in html
    assert "data-jp-theme-light" in html
    assert "<html" not in html
    assert all(line.startswith((".initium", "@media", "[data-jp", " ", "<", "}")) for line in _rules(html))


def _rules(html):
    style = html.split("<style>")[1].split("</style>")[0]
    return [line for line in style.strip().splitlines() if "{" in line and not line.startswith("  ")]


def test_a_name_that_a_template_lacks_is_an_error():
    with pytest.raises(UndefinedError):
        _environment().from_string("{{ missing }}").render()


def test_markup_from_elsewhere_is_not_put_into_a_page():
    with pytest.raises(AssertionError, match="charts of this package"):
        _svg("<svg/>")


def test_a_page_is_written_whole(tmp_path):
    path = write_html(tmp_path / "out.html", document())
    assert page(document()) == path.read_text(encoding="utf-8")
