"""Tasks: what a trial learns, on real pixels that come with the library or on the user's own."""

from initium.study.tasks.kinds import TASK_KINDS as TASK_KINDS
from initium.study.tasks.kinds import kind_names as kind_names
from initium.study.tasks.models.by_name import example_names as example_names
from initium.study.tasks.models.by_name import make_model as make_model
from initium.study.tasks.open_task import open_task as open_task
from initium.study.tasks.samples import Batch as Batch
from initium.study.tasks.samples import Boxes as Boxes
from initium.study.tasks.task import Goal as Goal
from initium.study.tasks.task import Probe as Probe
from initium.study.tasks.task import Scores as Scores
from initium.study.tasks.task import Task as Task
from initium.study.tasks.task_kind import Embedded as Embedded
from initium.study.tasks.task_kind import TaskKind as TaskKind
