"""`python -m messaging` is `samhandling`."""

from messaging.memory import look_again, look_for_nothing


def main() -> None:
    """Load the commands, and run the one that is asked for."""
    look_for_nothing()
    from messaging.cli import main as run

    look_again()
    run()


if __name__ == "__main__":
    main()
