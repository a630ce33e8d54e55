"""The lean ONNX Runtime HTTP server: bundle -> answers. No torch."""

VERSION = "0.1.0"
