"""The TorchServe entry point: requests as TorchServe hands them over in, answers and their HTTP statuses out.

`export/archive.py` copies this package into the `.mar`, and `image_handler.py` to its root.
"""
