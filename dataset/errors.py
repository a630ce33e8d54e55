"""The error of labelled images that can't be used as they are."""

from contract import UserError


class DataError(UserError):
    """Labelled images that can't be used as they are."""
