"""A finished run's folder in, what people read of it out: mistakes, report, model card."""
