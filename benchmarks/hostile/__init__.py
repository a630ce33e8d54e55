"""What requests that are meant to do harm cost a server, and the others who ask it meanwhile."""
