"""Measures what needs torch: how well and how fast training learns, how fast each exported form runs. Not served."""
