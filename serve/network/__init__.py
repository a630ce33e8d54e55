"""Sockets and bytes: connections that keep up, the event loop, large blocks of memory."""
