"""Rules of the house that a machine can check."""

import ast
import functools
import json
import re
from collections import Counter
from pathlib import Path

import pytest

import contract
from tests.commands import REPOSITORY, run_python

MAY_IMPORT = {
    "contract": set(),
    "dataset": {"contract"},
    "evaluation": {"contract", "dataset", "runtime"},
    "runtime": {"contract"},
    "training": {"contract", "dataset", "evaluation"},
    "export": {"contract", "dataset", "evaluation", "runtime", "training"},
    "handlers": {"contract", "runtime"},
    "serve": {"contract", "runtime"},
    "benchmarks": {"contract", "runtime"},
    # Load tests stay light; what measures training needs it.
    "benchmarks.training": {"benchmarks", "contract", "dataset", "evaluation", "export", "runtime", "training"},
}
STAGES = list(MAY_IMPORT)
TORCH_FREE = ["contract", "dataset", "evaluation", "runtime", "serve"]
# What a room may import of its own stage, besides itself.
ROOMS = {
    "dataset.reading": {"dataset.errors"},
    "dataset.pictures": {"dataset.errors"},
    "dataset.arrays": {"dataset.errors"},
    "training.model": set(),
    "training.recipe": {"training.config"},
    "evaluation.mistakes": {"evaluation.answers"},
    "evaluation.gate": {"evaluation.compare", "evaluation.pages", "evaluation.words"},
    "export.graphs": set(),
    "training.drawing": {"training.run_files", "training.model", "training.learning"},
    "evaluation.probe": {"evaluation.answers", "evaluation.intervals"},
    "evaluation.suspects": {"evaluation.answers", "evaluation.pages"},
    "training.weights": {"training.config", "training.run_files", "training.errors", "training.model"},
    "training.baseline": {
        "training.config",
        "training.run_files",
        "training.model",
        "training.weights",
        "training.learning",
    },
    "benchmarks.load": set(),
    "benchmarks.tune": set(),
    "benchmarks.targets": {"benchmarks.load"},
    "benchmarks.report": {"benchmarks.config", "benchmarks.load", "benchmarks.targets"},
    "training.learning": {
        "training.config",
        "training.errors",
        "training.run_files",
        "training.model",
        "training.weights",
        "training.recipe",
    },
}
# The rooms of `serve`, from the ground up: folders and lone files, each with the rooms that it may import.
GROUND = {f"serve.{name}" for name in ("VERSION", "errors", "auth", "config", "health", "saying", "observability")}
ERRORS = {"serve.errors"}
SERVE_ROOMS = {
    **{name: set() for name in GROUND},
    "serve.observability": {"serve.VERSION", "serve.saying"},
    "serve.deadline": ERRORS,
    "serve.budget": set(),
    "serve.network": ERRORS | {"serve.health", "serve.saying"},
    "serve.scheduling": ERRORS,
    "serve.v2": ERRORS | {"serve.observability", "serve.VERSION"},
    "serve.models": GROUND | {"serve.budget", "serve.scheduling"},
    "serve.dataplane": GROUND | {f"serve.{name}" for name in ("deadline", "budget", "models", "scheduling", "v2")},
    "serve.control_plane": ERRORS | {"serve.models", "serve.v2"},
}
TRANSPORT = GROUND | {f"serve.{name}" for name in ("deadline", "budget", "v2", "models", "dataplane", "control_plane")}
SERVE_ROOMS |= {
    "serve.rest": TRANSPORT | {"serve.scheduling"},
    "serve.grpc": TRANSPORT,
    "serve.server": TRANSPORT | {"serve.network", "serve.scheduling", "serve.rest", "serve.grpc"},
    "serve.__main__": {"serve.config", "serve.server"},
}
MOST_MODULES = 13

IMPORT_ALL = """
import importlib, json, pkgutil, sys
for module in pkgutil.walk_packages([{stage!r}], {stage!r} + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(json.dumps(sorted({{name.split(".")[0] for name in sys.modules}})))
"""


@functools.cache
def loaded_by(stage: str) -> set[str]:
    """The top-level modules that are loaded once every module of `stage` is, in a process of its own."""
    result = run_python(IMPORT_ALL.format(stage=stage))
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout))


def imported_by(stage: str) -> set[str]:
    """The stages that modules of `stage` import, and the modules that these import, and so on."""
    seen: set[Path] = set()
    waiting = [path for path in modules_of(stage) if stage_of(path) == stage]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += [file for module in modules_imported_in(path) for file in files_of(module)]
    return {stage_of(path) for path in seen}


def stage_of(path: Path) -> str:
    folders = path.relative_to(REPOSITORY).parts[:-1]
    return "benchmarks.training" if folders == ("benchmarks", "training") else folders[0]


def files_of(module: str) -> list[Path]:
    """The files of ours that are run when `module`, or a name out of a module, is imported."""
    parts = module.split(".")
    if parts[0] not in MAY_IMPORT:
        return []
    above = [REPOSITORY.joinpath(*parts[:depth]) for depth in range(1, len(parts) + 1)]
    files = [file for place in above for file in (place / "__init__.py", place.with_suffix(".py"))]
    return [file for file in files if file.exists()]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_only_what_the_table_allows(stage: str) -> None:
    crossed = imported_by(stage) & set(STAGES) - {stage}
    assert crossed <= MAY_IMPORT[stage]


