"""`python -m lakehunt.cli`, for where the `lakehunt` script is not on the path."""

from lakehunt.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
