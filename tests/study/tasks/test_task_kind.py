from __future__ import annotations

import pytest

from initium.study.tasks import TASK_KINDS, TaskKind


@pytest.mark.parametrize("kind", TASK_KINDS, ids=lambda kind: kind.name)
def test_a_kind_is_called_as_its_goal_is(kind: TaskKind) -> None:
    assert kind.name == kind.goal.kind
    assert kind.embedded is not None
    train, test, classes = kind.embedded()
    assert len(train) > len(test) > len(classes)
