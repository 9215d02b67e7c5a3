"""What can be wrong with a bundle, by name. Each says what to do, and has an exit status of its own."""

from __future__ import annotations

from typing import ClassVar

from shared.errors import AppError


class BundleError(AppError):
    """The root of what is wrong with a bundle."""

    status, title, slug = 500, "Model bundle unusable", "bundle-unusable"
    exit_status: ClassVar[int] = 1
    """Of `consilium bundle`; docs/reference/bundle.md lists them."""


class BundleMissing(BundleError):
    """There is no bundle in that directory."""

    title, slug, exit_status = "Model bundle missing", "bundle-missing", 3


class BundleUnreadable(BundleError):
    """The bundle is of another layout, holds what no bundle may hold, or this code cannot read what it says."""

    title, slug, exit_status = "Model bundle unreadable", "bundle-unreadable", 4


class BundleTampered(BundleError):
    """A file differs from the manifest or from what was signed, is missing, or is named by neither."""

    title, slug, exit_status = "Model bundle tampered with", "bundle-tampered", 5


class BundleUnsigned(BundleError):
    """Nobody vouches for the bundle."""

    title, slug, exit_status = "Model bundle unsigned", "bundle-unsigned", 6


class BundleSignatureInvalid(BundleError):
    """There is a signature, and it is not one of this bundle by a key that is trusted here."""

    title, slug, exit_status = "Model bundle wrongly signed", "bundle-signature-invalid", 7


class BundleKeyUntrusted(BundleSignatureInvalid):
    """The signature names a key that is not trusted here."""

    title, slug, exit_status = "Model bundle signed by a key that is not trusted", "bundle-key-untrusted", 8


class SigningKeyUnusable(BundleError):
    """A key file that is missing, of another kind, or may not be read."""

    title, slug, exit_status = "Signing key unusable", "signing-key-unusable", 9


class NotABundle(BundleError):
    """The directory that a bundle should replace holds something else."""

    title, slug, exit_status = "Directory is not a bundle", "not-a-bundle", 10
