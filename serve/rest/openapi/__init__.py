"""The document of every route, and the page that shows it."""
