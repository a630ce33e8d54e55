"""The path of a prediction: files, model, and one answer or many."""

import sys
from pathlib import Path

from rich import get_console
from rich.progress import Progress

from contract import UsageError, UserError
from contract.text import counted
from evaluation.predict.answers import Answer, answer_images
from evaluation.predict.config import PredictConfig
from evaluation.predict.files import find_images, is_one_file
from evaluation.predict.journal import Journal
from evaluation.predict.one import classify
from evaluation.predict.sheet import SHEET_FILE, write_sheet
from evaluation.predict.sorting import sort_images
from evaluation.predict.tables import write_tables
from runtime import Model, open_bundle

OUT = Path("predictions")
SHOWN = 5


def predict(config: PredictConfig) -> None:
    """Classify the pictures. Raises `UserError` if any could not be read, after all others were answered."""
    paths = find_images(config.image)
    model = open_bundle(config.bundle, config.provider, config.precision)
    unsure_below = _threshold(config, model)
    if is_one_file(config.image) and len(paths) == 1 and not config.sort:
        classify(paths[0], model, top_k=config.top_k, unsure_below=unsure_below, out=config.out)
        return
    out = config.out or OUT
    if (out.exists() and not out.is_dir()) or out.suffix.lower() in {".jpg", ".jpeg", ".png"}:
        raise UsageError(f"out is {out}; for several images, expected a folder")
    out.mkdir(parents=True, exist_ok=True)
    answers = _answer(paths, model, config, unsure_below)
    write_tables(answers, out)
    title = f"{len(answers)} pictures, by {model.manifest.name} {model.manifest.version}"
    write_sheet(answers, title, model.manifest.image.depth, out)
    if config.sort:
        print(f"copied {sort_images(answers, config.sort)} pictures into folders in {config.sort}")
    _conclude(answers, out)


def _threshold(config: PredictConfig, model: Model) -> float:
    """What the user asked for, or what validation proposed; bundles of before have no proposal."""
    if config.unsure_below is not None:
        return config.unsure_below
    proposed = (model.manifest.metrics.get("validation") or {}).get("unsure_below")
    return float(proposed or 0)


def _answer(paths: list[Path], model: Model, config: PredictConfig, unsure_below: float) -> list[Answer]:
    """Answer what was not answered before; an interruption keeps what there is."""
    made_with = {"files": model.manifest.files, "top_k": config.top_k, "unsure_below": unsure_below}
    journal = Journal(config.out or OUT, made_with)
    known = {path: answer for path, answer in journal.known().items() if path in set(paths)}
    if known:
        print(f"{len(known)} of {len(paths)} pictures were answered before")
    todo = [path for path in paths if path not in known]
    with journal.writing(known) as writer, Progress(transient=True, disable=not get_console().is_terminal) as progress:
        task = progress.add_task("Classifying", total=len(paths), completed=len(known))
        for answer in answer_images(todo, model, top_k=config.top_k, unsure_below=unsure_below):
            writer.add(answer)
            known[answer.path] = answer
            progress.advance(task)
    return [known[path] for path in paths]


def _conclude(answers: list[Answer], out: Path) -> None:
    failed = [answer for answer in answers if answer.error]
    unsure = sum(answer.unsure for answer in answers)
    print(f"{len(answers) - len(failed)} of {len(answers)} pictures answered, {unsure} of them unsure")
    print(f"wrote {out / 'predictions.csv'}, {out / 'predictions.json'} and {out / SHEET_FILE}")
    if failed:
        listed = "\n".join(f"  {answer.path}: {answer.error}" for answer in failed[:SHOWN])
        more = f"\n  … and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
        sys.stdout.flush()
        raise UserError(f"{counted(len(failed), 'picture')} could not be answered:\n{listed}{more}")
