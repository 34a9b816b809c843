"""Modules as functions of their parameters."""

from ...func import functional_call  # noqa: F401
