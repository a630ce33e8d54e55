"""The base of every error whose message is written for the person at the keyboard.

UserError             exit 1: the message says what was given, what was expected, what to do
├── UsageError        exit 2: the options contradict each other or are out of range
├── ImageError        contract/image.py: these bytes are not a picture we can answer for
├── ManifestError     contract/manifest.py: this folder is not a bundle we can trust
├── ProviderError     runtime/providers.py: the execution provider asked for is not here
├── GoldenError       contract/golden.py: this machine does not answer as the trained model did
├── DataError         training/sources.py: the labelled images can't be trained on as they are
├── WeightsError      training/weights.py: the weights can't be fetched or don't fit
├── DivergedError     training/engine.py: the loss is no longer a number
├── CheckpointError   training/checkpoint.py: the run folder can't be continued or read
├── ParityError       export/parity.py: an exported graph disagrees with the trained model
├── ArchiverError     export/archive.py: the bundle can't be packed for TorchServe
├── ArchiveError      handlers/engines.py: this worker can't run this archive
├── TargetError       benchmarks/servers.py: the server to measure can't be started or does not answer
├── RegressionError   benchmarks/compare.py: the second results are worse than the first
└── StartError        exit 3: the server, the lean one or TorchServe, could not start
"""


class UserError(Exception):
    """A failure the user can mend; its message stands alone, without a stack trace."""

    exit_code = 1


class UsageError(UserError):
    """Options that contradict each other or are out of range."""

    exit_code = 2

    @classmethod
    def raise_for(cls, problems: list[str]) -> None:
        """Raise one error that lists every problem; do nothing when there is none."""
        if problems:
            raise cls("; ".join(problems))


class StartError(UserError):
    """A server that could not start."""

    exit_code = 3
