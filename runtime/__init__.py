"""A bundle opened on an ONNX Runtime provider: verified, warmed, replayed, and run. No torch."""

from runtime.model import Model, load_model
from runtime.providers import ProviderError
from runtime.session import Session

__all__ = ["Model", "ProviderError", "Session", "load_model"]
