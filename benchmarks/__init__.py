"""Measurements one can repeat: what the machine can do, and what a server makes of it."""
