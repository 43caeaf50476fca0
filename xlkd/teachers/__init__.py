"""Teachers: whatever answers a batch with logits and states."""

from xlkd.teachers.base import Teacher
from xlkd.teachers.label_map import LabelMap
from xlkd.teachers.live import LiveTeacher

__all__ = ["LabelMap", "LiveTeacher", "Teacher"]
