"""A made report as `zero_shot.json` holds it, with every field and every kind of `null`, of 2 to 105 languages."""

import random
from typing import Any

LABELS = ["smileys-emotion", "people-body", "animals-nature", "food-drink", "travel-places", "activities", "objects"]
LABELS += ["symbols"]
# Code, script, resource class, English name. Classes as a reader expects them; the shipped table is not needed here.
LANGUAGES = [
    tuple(line.strip().split(maxsplit=3))
    for line in """
    en Latn 5 English;sw Latn 2 Swahili;yo Latn 2 Yoruba;de Latn 5 German;zh Hans 5 Chinese;ar Arab 5 Arabic
    hi Deva 4 Hindi;am Ethi 2 Amharic;fr Latn 5 French;es Latn 5 Spanish;ja Jpan 5 Japanese;ru Cyrl 4 Russian
    af Latn 3 Afrikaans;ak Latn 1 Akan;as Beng 1 Assamese;az Latn 1 Azerbaijani;ba Cyrl 1 Bashkir;be Cyrl 3 Belarusian
    bg Cyrl 3 Bulgarian;bn Beng 3 Bangla;br Latn 1 Breton;bs Latn 3 Bosnian;ca Latn 4 Catalan;chr Cher 1 Cherokee
    cs Latn 4 Czech;cv Cyrl 1 Chuvash;cy Latn 1 Welsh;da Latn 3 Danish;dsb Latn 0 Lower Sorbian;el Grek 3 Greek
    et Latn 3 Estonian;eu Latn 4 Basque;fa Arab 4 Persian;fi Latn 4 Finnish;fil Latn 3 Filipino;fo Latn 1 Faroese
    ga Latn 2 Irish;gd Latn 1 Scottish Gaelic;gl Latn 3 Galician;gu Gujr 1 Gujarati;ha Latn 2 Hausa;he Hebr 3 Hebrew
    hr Latn 4 Croatian;hsb Latn 1 Upper Sorbian;hu Latn 4 Hungarian;hy Armn 1 Armenian;id Latn 3 Indonesian
    ig Latn 1 Igbo;is Latn 2 Icelandic;it Latn 4 Italian;jv Latn 1 Javanese;ka Geor 3 Georgian;kk Cyrl 3 Kazakh
    kl Latn 1 Kalaallisut;km Khmr 1 Khmer;kn Knda 1 Kannada;ko Kore 4 Korean;kok Deva 1 Konkani;ky Cyrl 1 Kyrgyz
    lb Latn 1 Luxembourgish;lo Laoo 2 Lao;lt Latn 3 Lithuanian;lv Latn 3 Latvian;mi Latn 1 Maori;mk Cyrl 1 Macedonian
    ml Mlym 1 Malayalam;mn Cyrl 1 Mongolian;mr Deva 2 Marathi;ms Latn 3 Malay;mt Latn 2 Maltese;my Mymr 1 Burmese
    ne Deva 1 Nepali;nl Latn 4 Dutch;nn Latn 1 Norwegian Nynorsk;no Latn 1 Norwegian;nso Latn 1 Northern Sotho
    om Latn 1 Oromo;or Orya 1 Odia;pa Guru 2 Punjabi;pcm Latn 0 Nigerian Pidgin;pl Latn 4 Polish;ps Arab 1 Pashto
    pt Latn 4 Portuguese;qu Latn 1 Quechua;rm Latn 1 Romansh;ro Latn 3 Romanian;rw Latn 1 Kinyarwanda
    sc Latn 1 Sardinian;sd Arab 1 Sindhi;shn Mymr - Shan;si Sinh 0 Sinhala;sk Latn 3 Slovak;sl Latn 3 Slovenian
    so Latn 1 Somali;sq Latn 1 Albanian;sr Cyrl 4 Serbian;sv Latn 4 Swedish;ta Taml 3 Tamil;te Telu 1 Telugu
    th Thai 3 Thai;tr Latn 4 Turkish;uk Cyrl 3 Ukrainian;uz Latn 3 Uzbek;xh Latn 2 Xhosa;zu Latn 2 Zulu
    """.replace("\n", ";").split(";")
    if line.strip()
]


def made_report(languages: int = 12, *, teacher: bool = True, classes: bool = False, oracle: bool = False) -> Any:
    """What `ZeroShotReport.to_dict` gives: English is the source, and the last language has what is not known."""
    choice = random.Random(languages)
    entries = {}
    for code, script, resource_class, name in LANGUAGES[:languages]:
        known = None if resource_class == "-" else int(resource_class)
        entries[code] = _language(choice, name, script, known, teacher, classes)
    assert len(entries) == languages
    for scores in entries.values():
        scores["transfer_gap"] = entries["en"]["student"] - scores["student"]
    entries[list(entries)[-1]] |= {"script": None, "resource_class": None, "name": list(entries)[-1]}
    if classes:
        unknown = {name: [None] * 3 for name in ("precision", "recall", "f1")}
        entries[list(entries)[-1]]["classes"]["symbols"] = {"n": 0, "student": unknown, "teacher": unknown}
    targets = [code for code in entries if code != "en"]
    report = {
        "schema": 1,
        "task": "sequence-classification",
        "metric": "accuracy",
        "setting": "parallel",
        "selection": "best en_accuracy on validation",
        "source_language": "en",
        "teacher": "xlkd:e5-small" if teacher else None,
        "student": "runs/quickstart",
        "seed": 0,
        "labels": LABELS,
        "languages": entries,
        "means": {
            "source": _mean(entries, ["en"]),
            "target": _mean(entries, targets),
            "retention": _mean(entries, targets)["retention"],
            "resource_classes": _means_by(entries, targets, "resource_class"),
            "scripts": _means_by(entries, targets, "script"),
        },
        "groups": {"high-resource": _mean(entries, targets[:3]), "low-resource": _mean(entries, targets[-1:])},
        "size": {"student": {"parameters": 21_346_568, "embedding_parameters": 11_520_000}},
        "speed": {
            "batch_size": 64,
            "precision": "float32",
            "student": {"texts_per_second": 812.4, "latency_ms": 2.31},
        },
        "test": "exact McNemar" if teacher else None,
        "oracle": None,
        "selected_on": [],
        "unscored": [],
        "weights": None,
    }
    if teacher:
        report["size"]["teacher"] = {"parameters": 117_656_456, "embedding_parameters": 96_014_208}
        report["speed"]["teacher"] = {"texts_per_second": 155.2, "latency_ms": 13.8}
    if oracle:
        best = {code: min(1.0, entries[code]["student"] + 0.012) for code in targets}
        words = "best mean accuracy on validation data of the targets"
        mean = sum(best.values()) / len(best)
        report["oracle"] = {"selection": words, "languages": best, "target": mean}
    return report


