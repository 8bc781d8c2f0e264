from __future__ import annotations

from dataclasses import replace

from tests.plan.nets import Small, pictures

from initium import plan
from initium.plan.view import plan_document, receipt_document


def test_a_plan_leads_with_what_changes() -> None:
    made = plan(Small(), pictures(), policy="he_normal")
    document = plan_document(made)
    assert document.title == "Plan for Small"
    assert document.verdict is not None
    assert "5 parameters get new values, 2 stay as they are" in str(made)


def test_a_receipt_leads_with_what_was_written() -> None:
    model = Small()
    done = plan(model, pictures(), policy="he_normal").apply(model)
    assert receipt_document(done).title == "Receipt for Small"
    assert "5 parameters written" in str(done)


def test_a_plan_says_why_for_every_parameter() -> None:
    """Two reasons of one rule and method are two rows, and every parameter has the number of its own."""
    made = plan(Small(), pictures(), policy="auto")
    one, other = (
        replace(made.assignments[0], reason="as 1 of 3"),
        replace(made.assignments[0], name="b", reason="not so"),
    )
    third = replace(one, name="c", reason="as 2 of 3")
    by_rule, parameters = plan_document(replace(made, assignments=(one, other, third))).sections[1:3]
    assert [(row[0], row[3], row[4]) for row in by_rule.blocks[0].rows] == [
        (1, 2, "as 1 of 3"),
        (2, 1, "not so"),
    ]
    assert [str(row[-1]).split()[0] for row in parameters.blocks[0].rows] == ["1", "2", "1"]
