"""The path of an evaluation: bundle, images, answers, figures, page."""

from rich.console import Console

from contract import UserError
from contract.text import printable
from dataset.errors import DataError
from dataset.labelled import read_labelled
from evaluation.answers import Answers
from evaluation.measure.bundle_answers import answer
from evaluation.measure.config import MeasureConfig
from evaluation.measure.origin import trained_on, validation_answers
from evaluation.measure.results import Measured, measure_answers, write_results
from evaluation.report import REPORT_FILE
from evaluation.thresholds import (
    OperatingPoint,
    RecallTarget,
    choose_threshold,
    measure_threshold,
    read_recall_target,
)
from evaluation.verdicts import Evidence, judge
from evaluation.words import describe_accuracy
from runtime import open_bundle

# No markup: class names may hold brackets.
console = Console(highlight=False, markup=False, soft_wrap=True)


def measure(config: MeasureConfig) -> Measured:
    """Measure the bundle and write its page. Raises `DataError`, `ManifestError` and other `UserError`s, `OSError`."""
    model = open_bundle(config.bundle, config.provider, config.precision)
    labels = [entry.label for entry in model.manifest.classes]
    target = read_recall_target(config.recall, labels) if config.recall else None
    images = read_labelled(
        config.data,
        labels,
        part=config.part,
        classes=config.chosen_classes,
        skip_unreadable=config.skip_unreadable,
        near_duplicates=config.near_duplicates,
    )
    if not images.examples:
        raise UserError(f"{config.data} has no images to measure; choose another part with PART=")
    measured = measure_answers(model.manifest, answer(model, images.examples))
    point, told_of_point, unreachable = _operating_point(config, measured, target)
    told = {
        "facts": [
            f"{model.manifest.name} {model.manifest.version}, on {model.session.mode}",
            f"{printable(str(config.data))}, {'all images' if images.part == 'all' else images.part}",
        ],
        "verdicts": judge(Evidence(split="measured" if images.part == "all" else images.part, scores=measured.scores)),
        "warnings": [*trained_on(config.bundle, images.examples), *images.notes],
    }
    config.folder.mkdir(parents=True, exist_ok=True)
    title = f"{model.manifest.name} on {printable(config.data.name)}"
    write_results(measured, images.examples, told, point, title, config.folder)
    _say(config, measured, [*told["warnings"], *told["verdicts"]], told_of_point)
    if unreachable:
        raise unreachable
    return measured


def _operating_point(
    config: MeasureConfig, measured: Measured, target: RecallTarget | None
) -> tuple[OperatingPoint | None, list[str], DataError | None]:
    """What is done about a class that must not be missed: the point, words on it, or why no threshold reaches it.

    The threshold is chosen on the validation images of the run where they are at hand, and measured on these.
    """
    if target is None:
        return None, [], None
    chosen_on: Answers = validation_answers(config.bundle, measured.manifest.adjustment) or measured.answers
    temperature = measured.manifest.temperature
    try:
        threshold = choose_threshold(chosen_on, target, temperature)
    except DataError as error:
        return None, [], error  # raised once all that was measured is written
    point = measure_threshold(measured.answers, target, threshold, temperature)
    low, high = point.recall_interval
    sentence = (
        f"To find {target.recall:.0%} of {target.label}, report it from a probability of {point.threshold:g} on: here "
        f"that finds {point.recall:.3f} ({low:.3f} to {high:.3f}), {point.precision:.3f} of the reports are right, and "
        f"{point.false_alarms} of the other images are false alarms."
    )
    where = "" if chosen_on is not measured.answers else " The threshold was chosen on these same images."
    return point, [sentence + where], None


def _say(config: MeasureConfig, measured: Measured, sentences: list[str], told_of_point: list[str]) -> None:
    for line in describe_accuracy(measured.scores):
        console.print(line)
    for sentence in sentences:
        console.print(f"note: {sentence}")
    if measured.unsure:
        console.print(
            f"Answers below {measured.unsure.threshold:.2f} are better shown to a person (UNSURE=): the other "
            f"{measured.unsure.coverage:.0%} are wrong in {measured.unsure.error:.1%}, all together in "
            f"{1 - measured.scores['accuracy']:.1%}."
        )
    for sentence in told_of_point:
        console.print(sentence)
    console.print(f"report  {config.folder / REPORT_FILE}")
