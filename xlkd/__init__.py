"""Distil a multilingual teacher into a small student for the languages you care about."""

from xlkd._version import __version__
from xlkd.arguments import CacheArguments, DistillationArguments, StudentArguments, VocabularyArguments
from xlkd.arguments.mixture import MixtureArguments
from xlkd.errors import UserError
from xlkd.evaluation.report import ZeroShotReport
from xlkd.evaluation.zero_shot import RunRecord, evaluate_zero_shot
from xlkd.hub.card import write_model_card
from xlkd.losses.building import build_loss
from xlkd.losses.weighted_sum import WeightedSum
from xlkd.students.build import Student, build_student
from xlkd.tasks import get_task
from xlkd.teachers import LiveTeacher, TeacherCache, TeacherEnsemble, build_cache, describe_cache
from xlkd.trainer import DistillationTrainer

__all__ = [
    "__version__",
    "CacheArguments",
    "DistillationArguments",
    "DistillationTrainer",
    "LiveTeacher",
    "MixtureArguments",
    "RunRecord",
    "Student",
    "StudentArguments",
    "TeacherCache",
    "TeacherEnsemble",
    "UserError",
    "VocabularyArguments",
    "WeightedSum",
    "ZeroShotReport",
    "build_cache",
    "build_loss",
    "build_student",
    "describe_cache",
    "evaluate_zero_shot",
    "get_task",
    "write_model_card",
]