def test_only_the_commands_that_run_a_bundle_import_runtime_into_evaluation() -> None:
    rooms = {path.parent.name for path in modules_of("evaluation") if imports_from(path, "runtime")}
    assert rooms == {"measure", "predict"}


@pytest.mark.parametrize("stage", TORCH_FREE)
def test_a_stage_without_training_never_loads_torch(stage: str) -> None:
    assert not loaded_by(stage) & {"torch", "torchvision"}


@pytest.mark.parametrize("stage", ["contract", "runtime", "serve"])
def test_serving_never_loads_what_only_judging_needs(stage: str) -> None:
    assert not loaded_by(stage) & {"sklearn", "scipy", "matplotlib"}


def test_a_room_imports_only_what_the_table_allows() -> None:
    for room, allowed in ROOMS.items():
        stage = room.split(".")[0]
        for path in (REPOSITORY / room.replace(".", "/")).glob("*.py"):
            for module in modules_imported_in(path):
                inside = module.startswith(f"{stage}.")
                assert not inside or any(f"{module}.".startswith(f"{name}.") for name in {room, *allowed}), (
                    path,
                    module,
                )


@pytest.mark.parametrize("stage", sorted({stage.split(".")[0] for stage in STAGES}))
def test_a_folder_holds_about_a_dozen_modules(stage: str) -> None:
    modules = Counter(path.parent for path in (REPOSITORY / stage).rglob("*.py") if path.name != "__init__.py")
    assert max(modules.values()) <= MOST_MODULES


def test_a_room_of_serve_imports_only_what_the_table_allows() -> None:
    for path in modules_of("serve"):
        module = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
        room = ".".join(module.split(".")[:2])
        allowed = {room, *SERVE_ROOMS.get(room, set())}
        for imported in modules_imported_in(path):
            assert not imported.startswith("serve.") or ".".join(imported.split(".")[:2]) in allowed, (path, imported)


def test_the_rooms_of_serve_are_those_of_the_table() -> None:
    there = {f"serve.{path.stem}" for path in (REPOSITORY / "serve").iterdir() if path.name != "__pycache__"}
    assert there - {"serve.__init__"} == set(SERVE_ROOMS) - {"serve.VERSION"}


def test_contract_needs_numpy_and_image_decoders_alone() -> None:
    imports = {
        alias
        for path in (REPOSITORY / "contract").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for alias in names_in(node)
    }
    standard = set(__import__("sys").stdlib_module_names)
    assert imports - standard == {"contract", "numpy", "PIL", "pi_heif"}


def modules_of(stage: str) -> list[Path]:
    return sorted((REPOSITORY / stage.replace(".", "/")).rglob("*.py"))


def imports_from(path: Path, stage: str) -> bool:
    return any(f"{module}.".startswith(f"{stage}.") for module in modules_imported_in(path))


def modules_imported_in(path: Path) -> list[str]:
    """The modules that a file imports, with what is imported from a package taken for a module of it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return plain + [
        f"{node.module}.{alias.name}" for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
    ]


def names_in(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module.split(".")[0]]
    return []


def test_public_names_of_contract_are_sorted_and_there() -> None:
    assert sorted(contract.__all__) == contract.__all__
    assert all(hasattr(contract, name) for name in contract.__all__)


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE))


@pytest.mark.parametrize("document", [".ci/run", ".github/workflows/ci.yml"])
def test_ci_names_only_targets_that_exist(document: str) -> None:
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`|\$ |run: )make ((?:[a-z-]+ ?)+)", text, flags=re.MULTILINE))
    words = {word for group in named for word in group.split()}
    assert words
    assert words <= targets()


def test_every_dependency_has_a_reason() -> None:
    pyproject = (REPOSITORY / "pyproject.toml").read_text()
    listed = pyproject[pyproject.index("dependencies") : pyproject.index("[tool.ruff]")]
    wanted = set(re.findall(r'"([a-z0-9-]+)[\[>]', listed)) | {"noto-cjk-sans-otc"}
    reasons = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert {name for name in wanted if f"| {name} |" not in reasons} == set()


def test_nothing_is_unpickled() -> None:
    sources = [path for stage in STAGES for path in (REPOSITORY / stage).rglob("*.py")]
    assert sources
    loads = [
        line for path in sources for line in path.read_text(encoding="utf-8").splitlines() if "torch.load(" in line
    ]
    assert loads
    assert all("weights_only=True" in line for line in loads)
    assert not [
        path for path in sources if re.search(r"pickle\.loads?\(|allow_pickle=True", path.read_text(encoding="utf-8"))
    ]


def test_every_module_opens_with_its_purpose() -> None:
    for stage in STAGES:
        for path in Path(REPOSITORY / stage).rglob("*.py"):
            assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path