def made_log(steps: int = 1200, every: int = 20) -> list[dict[str, Any]]:
    """What `trainer.state.log_history` holds after a training with three losses and two evaluation languages."""
    choice = random.Random(7)
    log: list[dict[str, Any]] = []
    for step in range(every, steps + 1, every):
        left = 1 / (1 + 6 * step / steps)
        terms = {"soft-label": 2.1 * left, "hidden-state": 0.31 * left + 0.05, "hard-label": 1.9 * left + 0.2}
        terms = {name: value * choice.uniform(0.93, 1.07) for name, value in terms.items()}
        entry = {f"loss_{name}": value for name, value in terms.items()}
        entry |= {"loss": sum(terms.values()), "grad_norm": 1.0, "learning_rate": 5e-4 * left, "weight_hard-label": 0.5}
        log.append({**entry, "share_en": 0.5, "epoch": step / 100, "step": step})
        if step % 200 == 0:
            for code, best in (("en", 0.82), ("sw", 0.63)):
                score = best - 0.4 * left
                scores = {f"eval_{code}_accuracy": score, f"eval_{code}_macro-f1": score - 0.03}
                scores |= {f"eval_{code}_loss": 1 + left, f"eval_{code}_runtime": 0.4}
                log.append({**scores, "epoch": step / 100, "step": step})
            log.append({"eval_mean_accuracy": 0.72 - 0.4 * left, "epoch": step / 100, "step": step})
    log.append({"train_runtime": 100.0, "train_loss": 1.2, "epoch": steps / 100, "step": steps})
    return log


def _language(
    choice: random.Random, name: str, script: str, resource_class: int | None, teacher: bool, classes: bool
) -> dict[str, Any]:
    level = 0.42 + 0.07 * (resource_class or 0)
    student, best = level + choice.uniform(-0.11, 0.08), level + choice.uniform(-0.03, 0.1)
    first = _scores(student, best if teacher else None)
    difference = student - best if teacher else None
    return {
        "n": choice.randint(240, 400),
        "name": name,
        "resource_class": resource_class,
        "chance": 0.2,
        "script": script,
        **first,
        "difference": difference,
        "difference_low": None if difference is None else difference - 0.03,
        "difference_high": None if difference is None else difference + 0.03,
        "p_value": choice.choice([1e-9, 0.004, 0.03, 0.41]) if teacher else None,
        "retention": student / best if teacher else None,
        "transfer_gap": None,
        "metrics": {
            "accuracy": first,
            "macro-f1": _scores(student - 0.03, best - 0.02 if teacher else None),
        },
        "unread_words": None,
        "classes": {label: _class(choice, student, best if teacher else None) for label in LABELS} if classes else None,
    }


def _scores(student: float, teacher: float | None) -> dict[str, float | None]:
    scores = {"student": student, "student_low": student - 0.045, "student_high": student + 0.042}
    around = (None, None, None) if teacher is None else (teacher, teacher - 0.04, teacher + 0.038)
    return scores | dict(zip(("teacher", "teacher_low", "teacher_high"), around, strict=True))


def _class(choice: random.Random, student: float, teacher: float | None) -> dict[str, Any]:
    def of(level: float) -> dict[str, Any]:
        made = {name: level + choice.uniform(-0.2, 0.2) for name in ("precision", "recall", "f1")}
        made = {name: min(max(score, 0.0), 1.0) for name, score in made.items()}
        return {name: [score, max(score - 0.1, 0.0), min(score + 0.1, 1.0)] for name, score in made.items()}

    return {"n": choice.randint(20, 60), "student": of(student), "teacher": None if teacher is None else of(teacher)}


def _mean(entries: dict[str, Any], codes: list[str]) -> dict[str, Any]:
    def mean(name: str) -> float | None:
        values = [entries[code][name] for code in codes]
        return None if None in values else sum(values) / len(values)

    student = mean("student")
    assert student is not None
    found = {name: mean(name) for name in ("teacher", "retention", "transfer_gap")}
    interval = {"student": student, "student_low": student - 0.008, "student_high": student + 0.008}
    return {"n_languages": len(codes), **interval, **found}


def _means_by(entries: dict[str, Any], targets: list[str], field: str) -> dict[str, Any]:
    by: dict[str, list[str]] = {}
    for code in targets:
        if entries[code][field] is not None:
            by.setdefault(str(entries[code][field]), []).append(code)
    return {value: _mean(entries, by[value]) for value in sorted(by)}
