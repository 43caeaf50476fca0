"""Teachers: whatever answers a batch with logits and states."""

from xlkd.teachers.base import Teacher
from xlkd.teachers.cache import TeacherCache
from xlkd.teachers.cache_build import build_cache, describe_cache
from xlkd.teachers.ensemble import TeacherEnsemble
from xlkd.teachers.label_map import LabelMap
from xlkd.teachers.live import LiveTeacher

__all__ = ["LabelMap", "LiveTeacher", "Teacher", "TeacherCache", "TeacherEnsemble", "build_cache", "describe_cache"]
