"""May a fast mode serve? Its answers beside fp32's in, an exact bound of what it costs and a verdict out."""
