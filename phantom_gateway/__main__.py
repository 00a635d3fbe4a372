"""``python -m phantom_gateway``: the command line, for where the script is not on the path."""

from phantom_gateway.cli import main

if __name__ == "__main__":
    main()
