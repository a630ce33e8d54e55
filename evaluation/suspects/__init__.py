"""Which labels of a set are suspicious."""
