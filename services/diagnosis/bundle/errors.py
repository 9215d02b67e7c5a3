"""What can be wrong with a bundle, by name."""

from __future__ import annotations

from shared.errors import AppError


class BundleError(AppError):
    """The root of what is wrong with a bundle."""

    status, title, slug = 500, "Model bundle unusable", "bundle-unusable"


class BundleMissing(BundleError):
    """There is no bundle in that directory."""

    title, slug = "Model bundle missing", "bundle-missing"


class BundleTampered(BundleError):
    """A file differs from the manifest, is missing, or is not named by it."""

    title, slug = "Model bundle tampered with", "bundle-tampered"


class BundleUnreadable(BundleError):
    """The digests agree, but this code cannot read what the bundle says."""

    title, slug = "Model bundle unreadable", "bundle-unreadable"
