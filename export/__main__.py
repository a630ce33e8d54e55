"""`python -m export`: runs/<run>/ -> runs/<run>/bundle/."""

from contract.console import run_command


def main() -> None:
    """Read the command line and export."""
    # Imported here because torch takes seconds to import, and Ctrl-C during the import must also end in one line.
    import tyro

    from export.config import ExportConfig
    from export.export import export

    export(tyro.cli(ExportConfig, prog="python -m export"))


if __name__ == "__main__":
    run_command(main)
