import os
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Literal

import pytest

from dataset.errors import DataError
from dataset.reading.entries import Source
from dataset.reading.sources import read_source

Form = Literal["NFC", "NFD"]
HEADER = "path,label\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files a0.jpg to a3.jpg and b0.jpg to b3.jpg in two folders; only that they are there matters here."""
    for name in (f"{letter}/{letter}{number}.jpg" for letter in "ab" for number in range(4)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def table(folder: Path, text: str | bytes, name: str = "index.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(separator: str = ",", *, labels: tuple[str, str] = ("x", "y"), slash: str = "/", end: str = "\n") -> str:
    """Eight rows."""
    return "".join(
        f"{letter}{slash}{letter}{number}.jpg{separator}{label}{end}"
        for letter, label in zip("ab", labels, strict=True)
        for number in range(4)
    )


def counts(source: Source) -> Counter[str]:
    return Counter(entry.label for entry in source.entries)


def test_paths_are_relative_to_the_table(folder: Path) -> None:
    (folder / "tables").mkdir()
    text = "path,label,split,group\n../a/a0.jpg,x,train,leaf1\n../b/b0.jpg,y,train,\n"
    first, second = read_source(table(folder / "tables", text)).entries
    assert (first.path, first.label, first.split, first.group) == (folder / "a/a0.jpg", "x", "train", "leaf1")
    assert (second.path, second.group) == (folder / "b/b0.jpg", None)


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        (HEADER + rows(), []),
        ("\ufeff" + HEADER + rows(end="\r\n"), []),
        ("Path , LABEL\n" + rows(" , "), []),
        ("path;label\n" + rows(";"), ["index.csv has its cells separated by semicolons"]),
        ("path\tlabel\n" + rows("\t"), ["index.csv has its cells separated by tabs"]),
        ("sep=;\npath;label\n" + rows(";"), ["index.csv has its cells separated by semicolons"]),
        (HEADER + rows(slash="\\"), []),
        (HEADER + "\n\n" + rows() + ",\n , \n\n", []),
        (HEADER + rows().replace("\n", ",,\n"), []),
        (rows(), ["index.csv has no header; its columns were read as path,label"]),
        (
            "file name,category\n" + rows(),
            [
                "the column file name of index.csv was read as the path",
                "the column category of index.csv was read as the label",
            ],
        ),
        (
            "id,path,label,photographer,sha256\n" + "".join(f"1,{row},me,00\n" for row in rows().split()),
            ["these columns of index.csv were left out: id, photographer"],
        ),
        (
            HEADER + rows() + "a/a0.jpg,x\n a/a1.jpg , x \n",
            ["counted once: 2 repeated rows of index.csv"],
        ),
        ('path,label\n"a/a0.jpg","x"\n' + rows()[11:], []),
    ],
)
def test_tables_as_people_save_them(folder: Path, text: str, notes: list[str]) -> None:
    source = read_source(table(folder, text))
    assert counts(source) == {"x": 4, "y": 4}
    assert source.notes == notes


@pytest.mark.parametrize(
    ("encoding", "note"),
    [
        ("utf-8-sig", []),
        ("gb18030", ["index.csv was read as GB18030, the encoding of Chinese Windows"]),
        ("gbk", ["index.csv was read as GB18030, the encoding of Chinese Windows"]),
        ("utf-16", ["index.csv was read as UTF-16"]),
    ],
)
def test_encodings(folder: Path, encoding: str, note: list[str]) -> None:
    text = "图片,类别\n" + rows(labels=("锈病", "健康"))
    source = read_source(table(folder, text.encode(encoding)))
    assert counts(source) == {"锈病": 4, "健康": 4}
    assert source.notes[: len(note)] == note


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_wide_letters_without_a_mark_are_refused_in_one_line(folder: Path, encoding: str) -> None:
    with pytest.raises(DataError, match="is in an encoding that can't be told; save it as UTF-8"):
        read_source(table(folder, (HEADER + rows()).encode(encoding)))


@pytest.mark.parametrize("label", ["été", "Käfer", "Größe"])
def test_an_encoding_that_cannot_be_told_is_refused(folder: Path, label: str) -> None:
    with pytest.raises(DataError, match="is in an encoding that can't be told; save it as UTF-8"):
        read_source(table(folder, (HEADER + rows(labels=(label, "y"))).encode("latin-1")))


def test_the_third_systems_table_needs_no_header(folder: Path) -> None:
    text = "".join(f"{letter}/{letter}{number}.jpg,{int(letter == 'b')}\n" for letter in "ab" for number in range(4))
    assert counts(read_source(table(folder, text, "images.txt"))) == {"0": 4, "1": 4}


