"""Answers and truth -> figures, plots and pages. Never loads torch."""
