"""Thumbnails in, whether there is anything to see in the images out."""

from collections import Counter

import numpy as np

from contract.text import counted
from dataset.data_set import DataSet
from training.doctor.finding import Finding

# Standard deviation in grey levels, below which an image shows nothing.
FLAT = 1.0
# So large a share of flat or of equal images is no accident.
MOST_FLAT = 0.5


def check_pictures(data: DataSet) -> Finding:
    """Images of one shade each, or all alike, hold nothing that a model could learn."""
    thumbnails = [picture.thumbnail for picture in data.pictures.values()]
    flat = sum(float(thumbnail.std(axis=(0, 1)).max()) < FLAT for thumbnail in thumbnails)
    alike = Counter(thumbnail.tobytes() for thumbnail in thumbnails).most_common(1)[0][1]
    if alike > MOST_FLAT * len(thumbnails):
        return _failed(f"{alike} of {counted(len(thumbnails), 'image')} look exactly the same")
    if flat > MOST_FLAT * len(thumbnails):
        return _failed(f"{flat} of {counted(len(thumbnails), 'image')} are constant: one shade from edge to edge")
    shown = float(np.median([thumbnail.std() for thumbnail in thumbnails]))
    few = f"; {counted(flat, 'image')} of one shade" if flat else ""
    sentence = f"images show something (median contrast {shown:.0f} grey levels{few})"
    return Finding(check="images", outcome="passed", sentence=sentence)


def _failed(what: str) -> Finding:
    sentence = f"{what}, so there is nothing to learn from; check how the images were converted or exported"
    return Finding(check="images", outcome="failed", sentence=sentence)
