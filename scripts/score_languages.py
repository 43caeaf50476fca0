"""Score any classifier language by language, beside its teacher, without a run; or sum up and compare saved runs.

    python scripts/score_languages.py --model ID_OR_FOLDER --teacher ID --source_language en \
        --target_languages '[sw, yo]' --output_dir scores/mine \
        --data '[{role: evaluation, path: "data/test.{language}.jsonl"}]'
    python scripts/score_languages.py scripts/configs/quickstart.yaml --model runs/mine --output_dir scores/mine
    python scripts/score_languages.py runs/seed-*
    python scripts/score_languages.py runs/seed-* --against runs/other-seed-* --output_dir scores/comparison

A YAML file is read as that of a run: data, languages, teacher, labels, metric, groups, `per_class`; settings of
the training are ignored. A model whose labels have other names: `--model '{model: ID, label_map: {LABEL_0: sports}}'`.
"""

from xlkd.arguments import ScoredModelArguments
from xlkd.scoring import main_score
from xlkd.steps.process import command

if __name__ == "__main__":
    command(main_score, own={"model": ScoredModelArguments})
