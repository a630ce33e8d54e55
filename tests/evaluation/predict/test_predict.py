import csv
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from contract import UsageError, UserError
from evaluation.predict.answers import answer_images
from evaluation.predict.config import PredictConfig
from evaluation.predict.predict import predict
from evaluation.predict.sorting import folder_name
from tests.commands import call_module
from tests.pictures import TINTS, draw, encode, write_images


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six pictures in two folders, with what a Mac and a careless hand leave among them."""
    folder = write_images(tmp_path / "my photos", 2, first_seed=500)
    (folder / "red" / "._red (0).JPG").write_bytes(b"junk")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "red.jpg").write_bytes(b"junk")
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "predictions.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def classify(bundle: Path, *images: str | Path, out: Path, **options: object) -> None:
    predict(PredictConfig(bundle=bundle, image=tuple(map(str, images)), out=out, **options))  # type: ignore[arg-type]


def test_one_picture_is_answered_by_a_sentence(bundle: Path, red_jpeg: bytes, tmp_path: Path) -> None:
    (tmp_path / "leaf (1).jpg").write_bytes(red_jpeg)
    out = tmp_path / "prediction_result.jpg"
    image = ["--image", str(tmp_path / "leaf (1).jpg"), "--out", str(out)]
    result = call_module("evaluation.predict", "--bundle", str(bundle), *image, "--top-k", "2", "--unsure-below", "0")
    assert result.returncode == 0, result.stderr
    sentence, first, second, written, hint = result.stdout.splitlines()
    assert sentence.startswith("leaf (1).jpg shows 红色 (red) (probability 0.")
    assert first.split()[1:] == ["red", "红色"]
    assert float(first.split()[0]) > float(second.split()[0])
    assert written == f"wrote {out}"
    assert hint == "the heat map is coarse, 1 x 1 cells; for a finer one, train with a larger SIZE"
    with Image.open(out) as picture:
        assert picture.format == "JPEG"


def test_one_picture_may_be_unsure(
    bundle: Path, red_jpeg: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "leaf.jpg").write_bytes(red_jpeg)
    predict(PredictConfig(bundle=bundle, image=(str(tmp_path / "leaf.jpg"),), unsure_below=1))
    assert capsys.readouterr().out.startswith("leaf.jpg: unsure, perhaps 红色 (red) (probability 0.")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"GIF89a", "this is GIF; expected JPEG, PNG, WebP, HEIC, AVIF or BMP"),
        (b"\xff\xd8\xff", "the image is damaged or truncated; expected a complete file"),
    ],
)
def test_a_bad_picture_is_refused_in_one_line(bundle: Path, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    result = call_module("evaluation.predict", "--bundle", str(bundle), "--image", str(tmp_path / "a.jpg"))
    assert (result.returncode, result.stderr) == (1, f"error: {tmp_path / 'a.jpg'}: {message}\n")


@pytest.mark.parametrize("name", ["nowhere.jpg", "it's not here.jpg"])
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    result = call_module("evaluation.predict", "--bundle", str(bundle), "--image", name)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {name} does not exist; expected an image file, a folder, or a pattern")


def test_a_folder_is_answered_whole(bundle: Path, photos: Path, tmp_path: Path) -> None:
    classify(bundle, photos, out=tmp_path / "out")
    found = rows(tmp_path / "out")
    assert len(found) == 6
    assert all(row["label"] == Path(row["path"]).parent.name for row in found)
    assert {row["name"] for row in found} == {"蓝色", "绿色", "红色"}
    listed = json.loads((tmp_path / "out" / "predictions.json").read_text(encoding="utf-8"))
    assert [len(entry["classes"]) for entry in listed] == [3] * 6
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 6
    shares = [float(part.split("</b> ")[1][:4]) for part in page.split("<b>")[1:]]
    assert shares == sorted(shares)


@pytest.mark.parametrize(
    "named", [["{0}/*/*.JPG"], ["{0}/red", "{0}/blue", "{0}/grün"], ["'{0}/red' '{0}/blue' '{0}/grün'"]]
)
def test_patterns_and_several_names_are_taken(bundle: Path, photos: Path, tmp_path: Path, named: list[str]) -> None:
    classify(bundle, *(text.format(photos) for text in named), out=tmp_path / "out")
    assert len(rows(tmp_path / "out")) == 6


def test_what_cannot_be_read_is_told_and_the_rest_is_answered(bundle: Path, photos: Path, tmp_path: Path) -> None:
    (photos / "notes.txt").write_text("remember")
    (photos / "gone.jpg").symlink_to("nowhere")
    (photos / "cut.jpg").write_bytes(encode(draw((64, 64), TINTS["red"], 1))[:400])
    result = call_module(
        "evaluation.predict", "--bundle", str(bundle), "--image", str(photos), "--out", str(tmp_path / "out")
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: 3 pictures could not be answered:\n")
    failed = {Path(row["path"]).name: row["error"] for row in rows(tmp_path / "out") if row["error"]}
    assert set(failed) == {"notes.txt", "gone.jpg", "cut.jpg"}
    assert failed["gone.jpg"] == "No such file or directory"
    assert sum(bool(row["label"]) for row in rows(tmp_path / "out")) == 6


def test_an_interrupted_run_goes_on(
    bundle: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from evaluation.predict import predict as path_of_predict

    write_images(photos / "more", 4, first_seed=900)
    whole = answer_images

    def interrupted(paths, model, **options):  # type: ignore[no-untyped-def]
        for number, answer in enumerate(whole(paths, model, **options)):
            if number == 10:
                raise KeyboardInterrupt
            yield answer

    with monkeypatch.context() as patch:
        patch.setattr(path_of_predict, "answer_images", interrupted)
        with pytest.raises(KeyboardInterrupt):
            classify(bundle, photos, out=tmp_path / "out")
    first = photos / "blue" / "blue (0).JPG"
    first.write_bytes(encode(draw((50, 50), TINTS["red"], 3)))  # changed since: it is answered again
    classify(bundle, photos, out=tmp_path / "out")
    assert "9 of 18 pictures were answered before" in capsys.readouterr().out
    found = {row["path"]: row["label"] for row in rows(tmp_path / "out")}
    assert len(found) == 18
    assert found[str(first)] == "red"


def test_pictures_are_sorted_into_folders(bundle: Path, photos: Path, tmp_path: Path) -> None:
    shutil.copy(photos / "red" / "red (0).JPG", photos / "red (0).JPG")
    classify(bundle, photos, out=tmp_path / "out", sort=tmp_path / "sorted", unsure_below=0.0)
    copies = {path.relative_to(tmp_path / "sorted").as_posix() for path in (tmp_path / "sorted").rglob("*.JPG")}
    assert len(copies) == 7
    assert {"red/red (0).JPG", "red/red (0) (2).JPG", "blue/blue (1).JPG"} <= copies
    classify(bundle, photos, out=tmp_path / "out", sort=tmp_path / "unsure", unsure_below=1.0)
    assert {path.parent.name for path in (tmp_path / "unsure").rglob("*.JPG")} == {"unsure"}


@pytest.mark.parametrize(
    ("label", "name"), [("a/b", "a_b"), ("..", "_"), ("what?", "what_"), ("锈病", "锈病"), ("x. ", "x._")]
)
def test_labels_become_names_of_folders(label: str, name: str) -> None:
    assert folder_name(label) == name


def test_an_empty_folder_and_a_file_in_the_way_are_refused(bundle: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="has no files; expected images"):
        classify(bundle, tmp_path / "empty", out=tmp_path / "out")
    with pytest.raises(UserError, match=r"no file matches .*\.png; expected a pattern"):
        classify(bundle, photos / "*.png", out=tmp_path / "out")
    with pytest.raises(UsageError, match="for several images, expected a folder"):
        classify(bundle, photos, out=tmp_path / "result.jpg")


def test_wrong_options_are_listed() -> None:
    with pytest.raises(UsageError, match=r"image is empty.*; top_k is 0; .*; unsure_below is 2; expected 0 to 1"):
        PredictConfig(bundle=Path("b"), image=(" ",), top_k=0, unsure_below=2)
