"""Make only the teacher of a run, or several: fine-tune it on the labelled rows, and print the folder it is kept in.

    accelerate launch scripts/finetune_teacher.py scripts/configs/quickstart.yaml

`scripts/distill.py` with the same file and seed finds it there.
"""

from xlkd.single_steps import main_finetune
from xlkd.steps.process import command

if __name__ == "__main__":
    command(main_finetune)
