"""The Open Inference Protocol V2 without a transport: bodies to pictures, outputs to bodies, descriptions."""
