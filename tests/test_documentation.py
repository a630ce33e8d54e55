"""README, docs and CONTRIBUTING against the code: what they name exists, and what must be described is described."""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

import contract.errors
from benchmarks.config import BenchConfig
from benchmarks.report.compare import CompareConfig
from benchmarks.session import SessionBenchmark
from contract.console import INTERRUPTED, TERMINATED
from contract.errors import UserError
from contract.request_error import IMAGE_STATUS
from evaluation.check.config import CheckConfig
from evaluation.compare.config import CompareRunsConfig
from evaluation.measure.config import MeasureConfig
from evaluation.predict.config import PredictConfig
from export.archive import ArchiveConfig
from export.config import ExportConfig
from handlers.launcher.config import Start
from serve.auth import Keys
from serve.config import ServeConfig
from serve.dataplane import DataPlane
from serve.health import Health
from serve.models.loader import Loader
from serve.models.registry import ModelRegistry
from serve.models.repository import open_repository
from serve.observability.metrics import ServerMetrics
from serve.rest.app import create_app
from serve.rest.errors import HTTP_CODES
from tests.commands import REPOSITORY
from tests.markdown import FENCE, SPAN, commands, fences, prose, read, rows, section, spans
from tests.test_makefile import make
from training.config import TrainConfig

PAGES = [REPOSITORY / name for name in ("README.md", "README.zh.md", "CONTRIBUTING.md")]
PAGES += sorted((REPOSITORY / "docs").glob("*.md"))
LONGEST = {"README.md": 150, "README.zh.md": 150}
LONGEST_PAGE = 220
SENTENCE_WORDS = 8

PROGRAMS: dict[str, type] = {
    "training": TrainConfig,
    "export": ExportConfig,
    "export.archive": ArchiveConfig,
    "serve": ServeConfig,
    "evaluation.predict": PredictConfig,
    "evaluation.check": CheckConfig,
    "evaluation.measure": MeasureConfig,
    "evaluation.compare": CompareRunsConfig,
    "handlers.launcher": Start,
    "benchmarks": BenchConfig,
    "benchmarks.report.compare": CompareConfig,
    "benchmarks.session": SessionBenchmark,
}
SAMPLE_OPTIONS = {"--folder", "--seed"}
EVERYWHERE = {"--help", "--debug"}

BROWSER_ROUTES = {"/", "/docs", "/openapi.json"}
TORCHSERVE_ROUTES = {
    *("/predictions/{model}", "/explanations/{model}", "/metrics", "/models", "/models/{model}/{version}"),
    *("/v1/models/{model}:predict", "/v1/models/{model}:explain", "/models/{model}/{version}/set-default"),
    *("/v2/models/{model}/infer", "/v2/models/{model}/explain"),
}
WORD_OF_MAKE = re.compile(r"[a-z][a-z-]*|[A-Z]+=(\"[^\"]*\"|'[^']*'|\S*)")
STAGES = ["contract", "dataset", "evaluation", "runtime", "training", "export", "handlers", "serve", "benchmarks"]

checked_pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@cache
def makefile() -> str:
    return read(REPOSITORY / "Makefile")


# make.


def make_words(text: str) -> Iterator[str]:
    """The words after each `make`: targets, and variables with their values."""
    for command in commands(text):
        for rest in re.findall(r"(?:^|[\s(])make (.*)", command):
            while word := WORD_OF_MAKE.match(rest):
                yield word[0]
                rest = rest[word.end() :].removeprefix(" ")


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", makefile(), flags=re.MULTILINE))


def variables() -> set[str]:
    return set(re.findall(r"^([A-Z]+) *\??=", makefile(), flags=re.MULTILINE))


def unknown_targets(text: str) -> set[str]:
    return {word for word in make_words(text) if "=" not in word} - targets()


def named_variables(text: str) -> set[str]:
    """Those given to make, and those that inline code sets."""
    alone = [word for span in spans(text) if re.match(r"[A-Z]+=", span) for word in span.split()]
    return {word.partition("=")[0] for word in [*make_words(text), *alone] if re.match(r"[A-Z]+=", word)}


def unknown_variables(text: str) -> set[str]:
    return named_variables(text) - variables()


@checked_pages
def test_targets_and_variables_of_make_exist(page: Path) -> None:
    assert unknown_targets(read(page)) == set()
    assert unknown_variables(read(page)) == set()


