"""Why a case cannot be used, in a sentence for the person."""


def reason_of(error: Exception) -> str:
    """Return an error as one sentence; the system's own are told what to do about them."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}; check the disk and the permissions."
    return " ".join(str(error).split())
