"""The TorchServe handler: reads TorchServe's requests and returns answers with their HTTP statuses.

`export/archive.py` copies this package into the `.mar` archive, and `image_handler.py` to the archive's root.
"""