@pytest.mark.parametrize("labels", [("001", "1e3"), ("$10_$20", "a/b"), ("x,y", "z"), ("true", "nan")])
def test_labels_stay_the_text_that_they_are(folder: Path, labels: tuple[str, str]) -> None:
    text = HEADER + rows(labels=(f'"{labels[0]}"', f'"{labels[1]}"'))
    assert set(counts(read_source(table(folder, text)))) == set(labels)


@pytest.mark.parametrize("mark", ["\u200b", "\ufeff", "\u2060", "\u00a0", "\u3000"])
def test_invisible_blanks_in_a_label_make_no_other_class(folder: Path, mark: str) -> None:
    text = HEADER + rows() + f"a/a0.jpg,x{mark}\n"
    assert set(counts(read_source(table(folder, text)))) == {"x", "y"}


def test_joiners_belong_to_persian_labels(folder: Path) -> None:
    label = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    assert set(counts(read_source(table(folder, HEADER + rows(labels=(label, "y")))))) == {label, "y"}


@pytest.mark.parametrize(
    "text",
    [
        '"path";"label";"notes, more, remarks"\n' + rows(";"),
        'note|path|label\n"a;b;c;d"|' + rows("|").replace("\n", '\n"a;b;c;d"|', 7),
        'path , label\n"a/a0.jpg" , "x"\n"b/b0.jpg","y" \n' + rows(),
        'path,label,note\na/a0.jpg,x,5" long\n' + rows(),
        "image_name,target\n" + rows(),
        "文件名,分类\n" + rows(),
    ],
)
def test_cells_are_told_apart(folder: Path, text: str) -> None:
    assert counts(read_source(table(folder, text))) == {"x": 4, "y": 4}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named(folder: Path) -> None:
    text = table(folder, HEADER + rows())
    (folder / "a").chmod(0)
    with pytest.raises(DataError, match=r"line 2: a/a0\.jpg may not be opened"):
        read_source(text)
    (folder / "a").chmod(0o700)
    text.chmod(0)
    with pytest.raises(DataError, match=r"index\.csv can't be read \(Permission denied\)"):
        read_source(text)


def test_a_line_break_in_a_label_is_a_blank(folder: Path) -> None:
    source = read_source(table(folder, HEADER + rows(labels=('"leaf\nrust"', "y"))))
    assert set(counts(source)) == {"leaf rust", "y"}
    assert source.notes == ["line breaks or tabs read as blanks: 4 labels of index.csv"]


def test_names_with_accents_are_found_either_way(folder: Path) -> None:
    forms: tuple[Form, ...] = ("NFC", "NFD")
    for form in forms:
        name = unicodedata.normalize(form, f"é{form}.jpg")
        (folder / name).write_bytes(b"x")
    other: dict[Form, Form] = {"NFC": "NFD", "NFD": "NFC"}
    lines = [f"{unicodedata.normalize(other[form], f'é{form}.jpg')},{form}\n" for form in other]
    assert set(counts(read_source(table(folder, HEADER + "".join(lines))))) == {"NFC", "NFD"}


