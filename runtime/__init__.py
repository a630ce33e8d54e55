"""Loads a bundle on an ONNX Runtime execution provider: verify, warm up, replay golden files, run. No torch."""

from runtime.model import Model, load_model, open_bundle, open_model
from runtime.modes import Mode
from runtime.providers import ProviderError
from runtime.session import Session

__all__ = ["Mode", "Model", "ProviderError", "Session", "load_model", "open_bundle", "open_model"]
