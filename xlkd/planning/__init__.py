"""What a run will be, and whether it can: its task, its losses and its models, before weights are loaded."""

from xlkd.planning.losses import losses_of
from xlkd.planning.models import check_length, check_models, teacher_of
from xlkd.planning.student import StudentPlan, check_student
from xlkd.planning.task import labels_of_data, labels_to_build, task_of

__all__ = [
    "StudentPlan",
    "check_length",
    "check_models",
    "check_student",
    "labels_of_data",
    "labels_to_build",
    "losses_of",
    "task_of",
    "teacher_of",
]
