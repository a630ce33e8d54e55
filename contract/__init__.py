"""What all stages share: images, labels, graph, golden files, errors and manifest. Needs only NumPy and Pillow."""

from contract.errors import UsageError, UserError
from contract.image import ImageError, ImageSpec, decode_image, preprocess, upright_size
from contract.labels import ClassLabel, Prediction, top_k
from contract.manifest import Manifest, ManifestError

__all__ = [
    "ClassLabel",
    "ImageError",
    "ImageSpec",
    "Manifest",
    "ManifestError",
    "Prediction",
    "UsageError",
    "UserError",
    "decode_image",
    "preprocess",
    "top_k",
    "upright_size",
]
