"""The page to try it in a browser."""
