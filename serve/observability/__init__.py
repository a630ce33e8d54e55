"""What is told of every request: metrics, statistics, times of its stages, spans, the access log."""
