"""What a person should know about labelled images before training: shortcuts, clusters, and a page with both."""
