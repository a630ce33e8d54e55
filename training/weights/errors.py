"""Why weights can't be used."""

from contract import UserError


class WeightsError(UserError):
    """Weights that can't be had, can't be read, or belong to another network."""


class UnreachableError(WeightsError):
    """Weights that are not here and can't be downloaded."""


def first_line(error: Exception) -> str:
    """The first line of what another library says, or the error's kind."""
    return str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
