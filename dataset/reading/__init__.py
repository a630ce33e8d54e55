"""A folder or a table of labelled images -> entries, with a word on everything that was left out."""
