from __future__ import annotations

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
