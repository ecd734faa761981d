"""Names whose spelling varies between folders, files and lists."""


def bare(name: str) -> str:
    """Normalise a name.

    Args:
        name (str): For example `'Arm_wrestling'`.

    Returns:
        str: Its letters and digits only, in lower case: `'armwrestling'`.
    """
    return ''.join(c for c in name.lower() if c.isalnum())
