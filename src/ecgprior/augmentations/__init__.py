"""A changed view of a batch: one file a method."""
