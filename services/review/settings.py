"""Settings of the review service (`CONSILIUM_REVIEW_…`)."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

UI = Path(__file__).resolve().parent / "ui"
"""Sources of the web UI."""


class ReviewSettings(BaseSettings):
    """What the review service needs beside the common settings. It has no database."""

    model_config = SettingsConfigDict(env_prefix="CONSILIUM_REVIEW_", frozen=True, extra="ignore")

    ui_dist: Path = UI / "dist"
    """The built UI: `index.html` and `assets/`, as `make ui` leaves them."""
    oidc_client_id: str = "consilium-review"
    """The page's name at the OIDC server (`CONSILIUM_OIDC_ISSUER`), where it is a public client."""
    oidc_scope: str = "openid profile"
    """What the page asks there for: a sign-in, and the person's name to show. Some servers give refresh tokens or the
    audience only where `offline_access` or a scope of the suite is asked for."""
