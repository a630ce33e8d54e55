"""Which labels of a set look wrong."""
