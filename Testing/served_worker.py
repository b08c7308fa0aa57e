"""What the worker that the tests serve accepts."""

TOKENS = ("first-token-of-the-tests", "second-token-of-the-tests")
MAX_BODY_MB = 4
