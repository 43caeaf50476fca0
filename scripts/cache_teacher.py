"""Make only the cache of a run: ask its teacher once about each training text, and print the folder of the answers.

    accelerate launch scripts/cache_teacher.py scripts/configs/quickstart.yaml
    accelerate launch scripts/cache_teacher.py scripts/configs/quickstart.yaml --teacher_cache caches/quickstart

`scripts/distill.py` with the same file finds it there. The folder may be copied to another machine and named there,
`--teacher_cache FOLDER`. A build that was interrupted resumes where it stopped. Several teachers
have a folder each, FOLDER/0, FOLDER/1.
"""

from xlkd.single_steps import main_cache
from xlkd.steps.process import command

if __name__ == "__main__":
    command(main_cache)
