import json
from pathlib import Path

import pytest

from contract import ClassLabel
from dataset.errors import DataError
from dataset.reading.names import write_names
from dataset.reading.sources import read_source
from tests.pictures import TINTS, write_images

NAMES = {"blue": "蓝色", "grün": "绿色", "red": "红色"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_images(tmp_path / "d", 2)


def names(folder: Path, given: Path | None = None) -> dict[str, str]:
    return read_source(folder, names=given).names


def test_without_a_file_there_are_no_names(folder: Path) -> None:
    assert names(folder) == {}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_names_are_found_beside_the_classes_in_any_encoding(folder: Path, encoding: str) -> None:
    known = {**NAMES, "grun": NAMES["grün"]}
    del known["grün"]
    (folder / "grün").rename(folder / "grun")  # GB18030 has ü too, but a file without it is the harder one
    (folder / "names.json").write_text(json.dumps(known, ensure_ascii=False), encoding=encoding)
    assert names(folder) == known


@pytest.mark.parametrize(
    "text", ["label,name\nblue,蓝色\ngrün,绿色\nred,红色\n", "blue;蓝色\r\ngrün;绿色\r\nred;红色\r\n"]
)
def test_names_may_be_a_table(folder: Path, text: str) -> None:
    (folder / "names.csv").write_text(text, encoding="utf-8")
    assert names(folder) == NAMES


@pytest.mark.parametrize("numbers", [{"0": "red", "1": "blue", "2": "grün"}, {"red": 0, "blue": 1, "grün": 2}])
@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("disease.json", '{"0": "红色", "1": "蓝色", "2": "绿色"}'),
        ("disease.json", '["红色", "蓝色", "绿色"]'),
        ("disease.txt", "0 红色\n1 蓝色\n2 绿色\n"),
        ("disease.csv", "index,name\n0,红色\n1,蓝色\n2,绿色\n"),
    ],
)
def test_the_two_files_of_the_first_system_are_understood(
    folder: Path, numbers: dict[str, object], file: str, text: str
) -> None:
    """The numbers are in the order of training there, not in that of the alphabet."""
    (folder.parent / "class_indices.json").write_text(json.dumps(numbers), encoding="utf-8")
    (folder.parent / file).write_text(text, encoding="utf-8")
    assert names(folder, folder.parent / file) == NAMES


def test_folders_called_by_numbers_take_their_names_from_the_file_of_numbers(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "d", 2, {"0": TINTS["red"], "1": TINTS["blue"]})
    (folder / "class_indices.json").write_text('{"0": "rust", "1": "healthy"}')
    assert names(folder) == {"0": "rust", "1": "healthy"}


def test_names_stand_beside_a_table(folder: Path) -> None:
    lines = [f"d/{path.parent.name}/{path.name},{path.parent.name}\n" for path in folder.rglob("*.JPG")]
    (folder.parent / "index.csv").write_text("path,label\n" + "".join(lines), encoding="utf-8")
    (folder.parent / "names.json").write_text(json.dumps(NAMES), encoding="utf-8")
    assert names(folder.parent / "index.csv") == NAMES


def test_names_travel_with_a_split(tmp_path: Path) -> None:
    classes = [ClassLabel(label=label, display_name=name) for label, name in NAMES.items()]
    write_names(classes, tmp_path)
    assert json.loads((tmp_path / "names.json").read_text(encoding="utf-8")) == NAMES
    (tmp_path / "names.json").unlink()
    write_names([ClassLabel(label="a", display_name="a")], tmp_path)
    assert not (tmp_path / "names.json").exists()


def test_names_of_classes_that_were_left_out_are_no_mistake(folder: Path) -> None:
    (folder / "names.json").write_text(json.dumps(NAMES), encoding="utf-8")
    assert read_source(folder, classes=["blue", "red"]).names == {"blue": "蓝色", "red": "红色"}


def test_names_are_found_in_the_only_folder_inside(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "download").mkdir()
    inner = folder.rename(tmp_path / "download" / "PlantVillage")
    (inner / "names.json").write_text(json.dumps(NAMES), encoding="utf-8")
    assert names(tmp_path / "download") == NAMES


def test_a_second_file_of_names_is_named(folder: Path) -> None:
    (folder / "names.json").write_text(json.dumps(NAMES), encoding="utf-8")
    (folder / "names.csv").write_text("red,x\n", encoding="utf-8")
    source = read_source(folder)
    assert source.names == NAMES
    assert source.notes == [f"{folder / 'names.csv'} was left out, as the names are in {folder / 'names.json'}"]


def test_joiners_belong_to_persian_names(folder: Path) -> None:
    persian = {**NAMES, "red": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"}
    (folder / "names.json").write_text(json.dumps(persian), encoding="utf-8")
    assert names(folder) == persian


@pytest.mark.parametrize("indices", [{"0": "10", "1": "2"}, {"10": 0, "2": 1}])
def test_classes_called_by_numbers_are_told_from_their_numbers(tmp_path: Path, indices: dict[str, object]) -> None:
    write_images(tmp_path, 1, {"10": (9, 9, 9), "2": (99, 9, 9)})
    (tmp_path / "class_indices.json").write_text(json.dumps(indices))
    (tmp_path / "names.json").write_text('{"0": "ten", "1": "two"}')
    assert names(tmp_path) == {"10": "ten", "2": "two"}


def test_names_that_could_be_by_class_or_by_number_are_refused(tmp_path: Path) -> None:
    write_images(tmp_path, 1, {"0": (9, 9, 9), "1": (99, 9, 9)})
    (tmp_path / "class_indices.json").write_text('{"0": "1", "1": "0"}')
    (tmp_path / "names.json").write_text('{"0": "a", "1": "b"}')
    with pytest.raises(DataError, match=r"or their numbers in class_indices\.json: it can't be told"):
        names(tmp_path)


@pytest.mark.parametrize(("name", "reason"), [("gone.json", "No such file"), ("folder.json", "Is a directory")])
def test_a_file_of_names_that_cannot_be_read_is_named(folder: Path, tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(DataError, match=rf"{name} can't be read \({reason}"):
        names(folder, tmp_path / name)


def test_line_breaks_in_names_are_blanks(folder: Path) -> None:
    (folder / "names.json").write_text(json.dumps({**NAMES, "red": "红\n色\t x"}), encoding="utf-8")
    assert names(folder)["red"] == "红 色 x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("3", "expected a JSON object"),
        ('{"red": 1}', "expected a JSON object"),
        ('{"red": "", "blue": "b", "grün": "g"}', "expected a JSON object"),
        ('{"red": "r", "pink": "p"}', "missing: blue, grün; unknown: pink"),
        ('{"red": "r", "blue": "b", "grün": "g", "pink": "p"}', "missing: none; unknown: pink"),
        ('{"red": "r", "red": "s", "blue": "b", "grün": "g"}', "names these classes more than once: red"),
        ('{"red": "r\\u0007", "blue": "b", "grün": "g"}', "not valid Unicode, for red"),
    ],
)
def test_mistakes_are_named(folder: Path, text: str, message: str) -> None:
    given = folder.parent / "my names.json"
    given.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        names(folder, given)
