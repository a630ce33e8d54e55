from pathlib import Path

from dataset.split_file import Example
from export.golden import choose


def examples(folder: Path, *targets: int, sizes: dict[int, int] | None = None) -> list[Example]:
    result = []
    for number, target in enumerate(targets):
        path = folder / f"{number}.jpg"
        path.write_bytes(b"x" * (sizes or {}).get(number, 10))
        result.append(Example(path=path, target=target))
    return result


def test_every_class_has_a_golden_file(tmp_path: Path) -> None:
    chosen = choose(examples(tmp_path, *range(20), *range(20)))
    assert sorted(example.target for example in chosen) == list(range(20))


def test_few_classes_are_filled_up_to_eight(tmp_path: Path) -> None:
    assert len(choose(examples(tmp_path, *([0, 1] * 10)))) == 8


def test_small_sets_are_taken_whole(tmp_path: Path) -> None:
    assert len(choose(examples(tmp_path, 0, 1, 1))) == 3


def test_large_photographs_are_avoided(tmp_path: Path) -> None:
    chosen = choose(examples(tmp_path, 0, 0, 1, sizes={0: 2 << 20}))
    assert [example.path.name for example in chosen][:2] == ["1.jpg", "2.jpg"]
