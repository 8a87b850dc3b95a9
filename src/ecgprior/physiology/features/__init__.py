"""What is measured on a delineated ECG: the list (:mod:`.registry`), one file a block, and :mod:`.measure`."""
