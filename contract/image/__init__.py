"""Preprocessing: turns an image file (bytes) into the exact pixels the model sees (uint8 [H, W, 3]).

Evaluation in training, calibration, golden files, the TorchServe handler and our server all call
`preprocess`, so preprocessing can't differ between training and serving.

The rules for each kind of image:
  rotation   the EXIF orientation is applied; if the EXIF data can't be read, the image counts as upright
  grey       repeated in three channels
  16-bit     grey is scaled by the `depth` of the image contract: how many bits the set really uses; of 16-bit colour,
             the decoder keeps the high byte
  alpha      blended with a white background: RGBA, LA, palettes with transparency and PNG's tRNS; a BMP whose alpha is
             0 everywhere counts as opaque, since programs leave that byte empty
  CMYK       converted without its colour profile
  animation  the first frame is used; of a HEIC file with several images, the primary one
  damage     a JPEG that lacks only its end mark, and a PNG with wrong checksums in its metadata, lack no pixel and are
             taken; everything else that is damaged is refused
"""

from contract.image.decoding import (
    bits_used,
    decode_for,
    decode_image,
    decode_reduced,
    file_mode,
    preprocess,
    resize,
    upright_size,
)
from contract.image.errors import ImageError
from contract.image.opening import MAX_PIXELS, MAX_SIDE, Room, unlimited
from contract.image.spec import LATEST_DECODING, Contrast, Fit, ImageSpec

__all__ = [
    "LATEST_DECODING",
    "MAX_PIXELS",
    "MAX_SIDE",
    "Contrast",
    "Fit",
    "ImageError",
    "ImageSpec",
    "Room",
    "bits_used",
    "decode_for",
    "decode_image",
    "decode_reduced",
    "file_mode",
    "preprocess",
    "resize",
    "unlimited",
    "upright_size",
]
