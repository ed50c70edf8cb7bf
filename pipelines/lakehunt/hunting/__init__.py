"""A hunt, its window, its exclusions, its hits and its findings."""
