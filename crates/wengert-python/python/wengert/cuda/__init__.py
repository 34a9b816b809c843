"""CUDA devices, of which this build has none."""


def is_available():
    """Whether there is a CUDA device."""
    return False


def device_count():
    """How many CUDA devices there are."""
    return 0


def manual_seed(seed):
    """Seeds the generator of the CUDA device: there is none to seed."""


def manual_seed_all(seed):
    """Seeds the generators of all CUDA devices: there are none to seed."""


def synchronize(device=None):
    """Waits for the device: everything has been computed already."""


def empty_cache():
    """Gives unused memory of the device back: there is none."""
