"""``python -m ecgprior``: the command without its installed script."""

from .app.main import main

main()
