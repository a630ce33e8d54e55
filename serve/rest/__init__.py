"""HTTP: the application, and what happens around each request."""
