from pathlib import Path

from dataset.split_file import Example
from training.learning.trainer import cluster_numbers


def test_images_of_one_object_share_a_number_and_others_have_their_own() -> None:
    examples = [Example(path=Path("a"), target=0, cluster=cluster) for cluster in (7, None, 7, None, 0)]
    numbers = cluster_numbers(examples).tolist()
    assert numbers[0] == numbers[2]
    assert len(set(numbers)) == 4
