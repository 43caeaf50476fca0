"""What a run will be, and whether it can: its task, its losses and its models, before weights are loaded."""

from xlkd.planning.losses import losses_of
from xlkd.planning.models import check_length, plan_models, teacher_of
from xlkd.planning.student import StudentPlan, plan_student
from xlkd.planning.task import labels_of_data, labels_to_build, task_of

__all__ = [
    "StudentPlan",
    "check_length",
    "labels_of_data",
    "labels_to_build",
    "losses_of",
    "plan_models",
    "plan_student",
    "task_of",
    "teacher_of",
]
