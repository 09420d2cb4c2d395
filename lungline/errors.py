"""One rooted tree of errors. Each message names the setting or command that mends it, and never a patient, path or file."""

from lungline.reasons import Reason


class LunglineError(Exception):
    """The root of every error that Lungline raises on purpose."""


class SettingsError(LunglineError):
    """A setting is missing or makes no sense."""


class KeyMismatchError(LunglineError):
    """The pseudonym key is not the one that the database was written with."""


class AlreadyRunningError(LunglineError):
    """Another process of this home already holds the slot."""


class BrokerError(LunglineError):
    """Redis or Valkey cannot be reached, or no server for it can be found."""


class LedgerError(LunglineError):
    """The database cannot be used now, or what was asked for is not there. The same may pass later."""


class LedgerFault(LunglineError):
    """The database refuses a statement or a value: an error of the program, or of the tables. Asked once more, it refuses again."""


class StoreError(LunglineError):
    """The store lacks bytes that the ledger knows, or cannot take new ones."""


class LabelsError(LunglineError):
    """A file of readers' labels cannot be read as one."""


class ModelError(LunglineError):
    """A model's files are missing, damaged, or do not fit the ensemble."""


class TrainingError(LunglineError):
    """A training run cannot begin or go on."""


class DeliveryError(LunglineError):
    """A result could not be sent; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.sentence)
        self.reason = reason


class ChildError(LunglineError):
    """A process that was started for one answer did not give it.

    `kind` is the type of the error that it met, `exit 1`, or `TimeoutError`. `sentence` is the message of an error of our own, else None.
    """

    def __init__(self, kind: str, sentence: str | None = None) -> None:
        super().__init__(sentence or kind)
        self.kind = kind
        self.sentence = sentence


class UnexpectedError(LunglineError):
    """An unexpected error; stands for an error whose own words may quote a file."""


class UnreadableScan(LunglineError):
    """A file's bytes cannot become an image: the scan is quarantined with `reason`.

    `detail` is a sentence of our own. It never quotes a library, since a library's message may quote the file.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.detail = detail or reason.sentence

    def __reduce__(self) -> tuple[type["UnreadableScan"], tuple[Reason, str]]:
        return UnreadableScan, (self.reason, self.detail)  # else it could not be pickled, on its way out of a reader process
