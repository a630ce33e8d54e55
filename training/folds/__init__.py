"""Cross-validation: every image is answered by a model that has not seen it, and a last model learns from all."""
