"""What asks a server: pictures with their answers, the load generator, slow clients."""