def test_an_unknown_target_or_variable_is_found() -> None:
    text = "Say `make tarin RUN=a` or `SIZ=3`.\n```bash\nmake train export COLOUR='a b'\n```\n"
    assert unknown_targets(text) == {"tarin"}
    assert unknown_variables(text) == {"SIZ", "COLOUR"}


def test_help_describes_every_target() -> None:
    assert set(re.findall(r"^  make ([a-z-]+) +\S", make("help").stdout, flags=re.MULTILINE)) == targets()


# Options.


def options_of(config: type) -> set[str]:
    names = {entry.name.replace("_", "-") for entry in fields(config)}
    switches = {entry.name.replace("_", "-") for entry in fields(config) if entry.type is bool}
    return {f"--{name}" for name in names} | {f"--no-{name}" for name in switches} | EVERYWHERE


def options() -> dict[str, set[str]]:
    """By program, as its command line is made from its dataclass."""
    return {name: options_of(config) for name, config in PROGRAMS.items()} | {"dataset.sample": SAMPLE_OPTIONS}


def unknown_options(text: str) -> set[str]:
    """Those of our programs, those in ARGS, and inline code that is an option; options of other programs are theirs."""
    known, all_known = options(), set().union(*options().values())
    unknown = set()
    for command in commands(text):
        for program, rest in re.findall(r"-m ([a-z.]+)(.*)", command):
            unknown |= _options_in(rest) - known.get(program, _options_in(rest))
        for _, given in re.findall(r"ARGS=([\"']?)(.*)\1", command):
            unknown |= _options_in(given) - all_known
        if command.startswith("--"):
            unknown |= _options_in(command) - all_known
    return unknown


