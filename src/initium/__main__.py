"""`python -m initium` is the command `initium`."""

from initium.cli.main import main

main()
