"""The network, the weights that it starts from, and the device that it runs on."""
