"""How a network learns: the augmentation of its images and the schedule of its learning rate."""