@pytest.mark.parametrize("word", ["Training", "VALID", "test set"])
def test_splits_may_be_spelled_as_folders_are(folder: Path, word: str) -> None:
    text = "path,label,split\n" + rows().replace("\n", f",{word}\n")
    (split,) = {entry.split for entry in read_source(table(folder, text)).entries}
    assert split in {"train", "val", "test"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,weight\na/a0.jpg,3\n", r"has columns \['file', 'weight'\]; expected path,label"),
        ('path,label\na/a0.jpg,x\na/a1.jpg,"x\nb/b0.jpg,y\n', "line 3: a quote is not closed"),
        ('path,label,note\na/a0.jpg,x,"n\nb/b0.jpg,y,"n"\n', "line 2: a quote is not closed"),
        ('path,label\n"' + "x" * 200_000, "line 2: a quote is not closed"),
        ('"path,label\na/a0.jpg,x\n', "line 1: a quote is not closed"),
        ("path,label\n" + "a" * 300 + ".jpg,x\n", "does not exist, seen from the table's folder"),
        ("", "is empty"),
        (HEADER, "has no images"),
        ("path,label\na/a0.jpg,\n", "line 2: path or label is missing"),
        ("path,label,split\na/a0.jpg,x,holdout\n", "line 2: split 'holdout'; expected train, val or test"),
        (
            "path,label,split\na/a0.jpg,x,train\nb/b0.jpg,y,\n",
            "line 3: the split is missing, and other rows have one; fill in",
        ),
        ("path,label\na/a0.jpg,x\na/a1.jpg,x\n", r"only one class \(x\)"),
        ("path,label,split\na/a0.jpg,x,train\nb/b0.jpg,y,train\na/a1.jpg,x,val\n", "val has no y"),
        ("path,label\na/a0.jpg,Dog, small\n", "line 2: 3 cells under 2 columns; put quotes around a cell with a comma"),
        ("path,label\na/a0.jpg,x\0y\n", "line 2: a cell has a zero byte"),
        ("path,label\na/a0.jpg,x\x07y\n", r"line 2: the label 'x\\x07y' has control characters"),
        ("path,label\na/a0.jpg,x\na/a0.jpg,y\n", "line 3: a0.jpg has another label, split or group in line 2"),
        ("path,label,label\na/a0.jpg,x,y\n", "has several columns for the label: label, label"),
        ("path,class,category\na/a0.jpg,x,y\n", "has several columns for the label: class, category; call one of them"),
        ("path,label\nC:\\photos\\a.jpg,x\n", "does not exist, seen from the table's folder"),
        ("path,label\na,x\n", "or is no file"),
    ],
)
def test_mistakes_are_named(folder: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_source(table(folder, text))


def test_all_mistakes_are_listed_with_the_lines_of_the_file(folder: Path) -> None:
    text = 'path,label\n\n\na/gone.jpg,x\n"a/a0.jpg","two\nlines"\nb/gone.jpg,y\na/a1.jpg,\na/a2.jpg,x,y\n'
    with pytest.raises(DataError) as caught:
        read_source(table(folder, text))
    assert str(caught.value).splitlines() == [
        f"{folder / 'index.csv'} has 4 mistakes:",
        "  line 4: a/gone.jpg does not exist, seen from the table's folder, or is no file",
        "  line 7: b/gone.jpg does not exist, seen from the table's folder, or is no file",
        "  line 8: path or label is missing; expected both",
        "  line 9: 3 cells under 2 columns; put quotes around a cell with a comma",
    ]


def test_every_mistake_of_a_row_is_named(folder: Path) -> None:
    text = "path,label,split\na/gone.jpg,x\x07,holdout\nb/b0.jpg,y,train\na/a0.jpg,x,\n"
    with pytest.raises(DataError) as caught:
        read_source(table(folder, text))
    assert [line.partition(";")[0] for line in str(caught.value).splitlines()[1:]] == [
        "  line 2: a/gone.jpg does not exist, seen from the table's folder, or is no file",
        "  line 2: split 'holdout'",
        r"  line 2: the label 'x\x07' has control characters",
        "  line 4: the split is missing, and other rows have one",
    ]


def test_very_many_mistakes_are_shortened(folder: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_source(table(folder, HEADER + "gone.jpg,x\n" * 500))
    assert str(caught.value).splitlines()[-1] == "  … and 480 more"


@pytest.mark.parametrize(
    ("name", "classes", "images"),
    [
        ("gbk", 2, 20), ("space", 2, 20), ("space2", 2, 20), ("semicolon", 2, 20), ("backslash", 2, 20),
        ("emptyrow", 2, 20), ("oddlabels", 6, 20), ("twice", 2, 20),
    ],
)  # fmt: skip
def test_reported_tables_are_read(shared_data: Path, name: str, classes: int, images: int) -> None:
    source = read_source(shared_data / "reports" / "csv" / f"{name}.csv")
    assert len(counts(source)) == classes
    assert len(source.entries) == images


def test_reported_tables_with_mistakes_are_refused(shared_data: Path) -> None:
    tables = shared_data / "reports" / "csv"
    with pytest.raises(DataError, match=r"has 10 mistakes:\n  line 12: 3 cells under 2 columns"):
        read_source(tables / "comma.csv")
    with pytest.raises(DataError, match=r"blankline\.csv line 24: path or label is missing"):
        read_source(tables / "blankline.csv")
    with pytest.raises(DataError, match=r"price\.csv has 6 mistakes:\n  line 20: d/d_00\.jpg does not exist"):
        read_source(tables / "price.csv")
    assert set(counts(read_source(tables / "price.csv", classes=["$10_$20", "under $10"]))) == {"$10_$20", "under $10"}


def test_files_that_are_not_there_can_be_skipped(folder: Path) -> None:
    source = read_source(table(folder, HEADER + rows() + "gone.jpg,x\n"), skip_missing=True)
    assert counts(source) == {"x": 4, "y": 4}
    (note,) = source.notes
    assert note.startswith("skipped: 1 row of index.csv, the first in line 10: gone.jpg does not exist")
