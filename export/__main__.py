"""`python -m export`: runs/<run>/ -> runs/<run>/bundle/."""

import tyro

from contract.console import run_command
from export.config import ExportConfig
from export.export import export

if __name__ == "__main__":
    run_command(lambda: export(tyro.cli(ExportConfig)))
