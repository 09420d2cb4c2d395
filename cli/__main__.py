"""`python -m cli`: how the supervisor starts the others. Readers need not import the command line, as they would from a script."""

from cli.start import main

main()
