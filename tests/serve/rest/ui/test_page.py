"""The page at /, in a real Chromium: Debian's chromium and chromium-driver, or the tests are skipped."""

import json
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By

from tests.serve.rest.ui.browser import cards, choose, log_of, wait

pytestmark = pytest.mark.slow
PHONE = (390, 844)

HAND_OVER = """
const [target, type, bytes, name] = arguments;
const files = new DataTransfer();
files.items.add(new File([new Uint8Array(bytes)], name, { type: "image/jpeg" }));
const event = new Event(type, { bubbles: true, cancelable: true });
event.dataTransfer = files;
event.clipboardData = files;
target.dispatchEvent(event);
"""


def test_good_pictures_are_named_and_a_bad_one_fails_beside_them(page: Chrome, files: list[Path]) -> None:
    choose(page, *files)
    answers = cards(page)
    assert set(answers) == {"red.jpg", "notes.jpg", "blue.jpg"}
    first = answers["red.jpg"].find_elements(By.CSS_SELECTOR, ".classes li")
    assert len(first) == 3
    assert first[0].find_element(By.CLASS_NAME, "name").text == "红色 (red)"
    assert "decoding" in answers["red.jpg"].find_element(By.CLASS_NAME, "timing").text
    assert "蓝色" in answers["blue.jpg"].text
    (problem,) = answers["notes.jpg"].find_elements(By.CSS_SELECTOR, "[role=alert]")
    assert problem.text == "this is PDF; expected JPEG, PNG, WebP, HEIC, AVIF or BMP"
    assert page.find_element(By.ID, "status").text == "3 of 3 answered"
    assert "tiny" in page.find_element(By.ID, "model").text


def test_the_activation_map_lies_over_what_the_model_saw_and_fades(page: Chrome, files: list[Path]) -> None:
    choose(page, files[0])
    card = cards(page)["red.jpg"]
    picture, canvas = card.find_element(By.TAG_NAME, "img").rect, card.find_element(By.TAG_NAME, "canvas").rect
    assert canvas["height"] == pytest.approx(canvas["width"], abs=2)
    assert canvas["height"] <= picture["height"]
    assert canvas["x"] + canvas["width"] / 2 == pytest.approx(picture["x"] + picture["width"] / 2, abs=2)
    slider = card.find_element(By.CSS_SELECTOR, "input[type=range]")
    slider.send_keys(Keys.HOME)
    assert card.find_element(By.TAG_NAME, "canvas").value_of_css_property("opacity") == "0"
    slider.send_keys(Keys.END)
    assert card.find_element(By.TAG_NAME, "canvas").value_of_css_property("opacity") == "1"


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_can_be_dropped_or_pasted(page: Chrome, files: list[Path], way: str) -> None:
    page.execute_script(HAND_OVER, page.find_element(By.TAG_NAME, "main"), way, list(files[0].read_bytes()), "one.jpg")
    assert "红色" in cards(page)["one.jpg"].text


def test_the_annotated_picture_can_be_downloaded(
    page: Chrome, files: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    choose(page, files[0])
    folder = next(tmp_path_factory.getbasetemp().glob("downloads*"))
    cards(page)["red.jpg"].find_element(By.CLASS_NAME, "download").click()
    wait(page, lambda _: (folder / "red_result.jpg").exists())
    assert (folder / "red_result.jpg").read_bytes().startswith(b"\xff\xd8\xff")


def test_no_other_host_is_asked_and_nothing_is_blocked_or_broken(page: Chrome, files: list[Path]) -> None:
    log_of(page, "performance")
    page.refresh()
    choose(page, files[0], files[1])
    cards(page)
    events = [json.loads(entry["message"])["message"] for entry in log_of(page, "performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    origin = page.current_url
    assert f"{origin}predict?activation_map=true" in asked
    assert [url for url in asked if not url.startswith((origin, "blob:", "data:"))] == []
    problems = [entry["message"] for entry in log_of(page, "browser") if "415" not in entry["message"]]
    assert problems == []


def test_the_keyboard_reaches_everything(page: Chrome, files: list[Path]) -> None:
    choose(page, files[0])
    cards(page)
    page.execute_script("document.body.tabIndex = -1; document.body.focus()")
    reached = []
    for _ in range(6):
        ActionChains(page).send_keys(Keys.TAB).perform()
        focused = page.switch_to.active_element
        reached.append(focused.get_attribute("id") or focused.get_attribute("type") or focused.tag_name)
    assert reached == ["pick", "photograph", "range", "button", "a", "a"]


def test_everything_has_a_name_for_screen_readers(page: Chrome, files: list[Path]) -> None:
    choose(page, files[0])
    cards(page)
    for selector in ("input", "button", "progress", "img", "a"):
        for element in page.find_elements(By.CSS_SELECTOR, selector):
            assert element.accessible_name, selector


def test_it_fits_a_phone(page: Chrome, files: list[Path]) -> None:
    page.set_window_size(*PHONE)
    choose(page, files[0])
    cards(page)
    width, inner = page.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert width <= inner


def test_it_is_dark_where_the_system_is(page: Chrome) -> None:
    def paper(scheme: str) -> str:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        return page.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")

    assert paper("light") == "rgba(255, 255, 255, 1)"
    assert paper("dark") == "rgba(22, 24, 28, 1)"


def test_one_model_leaves_nothing_to_choose(page: Chrome, files: list[Path]) -> None:
    choose(page, files[0])
    cards(page)
    assert not page.find_element(By.ID, "which").is_displayed()
