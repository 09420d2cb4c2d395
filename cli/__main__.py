"""`python -m cli`: how the supervisor starts the others. Readers need not import the command line, as they would from a script."""

from cli.main import main

main()
