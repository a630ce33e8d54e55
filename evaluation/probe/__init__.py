"""What a linear model tells from features of images."""
