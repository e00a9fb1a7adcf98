"""The one exception for a user's mistake."""


class SpikeloomError(Exception):
    """A mistake in what the user gave: what, where, got, wanted, cure, in one message.

    Command lines print ``label: message`` and exit with status 1 (2 for usage); any other
    exception is a defect of this project.
    """

    label = "error"  #: What a command prints before the message.
