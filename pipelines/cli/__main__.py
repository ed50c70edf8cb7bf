"""`python -m pipelines.cli`, for where the `lakehunt` script is not on the path."""

from pipelines.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
