from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.plan.nets import Small, pictures, refused, three_parts

from initium import Receipt, plan
from initium.errors import UsageError


def receipt() -> Receipt:
    model = Small()
    return plan(model, pictures(), policy="he_normal").apply(model, seed=3)


def test_it_tells_what_every_parameter_holds() -> None:
    model = Small()
    done = plan(model, pictures(), policy="he_normal").apply(model, seed=3)
    assert [entry.name for entry in done.entries] == [name for name, _ in model.named_parameters()]
    for entry in done.entries:
        values = model.get_parameter(entry.name).detach().double()
        assert entry.mean == pytest.approx(values.mean().item(), abs=1e-6)
        assert entry.std == pytest.approx(values.std(correction=0).item(), abs=1e-6)


def test_written_leaves_out_what_was_kept() -> None:
    assert receipt().written == ("0.weight", "3.weight", "3.bias", "7.weight", "7.bias")


def test_round_trip() -> None:
    done = receipt()
    assert Receipt.from_json(done.to_json()) == done


def test_as_text_and_as_a_page(tmp_path: Path) -> None:
    done = receipt()
    assert "0.weight" in str(done)
    assert "0.weight" in done._repr_html_()
    done.to_html(tmp_path / "receipt.html")
    assert (tmp_path / "receipt.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_hostile_names_are_inert_on_a_page() -> None:
    text = receipt().to_json().replace("0.weight", "<script>alert(1)</script>")
    assert "<script>alert" not in Receipt.from_json(text)._repr_html_()


@pytest.mark.parametrize(
    "text", ["", "[]", "3", "{}", '{"format": "initium.receipt/1"}', '{"format": "x"}', "nul"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no receipt") as caught:
        Receipt.from_json(text)
    assert three_parts(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda x: st.lists(x, max_size=3)
)


@given(st.sampled_from(["model", "seed", "entries", "before", "verdict", "notes", "more"]), JSON)
def test_a_field_of_the_wrong_kind_is_refused(field: str, value: object) -> None:
    data = json.loads(TEXT)
    if data.get(field) == value:
        return
    data[field] = value
    text = json.dumps(data)
    if not refused(lambda: Receipt.from_json(text)):
        found = Receipt.from_json(text)
        str(found)
        found._repr_html_()
        assert Receipt.from_json(found.to_json()).to_json() == found.to_json()


TEXT = receipt().to_json()
