"""The trained model as files that other programs run: one module, in each form."""
