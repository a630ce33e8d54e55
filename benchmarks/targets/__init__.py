"""What is asked: servers and baselines, started and watched."""
