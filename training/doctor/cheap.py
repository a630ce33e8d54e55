"""The checks that need no model and no time: `make train` begins with them."""

from collections.abc import Iterator

from dataset.data_set import DataSet
from training.config import TrainConfig
from training.doctor.finding import Finding
from training.doctor.pictures import check_pictures
from training.doctor.steps import check_steps
from training.recipe.plan import make_plan


def examine_cheaply(config: TrainConfig, data: DataSet) -> Iterator[Finding]:
    """Whether there is anything to see in the images, and steps enough to learn it."""
    yield check_pictures(data)
    yield check_steps(config, make_plan(config, list(data.count("train").values())))
