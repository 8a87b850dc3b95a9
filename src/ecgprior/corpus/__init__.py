"""Many records: sources, catalog, labels, splits and shards. No PyTorch here."""
