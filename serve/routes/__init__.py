"""The routes, a file for each habit: how it is asked and in which form it answers."""
