"""What a person does on the page, and what can be seen there then."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

KEY = "an-api-key-of-some-length"


def choose(page: Chrome, *paths: Path) -> None:
    """Pick files, as in the browser's own dialogue."""
    page.find_element(By.ID, "pick").send_keys("\n".join(str(path) for path in paths))


def wait(page: Chrome, condition: Callable[[Chrome], object]) -> None:
    """Wait until the page is as `condition` says."""
    WebDriverWait(page, 30).until(condition)


def log_of(page: Any, kind: str) -> list[dict[str, Any]]:
    """What has been logged since this was last asked."""
    entries: list[dict[str, Any]] = page.get_log(kind)
    return entries


def answered(page: Chrome) -> list[tuple[str, int]]:
    """Addresses and statuses of what the server has answered since this was last asked."""
    events = [json.loads(entry["message"])["message"] for entry in log_of(page, "performance")]
    answers = [event["params"]["response"] for event in events if event["method"] == "Network.responseReceived"]
    return [(answer["url"], answer["status"]) for answer in answers]


def cards(page: Chrome) -> dict[str, WebElement]:
    """The answers by file name, once all of them are there."""
    wait(page, lambda _: page.find_elements(By.CSS_SELECTOR, ".answer"))
    wait(page, lambda _: not page.find_elements(By.CSS_SELECTOR, "[aria-busy=true]"))
    return {card.find_element(By.TAG_NAME, "h2").text: card for card in page.find_elements(By.CLASS_NAME, "answer")}
