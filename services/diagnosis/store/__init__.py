"""Every query of the diagnosis service: jobs, their leases, results and workers."""

from __future__ import annotations

from services.diagnosis.store.fences import check_fence, raise_fence
from services.diagnosis.store.jobs import (
    add_job,
    add_manifest,
    find_by_key,
    find_job,
    get_job,
    list_jobs,
    lock_job,
)
from services.diagnosis.store.leases import (
    claim,
    defer,
    expired,
    fail,
    fail_orphan,
    mark_sent,
    renew,
    repoint,
    requeue,
    unsent,
)
from services.diagnosis.store.outdated import (
    follow,
    followed,
    jobs_of_subject,
    mark_checked,
    mark_outdated,
    outdated,
    unchecked,
)
from services.diagnosis.store.questions import (
    Question,
    add_question,
    answer_of,
    drop_question,
    find_question,
    keep_answer,
)
from services.diagnosis.store.replays import claim_night, erased_bundle, released_since
from services.diagnosis.store.results import (
    add_feedback,
    add_result,
    feedback_on,
    release,
    released_results,
    standing_result,
    withhold,
)
from services.diagnosis.store.shadows import add_shadow
from services.diagnosis.store.workers import (
    count_erasures,
    forget_worker,
    remembering,
    worker_seen,
    workers_since,
)

__all__ = [
    "Question",
    "add_feedback",
    "add_job",
    "add_manifest",
    "add_question",
    "add_result",
    "add_shadow",
    "answer_of",
    "check_fence",
    "claim",
    "claim_night",
    "count_erasures",
    "defer",
    "drop_question",
    "erased_bundle",
    "expired",
    "fail",
    "fail_orphan",
    "feedback_on",
    "find_by_key",
    "find_job",
    "find_question",
    "follow",
    "followed",
    "forget_worker",
    "get_job",
    "jobs_of_subject",
    "keep_answer",
    "list_jobs",
    "lock_job",
    "mark_checked",
    "mark_outdated",
    "mark_sent",
    "outdated",
    "raise_fence",
    "release",
    "released_results",
    "released_since",
    "remembering",
    "renew",
    "repoint",
    "requeue",
    "standing_result",
    "unchecked",
    "unsent",
    "withhold",
    "worker_seen",
    "workers_since",
]
