"""The error of bytes that are not an image that can be classified."""

from contract.errors import UserError


class ImageError(UserError):
    """Bytes that are not an image that can be classified.

    `code` is one of "unreadable_image", "image_too_large", "unsupported_type".
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def damaged() -> ImageError:
    """What is said of every file that a decoder gives up."""
    return ImageError("unreadable_image", "the image is damaged or truncated; expected a complete file")
