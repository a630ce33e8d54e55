"""Images as NumPy arrays in, PNG files in a folder a class out: what other programs saved as .npy or .npz."""
