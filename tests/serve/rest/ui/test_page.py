"""The page at /, in a real Chromium: Debian's chromium and chromium-driver, or the tests are skipped."""

import json
import shutil
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, ChromeService, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from tests.commands import RunningServer
from tests.pictures import TINTS, draw, encode
from tests.serve.versions import add_version

pytestmark = pytest.mark.slow
PHONE = (390, 844)
KEY = "an-api-key-of-some-length"

HAND_OVER = """
const [target, type, bytes, name] = arguments;
const files = new DataTransfer();
files.items.add(new File([new Uint8Array(bytes)], name, { type: "image/jpeg" }));
const event = new Event(type, { bubbles: true, cancelable: true });
event.dataTransfer = files;
event.clipboardData = files;
target.dispatchEvent(event);
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("no chromium and chromedriver here")
    options = ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(tmp_path_factory.mktemp("downloads"))})
    running = Chrome(options, ChromeService(driver))
    yield running
    running.quit()


@pytest.fixture
def page(chromium: Chrome, server: RunningServer) -> Chrome:
    chromium.set_window_size(1200, 900)
    chromium.get(f"{server.url}/")
    return chromium


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two good pictures and one that is none."""
    for number, tint in enumerate(("red", "blue")):
        (tmp_path / f"{tint}.jpg").write_bytes(encode(draw((96, 64), TINTS[tint], seed=number)))
    (tmp_path / "notes.jpg").write_bytes(b"%PDF-1.7")
    return [tmp_path / name for name in ("red.jpg", "notes.jpg", "blue.jpg")]


def choose(page: Chrome, *paths: Path) -> None:
    page.find_element(By.ID, "pick").send_keys("\n".join(str(path) for path in paths))


def wait(page: Chrome, condition: Callable[[Chrome], object]) -> None:
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


@pytest.fixture(scope="module")
def several(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with a key, of two models, one of them with a canary that answers differently."""
    folder = tmp_path_factory.mktemp("several")
    models, key = folder / "models", folder / "key.txt"
    key.write_text(KEY)
    add_version(bundle, models, "leaf", "one")
    add_version(bundle, models, "leaf", "two", other_way_round=True)
    add_version(bundle, models, "weld", "nine")
    (models / "labels.json").write_text(json.dumps({"leaf": {"stable": "one", "canary": "two"}}))
    running = RunningServer(models, "--api-key-file", str(key), "--drain-ms", "0", option="--models")
    yield running
    running.stop()


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


DRAG = "dragEnter", "dragOver", "drop"


def drop(page: Chrome, path: Path) -> None:
    """As a person drops a file or a folder from the desktop on the page."""
    for kind in DRAG:
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        page.execute_cdp_cmd("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 200, "data": data})


def test_a_folder_stands_for_its_pictures(page: Chrome, files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    files[0].rename(tmp_path / "inside" / "red.jpg")
    (tmp_path / "inside" / ".DS_Store").write_bytes(b"x")
    drop(page, tmp_path)
    answers = cards(page)
    assert set(answers) == {"red.jpg", "blue.jpg", "notes.jpg"}
    assert "红色" in answers["red.jpg"].text


def test_an_empty_folder_is_said_to_be(page: Chrome, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    drop(page, tmp_path / "empty")
    wait(page, lambda _: page.find_element(By.ID, "status").text.startswith("There is no picture in it."))


def test_a_file_that_has_changed_since_is_named_as_the_cause(page: Chrome, files: list[Path]) -> None:
    choose(page, files[0])
    card = cards(page)["red.jpg"]
    files[0].unlink()
    card.find_element(By.CLASS_NAME, "download").click()
    wait(page, lambda _: card.find_elements(By.CLASS_NAME, "error"))
    assert card.find_element(By.CLASS_NAME, "error").text == (
        "This file can't be read: it is a folder, or it was moved or changed. Choose it again."
    )


@pytest.fixture
def proxied(server: RunningServer) -> Iterator[tuple[str, list[int]]]:
    """The address of a proxy that answers pictures itself, with a page and the first of these statuses."""
    statuses: list[int] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = httpx.get(f"{server.url}{self.path}")
            self.answer(found.status_code, found.content, found.headers["content-type"])

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(statuses.pop(0), b"<html><h1>nginx</h1></html>", "text/html")

        def answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        thread = Thread(target=proxy.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{proxy.server_port}", statuses
        proxy.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (413, "The picture is too large for the proxy in front of the server (413)."),
        (502, "The proxy in front of the server gets no answer from it (502)."),
        (403, "A proxy in front of the server refused the picture (403)."),
    ],
)
def test_a_proxys_own_page_is_explained(
    chromium: Chrome, proxied: tuple[str, list[int]], files: list[Path], status: int, said: str
) -> None:
    address, statuses = proxied
    statuses.append(status)
    chromium.get(f"{address}/")
    choose(chromium, files[0])
    assert cards(chromium)["red.jpg"].find_element(By.CSS_SELECTOR, "[role=alert]").text == said


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
