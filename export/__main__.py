"""`python -m export`: runs/<run>/ -> runs/<run>/bundle/."""

from contract.console import run_command


def main() -> None:
    """Read the command line and export."""
    import tyro

    from export.config import ExportConfig
    from training.lock import hold_run
    from training.run_files import read_config

    config = tyro.cli(ExportConfig, prog="python -m export")
    read_config(config.folder)  # for a run that is not there, no lock is left behind
    with hold_run(config.folder):
        # Only now, as torch takes seconds to import; and in here, so that Ctrl-C meanwhile ends in one line too.
        from export.export import export

        export(config)


if __name__ == "__main__":
    run_command(main)
