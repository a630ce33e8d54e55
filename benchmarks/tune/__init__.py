"""How to run a bundle best on this machine: every mode under load, a table, a plot, and the settings for the server."""
