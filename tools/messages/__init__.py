"""All sentences that users see, one golden file per kind.

Each module here has `messages() -> dict[str, str]`: a stable name of the message, and the text
that the real code produces for one example. No other test compares sentences.
"""
