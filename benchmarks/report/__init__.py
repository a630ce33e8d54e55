"""Rows of measurements, and the pages and comparisons made of them."""
