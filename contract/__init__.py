"""What all stages share: images, labels, graph, golden files, errors and manifest. Needs NumPy, Pillow and pi-heif."""

from contract.adjustment import Adjustment
from contract.errors import UsageError, UserError
from contract.image import ImageError, ImageSpec, bits_used, decode_image, file_mode, preprocess, upright_size
from contract.labels import ClassLabel, Prediction, top_k
from contract.manifest import Manifest, ManifestError

__all__ = [
    "Adjustment",
    "ClassLabel",
    "ImageError",
    "ImageSpec",
    "Manifest",
    "ManifestError",
    "Prediction",
    "UsageError",
    "UserError",
    "bits_used",
    "decode_image",
    "file_mode",
    "preprocess",
    "top_k",
    "upright_size",
]
