"""Settings of the diagnosis service and its worker (`CONSILIUM_DIAGNOSIS_…`)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings

DEMO_BUNDLE = Path(__file__).parent / "bundles" / "demo"


class DiagnosisSettings(ServiceSettings):
    """What the web part and the worker must agree on; both read the same environment."""

    model_config = SettingsConfigDict(env_prefix="CONSILIUM_DIAGNOSIS_", frozen=True, extra="ignore")

    bundle_dir: Path = DEMO_BUNDLE
    """The model bundle that this suite comes with: the worker loads it at start and tells the registry of it."""
    bundles_dir: Path | None = None
    """A directory of further bundles, each in a directory of its own, such as a share that all workers mount."""
    registry_s: float = Field(default=2.0, gt=0)
    """How often a worker asks the model registry which bundles answer; before each case it asks as well."""
    lease_s: float = 15.0
    """A worker that was silent for so long has lost its job to the next one."""
    heartbeat_s: float = 2.0
    """How often a worker renews its lease and says that it is there; well under `lease_s` and `worker_fresh_s`."""
    worker_fresh_s: float = 5.0
    """`/readyz` wants to have heard of a worker within this time."""
    sweep_s: float = 1.0
    """How often the dispatcher looks for jobs that the broker or a worker lost."""
    resend_after_s: float = 3.0
    """A queued job that nobody claimed for so long is sent again if the broker's queue is empty."""
    resend_busy_after_s: float = 60.0
    """The same while the broker's queue holds messages: the job probably just waits its turn."""
    watch_s: float = 2.0
    """How often it is looked whether the evidence of finished diagnoses has changed."""
    max_attempts: int = 5
    """So many workers may die over one job before it is failed."""
    max_deferrals: int = 120
    """So often a job is put off because something it needs is not there (about an hour) before it is failed."""
    vector_index: Literal["exact", "pgvector"] = "exact"
    """Where reference cases are searched: in each worker's memory, or in this service's PostgreSQL with pgvector."""
    replay_nightly: int = Field(default=20, ge=0)
    """So many of the last week's diagnoses are computed again each night, to see whether they come out the same."""
    replay_hour_utc: int = Field(default=2, ge=0, le=23)
    """In which hour of the day."""
    question_timeout_s: float = 10.0
    """How long a question of similarity waits for a worker before it is answered with 503."""
