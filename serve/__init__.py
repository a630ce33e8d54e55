"""The lean ONNX Runtime HTTP server: bundle -> answers. No torch."""
