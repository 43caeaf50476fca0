"""What a run can be told: one dataclass per concern, every field with its help."""

from xlkd.arguments.data import DataArguments, Role
from xlkd.arguments.mixture import MixtureArguments
from xlkd.arguments.run import RunArguments
from xlkd.arguments.scored import ScoredModelArguments
from xlkd.arguments.student import StudentArguments, VocabularyArguments
from xlkd.arguments.teacher import AUTO, FIXED, OFF, VALIDATION, CacheArguments, EnsembleArguments, TeacherArguments
from xlkd.arguments.training import DistillationArguments, FastMatmul, Precision, best_precision

__all__ = [
    "AUTO",
    "FIXED",
    "OFF",
    "VALIDATION",
    "CacheArguments",
    "DataArguments",
    "DistillationArguments",
    "EnsembleArguments",
    "FastMatmul",
    "MixtureArguments",
    "Precision",
    "Role",
    "RunArguments",
    "ScoredModelArguments",
    "StudentArguments",
    "TeacherArguments",
    "VocabularyArguments",
    "best_precision",
]
