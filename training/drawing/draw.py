"""A finished run's folder in, its mistakes, report and model card out: what only draws can lose nothing computed."""

import sys
from collections.abc import Callable
from pathlib import Path

from contract import ClassLabel
from evaluation.card.card import CARD_FILE, write_card
from evaluation.report import REPORT_FILE, write_report
from training.drawing.suspects import draw_suspects
from training.drawing.worst import draw_mistakes
from training.run_files import read_config, read_history, read_results


def draw(folder: Path) -> None:
    """Draw everything from what is on the disk; what can't be drawn is a warning, and the figures are safe."""
    _try("mistakes", lambda: draw_mistakes(folder))
    _try("suspicious labels", lambda: draw_suspects(folder))
    _try(REPORT_FILE, lambda: _report(folder))
    _try(CARD_FILE, lambda: write_card(folder, read_config(folder), read_results(folder), read_history(folder)))


def _report(folder: Path) -> None:
    results = read_results(folder)
    classes = [ClassLabel(label=label, display_name=name) for label, name in results["classes"]]
    write_report(folder, read_config(folder), results, read_history(folder), classes)


def _try(what: str, draw_it: Callable[[], None]) -> None:
    try:
        draw_it()
    # Fonts, labels and disks can fail a picture in any way; the figures are safe, and the user is told.
    except Exception as error:
        print(
            f"warning: {what} can't be drawn ({type(error).__name__}: {error}); the figures are in results.json",
            file=sys.stderr,
        )
