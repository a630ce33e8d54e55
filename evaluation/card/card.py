"""A finished run's settings and results in, its model card out: Markdown, in the order of the AI Act's Annex IV.

Source of the order: Regulation (EU) 2024/1689, Annex IV. What only a person can know is left as a marked question.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from contract import Adjustment
from contract.atomic import write_text_atomically
from evaluation.check.shortcuts import Shortcut

CARD_FILE = "model_card.md"
TEMPLATE = "model_card.md.j2"
TO_FILL_IN = "To be filled in:"
SPLITS = {"train": "training", "val": "validation", "test": "test"}


def write_card(
    folder: Path, config: Mapping[str, Any], results: Mapping[str, Any], history: Sequence[Mapping[str, float]]
) -> None:
    """Write model_card.md into the run's folder. Raises `OSError`."""
    write_text_atomically(folder / CARD_FILE, describe(config, results, history))


def describe(config: Mapping[str, Any], results: Mapping[str, Any], history: Sequence[Mapping[str, float]]) -> str:
    """The card as Markdown. `config`, `results` and `history` are those of the run's files."""
    measured = {name: results[name] for name in ("test", "test_untouched", "validation") if results.get(name)}
    split = "test" if results["test"] else "validation"
    text = _environment().get_template(TEMPLATE)
    return text.render(
        config=config,
        results=results,
        split=split,
        scores=results[split],
        measured=measured,
        best=next((row for row in history if row["epoch"] == results["epoch"]), None),
        epochs=results.get("epochs") or len(history),
        folds=config.get("folds") or 0,
        held_out="the answers of the folds" if config.get("folds") else "the validation images",
        adjustment=Adjustment.from_dict(results.get("adjustment")),
        counts=_counts(results),
        shortcuts=[Shortcut(**row).sentence for row in results["shortcuts"]],
        todo=TO_FILL_IN,
    )


def escaped(value: object) -> object:
    """A text as Markdown shows it: nothing in it is markup or ends the line; what is no text is left as it is."""
    if value is None or value == "":
        return "not set"
    if not isinstance(value, str):
        return value
    return re.sub(r"([\\`*_{}\[\]<>#|~&])", r"\\\1", " ".join(value.split()))


def _environment() -> Environment:
    environment = Environment(
        # Markdown is no HTML: `escaped` takes the place of HTML's escapes.
        autoescape=False,
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        finalize=escaped,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update({"figure": _figure, "percent": lambda share: f"{100 * share:.1f} %"})
    return environment


def _counts(results: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The splits by the names that people use, and the images of each class in each."""
    images = results["images"]
    rows = [[label, display, *(counts[label] for counts in images.values())] for label, display in results["classes"]]
    return {"splits": [SPLITS[split] for split in images], "rows": rows}


def _figure(row: Mapping[str, Any], name: str) -> str:
    """A figure with its 95 % interval in brackets."""
    low, high = row[f"{name}_interval"]
    return f"{row[name]:.3f} ({low:.3f} to {high:.3f})"
