"""Answers in, the worst mistakes out, each with its picture and where the model looked."""
