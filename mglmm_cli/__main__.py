"""`python -m mglmm_cli` is the program `mglmm`."""

from mglmm_cli.main import main

main()
