"""A bundle opened on an ONNX Runtime provider: verified, warmed, replayed, and run. No torch."""

from runtime.golden import GoldenError
from runtime.model import Model, load_model
from runtime.providers import ProviderError
from runtime.session import Outputs, Session

__all__ = ["GoldenError", "Model", "Outputs", "ProviderError", "Session", "load_model"]
