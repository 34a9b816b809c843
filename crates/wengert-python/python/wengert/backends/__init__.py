"""What PyTorch asks its back ends; there is one, which needs no settings."""


class _Absent:
    """A back end that this build does not have. Settings of it are kept and change nothing."""

    def is_available(self):
        """Whether it is there."""
        return False

    def is_built(self):
        """Whether it was built in."""
        return False


cuda = _Absent()
cudnn = _Absent()
mkl = _Absent()
mps = _Absent()
