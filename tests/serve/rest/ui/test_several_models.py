"""The page of a server with a key and several models."""

from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.select import Select

from tests.commands import RunningServer
from tests.serve.rest.ui.browser import KEY, answered, cards, choose, log_of, wait

pytestmark = pytest.mark.slow


def test_several_models_are_offered_once_the_key_is_given(
    chromium: Chrome, several: RunningServer, files: list[Path]
) -> None:
    log_of(chromium, "performance")
    chromium.get(f"{several.url}/")
    wait(chromium, lambda _: (f"{several.url}/models", 401) in answered(chromium))
    assert not chromium.find_element(By.ID, "which").is_displayed()
    choose(chromium, files[0])
    wait(chromium, expected_conditions.alert_is_present())
    chromium.switch_to.alert.send_keys(KEY)
    chromium.switch_to.alert.accept()
    assert "红色" in cards(chromium)["red.jpg"].text
    assert chromium.find_element(By.ID, "model").text == "Model leaf, version one"
    offered = Select(chromium.find_element(By.CSS_SELECTOR, "#which select"))
    assert [option.text for option in offered.options] == [
        "leaf, stable: version one",
        "leaf, canary: version two",
        "weld",
    ]


def test_the_chosen_model_is_asked(
    chromium: Chrome, several: RunningServer, files: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    chromium.get(f"{several.url}/")
    chromium.execute_script("sessionStorage.setItem('key', arguments[0])", KEY)
    chromium.refresh()
    which = chromium.find_element(By.CSS_SELECTOR, "#which select")
    wait(chromium, lambda _: which.is_displayed())
    assert which.accessible_name == "Model"
    Select(which).select_by_visible_text("leaf, canary: version two")
    log_of(chromium, "performance")
    choose(chromium, files[2])
    answer = cards(chromium)["blue.jpg"]
    assert "红色" in answer.find_element(By.CSS_SELECTOR, ".classes li").text
    assert chromium.find_element(By.ID, "model").text == "Model leaf, version two"
    Select(which).select_by_visible_text("weld")
    answer.find_element(By.CLASS_NAME, "download").click()
    folder = next(tmp_path_factory.getbasetemp().glob("downloads*"))
    wait(chromium, lambda _: (folder / "blue_result.jpg").exists())
    asked = {url.removeprefix(f"{several.url}/"): status for url, status in answered(chromium)}
    assert asked["predict?activation_map=true&model=leaf&version=canary"] == 200
    assert asked["annotate?model=leaf&version=two"] == 200


def test_a_key_that_can_be_none_is_refused_before_it_is_sent(
    chromium: Chrome, several: RunningServer, files: list[Path]
) -> None:
    chromium.get(f"{several.url}/")
    chromium.execute_script("sessionStorage.clear()")
    choose(chromium, files[0])
    wait(chromium, expected_conditions.alert_is_present())
    chromium.switch_to.alert.send_keys("ключ")
    chromium.switch_to.alert.accept()
    problem = cards(chromium)["red.jpg"].find_element(By.CSS_SELECTOR, "[role=alert]").text
    assert problem == "A key has only Latin letters, digits and signs. Choose the picture again."
