"""A bundle and pictures in, their classes out: without a server, one picture or many."""