def _options_in(command: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", command))


@checked_pages
def test_options_exist(page: Path) -> None:
    assert unknown_options(read(page)) == set()


def test_an_unknown_option_is_found() -> None:
    text = "`curl --data-binary` is curl's; `--seed` is ours, `--sede 1` is not.\n"
    text += '```bash\npython -m serve --epochs 3\nmake serve ARGS="--port 1 --prot 2"\npip install --quiet\n```\n'
    assert unknown_options(text) == {"--sede", "--epochs", "--prot"}


# Routes.


@cache
def server_routes() -> frozenset[str]:
    """The lean server's, with those for the administrator."""
    config = ServeConfig(bundle=REPOSITORY)
    models = ModelRegistry(open_repository(config), Loader(config), Health())
    return frozenset(create_app(DataPlane(models, config), Keys(admin="-" * 16)).openapi()["paths"]) | BROWSER_ROUTES


def named_routes(text: str) -> list[tuple[int, str]]:
    """Port and path of each route in an address of this machine, and in inline code."""
    addresses = re.findall(r"http://127\.0\.0\.1:(5000|8080|8081|8082)(/[^\s'\"`)?]*)", text)
    inline = [re.fullmatch(r"(?:(?:GET|POST|PUT|DELETE) )?(/[^\s?]*)(?:\?\S*)?", span) for span in spans(text)]
    return [(int(port), path) for port, path in addresses] + [(0, found[1]) for found in inline if found]


def unknown_routes(text: str) -> set[str]:
    """Inline code may mean either server; what a shell puts in place of `$` may be anything."""
    ours, theirs = server_routes(), TORCHSERVE_ROUTES
    known = {0: ours | theirs | container_folders(), 5000: ours}
    return {path for port, path in named_routes(text) if not _is_route(path.rstrip("."), known.get(port, theirs))}


def container_folders() -> set[str]:
    """What can be mounted in the image of the server."""
    (made,) = re.findall(r"^RUN mkdir (/bundle /.*?) &&", (REPOSITORY / "containers" / "Dockerfile").read_text(), re.M)
    return set(made.split())


def _is_route(path: str, routes: Iterable[str]) -> bool:
    known, _, variable = path.partition("$")
    if variable:
        return any(route.startswith(known) for route in routes)
    return any(re.fullmatch(re.sub(r"\\{\w+\\}", r"[^/:]+", re.escape(route)), path) for route in routes)


@checked_pages
def test_routes_exist(page: Path) -> None:
    assert unknown_routes(read(page)) == set()


def test_every_route_of_the_server_is_described() -> None:
    named = {path for page in PAGES for _, path in named_routes(read(page))}
    of_versions = {route for route in server_routes() if "/versions/" in route}  # described by their rule
    assert server_routes() - named - of_versions == set()


def test_an_unknown_route_is_found() -> None:
    text = (
        "`POST /predict`, `/v2/modles/corn`, http://127.0.0.1:5000/explanations/corn and http://127.0.0.1:8081/models."
    )
    assert unknown_routes(text) == {"/v2/modles/corn", "/explanations/corn"}


# Metrics.


def metrics() -> set[str]:
    families = ServerMetrics().registry.collect()
    return {family.name + ("_total" if family.type == "counter" else "") for family in families}


def described_metrics(text: str) -> set[str]:
    cells = [row[0] for row in rows(section(text, "Metrics"))]
    return {name for cell in cells for name in re.findall(r"`([a-z_]+)[{`]", cell)}


def test_watching_describes_every_metric_and_no_other() -> None:
    assert described_metrics(read(REPOSITORY / "docs" / "watching.md")) == metrics()


def test_an_unknown_metric_is_found() -> None:
    text = "## Metrics\n\n| metric | kind |\n|---|---|\n| `request_total{route}` | counter |\n"
    assert described_metrics(text) - metrics() == {"request_total"}


# Errors and exit statuses.


def refusals(source: str) -> set[tuple[int, str]]:
    """Status and code of each refusal that a module writes out: two constants one after the other in a call."""
    calls = [node.args for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    pairs = [(one, two) for given in calls for one, two in pairwise(given)]
    values = [
        (one.value, two.value) for one, two in pairs if isinstance(one, ast.Constant) and isinstance(two, ast.Constant)
    ]
    return {
        (status, code)
        for status, code in values
        if isinstance(status, int)
        and isinstance(code, str)
        and 400 <= status < 600
        and re.fullmatch("[a-z0-9_]+", code)
    }


def refusals_of(stage: str) -> set[tuple[int, str]]:
    return set().union(*(refusals(read(path)) for path in (REPOSITORY / stage).rglob("*.py")))


IMAGES_IN_JSON = refusals(read(REPOSITORY / "contract" / "json_images.py"))
"""Both servers' own."""


def described_errors(text: str, heading: str) -> set[tuple[int, str]]:
    return {(int(row[0]), row[1].strip("`")) for row in rows(section(text, heading))}


TROUBLESHOOTING = REPOSITORY / "docs" / "troubleshooting.md"


def test_troubleshooting_has_every_error_of_the_server_and_no_other() -> None:
    expected = (
        refusals_of("serve")
        | IMAGES_IN_JSON
        | {(status, code) for code, status in IMAGE_STATUS.items()}
        | set(HTTP_CODES.items())
    )
    assert described_errors(read(TROUBLESHOOTING), "HTTP errors") == expected


def test_troubleshooting_has_every_error_of_the_handler_and_no_other() -> None:
    assert described_errors(read(TROUBLESHOOTING), "TorchServe errors") == refusals_of("handlers") | IMAGES_IN_JSON


def test_a_wrong_status_is_found() -> None:
    text = "## Errors\n\n| status | code |\n|---|---|\n| 409 | `overloaded` |\n"
    assert refusals('raise RequestError(429, "overloaded", message)') == {(429, "overloaded")}
    assert described_errors(text, "Errors") == {(409, "overloaded")}


def exit_statuses() -> set[int]:
    errors = [value for value in vars(contract.errors).values() if isinstance(value, type)]
    return {0, INTERRUPTED, TERMINATED} | {error.exit_code for error in errors if issubclass(error, UserError)}


def described_statuses(text: str) -> set[int]:
    return {int(row[0]) for row in rows(section(text, "Exit statuses"))}


def test_troubleshooting_has_every_exit_status_and_no_other() -> None:
    assert described_statuses(read(TROUBLESHOOTING)) == exit_statuses()


def test_a_missing_exit_status_is_found() -> None:
    text = "## Exit statuses\n\n| exit status | meaning |\n|---|---|\n| 0 | done |\n| 1 | failed |\n"
    assert exit_statuses() - described_statuses(text) == {2, 3, 130, 143}


# Quoted messages.


@cache
def strings_of_the_code() -> str:
    """Every constant text in the code, a line each."""
    paths = [path for stage in STAGES for path in (REPOSITORY / stage).rglob("*.py")]
    nodes = [node for path in paths for node in ast.walk(ast.parse(read(path)))]
    return "\n".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def quoted_messages(text: str) -> set[str]:
    """Parts of messages in tables that begin with "message contains" or "line contains"."""
    tables = re.findall(r"^\| (?:message|line) contains \|.*?(?=^[^|]|\Z)", text, re.MULTILINE | re.DOTALL)
    return {quoted for table in tables for row in rows(table) for quoted in SPAN.findall(row[0])}


def test_quoted_messages_are_those_of_the_code() -> None:
    quoted = quoted_messages(read(TROUBLESHOOTING))
    assert len(quoted) > 30
    assert {message for message in quoted if message not in strings_of_the_code()} == set()


def test_a_message_that_nothing_says_is_found() -> None:
    text = "| message contains | what to do |\n|---|---|\n| `can't listen on` | x |\n| `the cat sat`, `on` | y |\n\n"
    assert "the cat" + " sat" in quoted_messages(text)
    assert "the cat" + " sat" not in strings_of_the_code()


# Links, lengths, repetition.


def slugs(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    counted: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.add(f"{slug}-{counted[slug]}" if counted[slug] else slug)
        counted[slug] += 1
    return found


def broken_links(text: str, folder: Path) -> set[str]:
    links = re.findall(r"\]\(([^)\s]+)\)", prose(text))
    return {link for link in links if "://" not in link and not _leads(link, text, folder)}


def _leads(link: str, text: str, folder: Path) -> bool:
    path, _, anchor = link.partition("#")
    target = folder / path
    if not target.exists():
        return False
    return not anchor or anchor in slugs(read(target) if path else text)


@checked_pages
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(read(page), page.parent) == set()


def test_a_broken_link_is_found() -> None:
    text = (
        "# A `b`: c\n## Again\n## Again\n[1](#a-b-c) [2](#again-1) [3](#again-2) [4](README.md#nothing) [5](none.md)\n"
    )
    assert broken_links(text, REPOSITORY) == {"#again-2", "README.md#nothing", "none.md"}


def too_long(lines: int, name: str) -> bool:
    return lines > LONGEST.get(name, LONGEST_PAGE)


@checked_pages
def test_pages_are_short(page: Path) -> None:
    assert not too_long(len(read(page).splitlines()), page.name)


def test_a_long_page_is_found() -> None:
    assert too_long(151, "README.md")
    assert too_long(221, "serving.md")
    assert not too_long(150, "README.md")


def sentences(text: str) -> list[str]:
    """Sentences of eight words or more, outside fences, tables and headings."""
    lines = [line for line in prose(text).splitlines() if not line.startswith(("|", "#"))]
    blocks = re.split(r"\n\s*\n|\n\s*(?:[-*]|\d+\.) ", "\n" + "\n".join(lines))
    plain = [" ".join(re.sub(r"\]\([^)]*\)|[`*\[\]!]", "", block).split()) for block in blocks]
    found = [sentence.rstrip(".!?:").lower() for block in plain for sentence in re.split(r"(?<=[.!?:]) ", block)]
    return [sentence for sentence in found if len(sentence.split()) >= SENTENCE_WORDS]


def repeated(texts: Iterable[str]) -> set[str]:
    counted = Counter(sentence for text in texts for sentence in sentences(text))
    return {sentence for sentence, count in counted.items() if count > 1}


def test_no_sentence_stands_twice() -> None:
    assert repeated(map(read, PAGES)) == set()


def test_a_repeated_sentence_is_found() -> None:
    one = "Start. The server answers 429 while there is\ntoo much to do. End."
    two = "- The server answers `429` while there is too much to do.\n"
    assert repeated([one, two]) == {"the server answers 429 while there is too much to do"}


# The README's commands.


def with_outputs(text: str) -> list[str]:
    """Lines of shell that are a prompt or a comment, and so no commands that run as they stand."""
    return [line for body in fences(text, "bash") for line in body.splitlines() if line.startswith(("$", "#", ">"))]


@checked_pages
def test_fences_of_shell_hold_commands_alone(page: Path) -> None:
    assert with_outputs(read(page)) == []


def test_a_prompt_is_found() -> None:
    assert with_outputs("```bash\n$ make serve\nmake serve\n```\n") == ["$ make serve"]


def same_commands(one: str, other: str, of: Callable[[str], Iterable[str]] = commands) -> set[str]:
    """Commands that only one of two texts has."""
    mine, others = ({line for line in of(text) if re.match(r"(make|curl|java) ", line)} for text in (one, other))
    return mine ^ others


def test_both_readmes_have_the_same_commands() -> None:
    assert same_commands(read(PAGES[0]), read(PAGES[1])) == set()


def test_a_command_of_one_readme_is_found() -> None:
    assert same_commands("`make serve`", "`make serve` `make test`") == {"make test"}
