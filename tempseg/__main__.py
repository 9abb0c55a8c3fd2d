"""`python -m tempseg`."""

from tempseg.cli.app import main

main()
