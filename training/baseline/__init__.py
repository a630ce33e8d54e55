"""What a linear model on a frozen network gives, before anything is trained."""
