"""Distil a teacher into a student and score it language by language.

accelerate launch scripts/distill.py scripts/configs/quickstart.yaml
accelerate launch scripts/distill.py scripts/configs/quickstart.yaml --output_dir runs/two --learning_rate 2e-4
"""

from xlkd.run import main
from xlkd.steps.process import command

if __name__ == "__main__":
    command(main)
