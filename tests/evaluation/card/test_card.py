import json
import re
from pathlib import Path
from typing import Any

import pytest

from evaluation.card.card import TO_FILL_IN, describe, escaped, write_card

ANNEX_IV = [
    "1. General description", "2. Elements and development", "3. Monitoring, functioning and control",
    "4. Why these metrics", "5. Risk management", "6. Changes through the lifecycle", "7. Standards applied",
    "8. EU declaration of conformity", "9. Post-market monitoring",
]  # fmt: skip


@pytest.fixture
def run(run_folder: Path) -> dict[str, Any]:
    """The settings, results and history of a real run."""
    lines = (run_folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return {
        "config": json.loads((run_folder / "config.json").read_text(encoding="utf-8")),
        "results": json.loads((run_folder / "results.json").read_text(encoding="utf-8")),
        "history": [json.loads(line) for line in lines],
    }


def rows_of(card: str, heading: str) -> list[str]:
    """The rows of the first table that follows this text, without its head."""
    following = card[card.index(heading) :]
    table = re.search(r"^\|.*\n\|[-|]+\n((?:\|.*\n)+)", following, re.MULTILINE)
    assert table
    return table[1].splitlines()


def test_a_run_leaves_its_card(run_folder: Path, run: dict[str, Any]) -> None:
    assert (run_folder / "model_card.md").read_text(encoding="utf-8") == describe(**run)


def test_the_headings_are_in_the_order_of_annex_iv(run: dict[str, Any]) -> None:
    assert re.findall(r"^## (.*)$", describe(**run), re.MULTILINE) == ANNEX_IV


def test_it_cites_the_regulation_and_claims_nothing(run: dict[str, Any]) -> None:
    card = " ".join(describe(**run).split())
    assert "Annex IV of Regulation (EU) 2024/1689" in card
    assert "this card does not claim that the model or its use conforms to the regulation" in card


def test_what_the_program_cant_know_is_a_question_in_every_part_but_the_figures(run: dict[str, Any]) -> None:
    parts = re.split(r"^## ", describe(**run), flags=re.MULTILINE)[1:]
    assert [part.splitlines()[0] for part in parts if f"**{TO_FILL_IN}**" not in part] == []


def test_figures_are_those_of_the_results(run: dict[str, Any]) -> None:
    card, scores = describe(**run), run["results"]["test"]
    low, high = scores["accuracy_interval"]
    assert f"| test | 6 | {scores['accuracy']:.3f} ({low:.3f} to {high:.3f}) |" in card
    rows = rows_of(card, "For each class, on the test images:")
    assert [row.split(" | ")[0] for row in rows] == ["| blue", "| grün", "| red"]
    assert rows_of(card, "### Data") == [
        "| blue | 蓝色 | 6 | 2 | 2 |", "| grün | 绿色 | 6 | 2 | 2 |", "| red | 红色 | 6 | 2 | 2 |"
    ]  # fmt: skip
    assert run["results"]["files"]["checkpoints/best.pt"] in card
    assert f"torch {run['results']['versions']['torch']}" in card


def test_every_setting_is_listed(run: dict[str, Any]) -> None:
    rows = rows_of(describe(**run), "### Training")
    assert [row.split(" | ")[0].removeprefix("| ").replace("\\", "") for row in rows] == list(run["config"])


def test_a_run_without_test_images_says_that_validation_is_flattering(run: dict[str, Any]) -> None:
    results = {**run["results"], "test": None, "test_untouched": None, "test_looks": 0}
    card = describe(run["config"], results, run["history"])
    assert "There were no test images, so the figures below are those of the validation images" in card
    assert "For each class, on the validation images:" in card
    assert "\n| test |" not in card


def test_results_of_an_older_version_are_described(run: dict[str, Any]) -> None:
    results = {key: value for key, value in run["results"].items() if key not in ("finished", "versions", "files")}
    assert "**Software.** Not recorded." in describe(run["config"], results, run["history"])


def test_names_are_no_markup(run: dict[str, Any], tmp_path: Path) -> None:
    results, nasty = run["results"], "a|b\n# <b>*x*"
    results["classes"][0] = [nasty, nasty]
    for counts in results["images"].values():
        counts[nasty] = counts.pop("blue")
    write_card(tmp_path, run["config"], results, run["history"])
    assert r"| a\|b \# \<b\>\*x\* | a\|b \# \<b\>\*x\* | 6 | 2 | 2 |" in rows_of(
        (tmp_path / "model_card.md").read_text(encoding="utf-8"), "### Data"
    )


@pytest.mark.parametrize(("value", "shown"), [("a_b", r"a\_b"), (None, "not set"), ("", "not set"), (3, 3)])
def test_only_texts_are_escaped(value: object, shown: object) -> None:
    assert escaped(value) == shown
