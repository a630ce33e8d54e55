"""The base class of every error whose message is written for the user.

UserError             exit status 1: the message says what was given, what was expected and what to do
├── UsageError        exit status 2: the options contradict each other or are out of range
├── ImageError        contract/image/errors.py: the bytes are not an image that can be classified
├── ManifestError     contract/manifest.py: the folder is not a bundle, or its files have changed
├── ProviderError     runtime/providers.py: the requested execution provider is not available
├── GoldenError       contract/golden.py: the golden files give other logits here than in training
├── DataError         dataset/errors.py: the labelled images can't be used as they are
├── WeightsError      training/weights/errors.py: the weights can't be downloaded or don't fit
├── DivergedError     training/learning/engine.py: the loss is no longer a finite number
├── CheckpointError   training/errors.py: the run folder is in use, or can't be resumed or read
├── OutOfMemoryError  training/errors.py: a training step does not fit into the memory
├── ComparisonError   evaluation/compare/run_answers.py: the runs can't be compared
├── ParityError       export/parity.py: an exported graph disagrees with the trained model
├── ArchiverError     export/archive.py: the bundle can't be packed for TorchServe
├── ArchiveError      handlers/engines.py: this worker can't run this archive
├── TargetError       benchmarks/servers.py: the server under test can't be started or does not answer
├── RegressionError   benchmarks/compare.py: the second results are worse than the first
└── StartError        exit status 3: the server (ours or TorchServe) could not start
"""


class UserError(Exception):
    """A failure the user can fix. The message must be enough: it is shown without a stack trace."""

    exit_code = 1


class UsageError(UserError):
    """Options that contradict each other or are out of range."""

    exit_code = 2

    @classmethod
    def raise_for(cls, problems: list[str]) -> None:
        """Raise one error that lists every problem. Does nothing if the list is empty."""
        if problems:
            raise cls("; ".join(problems))


class StartError(UserError):
    """A server that could not start."""

    exit_code = 3
