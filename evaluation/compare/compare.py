"""The path of a comparison: runs, the same images of each, the differences, figures and page."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console

from contract.atomic import write_text_atomically
from contract.text import as_json
from evaluation.compare.config import CompareRunsConfig
from evaluation.compare.matching import Matched, Seen, count_seen, match
from evaluation.compare.page import COMPARISON_PAGE, write_page
from evaluation.compare.paired import Difference, Paired, compare_pair
from evaluation.compare.run_answers import RunAnswers
from evaluation.words import p_value

COMPARISON_FILE = "compare.json"
SIGNIFICANT = 0.05

# No markup: names may hold brackets.
console = Console(highlight=False, markup=False, soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A run beside the first one: the figures, the recall of each class, and the sentence that says what is shown."""

    first: str
    second: str
    figures: Paired
    verdict: str
    classes: list[dict[str, Any]]


def compare(config: CompareRunsConfig) -> list[Comparison]:
    """Compare the runs and write what was found. Raises `ComparisonError`, `DataError`, `OSError`."""
    matched = match([config.folder / run for run in config.runs], config.part)
    seen = [count_seen(run) for run in matched.runs]
    comparisons = [_compare(matched, run, len(matched.runs) - 1) for run in matched.runs[1:]]
    notes = [*matched.notes, *_notes(seen, len(comparisons))]
    figures = {
        "part": matched.described,
        "images": len(matched.clusters),
        "notes": notes,
        "seen": [asdict(each) for each in seen],
        "comparisons": [asdict(comparison) for comparison in comparisons],
    }
    folder = config.results_folder
    folder.mkdir(parents=True, exist_ok=True)
    write_text_atomically(folder / COMPARISON_FILE, as_json(figures))
    _say(comparisons, seen, notes, matched.described)
    write_page(matched, matched.described, [vars(each) for each in comparisons], seen, notes, folder)
    console.print(f"page  {folder / COMPARISON_PAGE}")
    return comparisons


def _compare(matched: Matched, other: RunAnswers, count: int) -> Comparison:
    first = matched.runs[0]
    answers = [matched.answers(run) for run in (first, other)]
    paired = compare_pair(answers[0], answers[1], (first.temperature, other.temperature), matched.folds)
    targets = answers[0].targets
    one, two = (each.answered == targets for each in answers)
    classes = [
        {
            "label": label,
            "images": int((targets == index).sum()),
            "first": int((one & (targets == index)).sum()),
            "second": int((two & (targets == index)).sum()),
            "only_first": int((one & ~two & (targets == index)).sum()),
            "only_second": int((two & ~one & (targets == index)).sum()),
        }
        for index, label in enumerate(first.labels)
    ]
    return Comparison(
        first=first.name,
        second=other.name,
        figures=paired,
        verdict=judge(first.name, other.name, paired, count),
        classes=classes,
    )


def judge(first: str, second: str, paired: Paired, comparisons: int = 1) -> str:
    """What is shown about accuracy, in a sentence.

    "Better" is said where the test over objects has p < 0.05, shared among the comparisons (Bonferroni), and the
    interval leaves out 0.
    """
    difference = paired.accuracy
    if paired.p_value >= SIGNIFICANT / comparisons or not difference.shown:
        low, high = difference.interval
        return (
            f"{second} and {first} are not shown to differ in accuracy ({p_value(paired.p_value)}): on such images, "
            f"{second} may be anything from {_points(low)} to {_points(high)}."
        )
    better, worse = (second, first) if difference.difference > 0 else (first, second)
    return f"{better} is more accurate than {worse} ({p_value(paired.p_value)})."


def _points(difference: float) -> str:
    """`3.1 points worse`: a difference of two shares in percentage points."""
    return f"{abs(100 * difference):.1f} points {'worse' if difference < 0 else 'better'}"


def _notes(seen: Sequence[Seen], comparisons: int) -> list[str]:
    found = []
    for each in seen:
        if each.trained:
            found.append(
                f"{each.run} was trained on {each.trained} of these {each.images} images, by itself or through the "
                "weights it began from: its figures are too high, and the comparison favours it."
            )
        if each.objects:
            found.append(
                f"{each.run} was trained on other images of the objects of {each.objects} of these {each.images} "
                "images: its figures are too high."
            )
    if comparisons > 1:
        found.append(
            f"These are {comparisons} comparisons: a difference is called shown where p is below "
            f"{SIGNIFICANT / comparisons:.3f}, which is {SIGNIFICANT} shared among them."
        )
    return found


def _say(comparisons: Sequence[Comparison], seen: Sequence[Seen], notes: Sequence[str], part: str) -> None:
    for comparison in comparisons:
        first, second, figures = comparison.first, comparison.second, comparison.figures
        objects = f" of {figures.objects} objects" if figures.objects < figures.images else ""
        console.print(f"{second} against {first}, on the same {figures.images} {part} images{objects}")
        for shown, difference in (
            ("accuracy", figures.accuracy),
            ("macro-F1", figures.macro_f1),
            ("log loss", figures.loss),
        ):
            console.print(f"  {shown}  {_described(difference)}")
        console.print(
            f"  right: both {figures.both_right}, {first} alone {figures.only_first}, {second} alone "
            f"{figures.only_second}, neither {figures.both_wrong}"
        )
        console.print(f"  McNemar's exact test {p_value(figures.mcnemar)}; by objects {p_value(figures.p_value)}")
        console.print(f"  {comparison.verdict}")
    for each in seen:
        console.print(f"{each.run} was trained on {each.trained} of these images, and {each.chose} chose its epoch")
    for note in notes:
        console.print(f"note: {note}")


def _described(difference: Difference) -> str:
    low, high = difference.interval
    return (
        f"{difference.first:.3f} -> {difference.second:.3f}, difference {difference.difference:+.3f} "
        f"(95 % confidence interval {low:+.3f} to {high:+.3f})"
    )
