"""Measures how well and how fast training learns; nothing here is served."""
