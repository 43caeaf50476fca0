"""Cut a student from a teacher, without training it, and print what it is: size, speed, vocabulary.

python scripts/build_student.py scripts/configs/quickstart.yaml --output_dir runs/student
python scripts/build_student.py scripts/configs/quickstart.yaml --output_dir runs/other --student.layers 6
"""

from xlkd.single_steps import main_build
from xlkd.steps.process import command

if __name__ == "__main__":
    command(main_build)
