"""`python -m messaging` is `samhandling`."""

from messaging.cli import main

if __name__ == "__main__":
    main()
