"""Jobs, manifests, results, feedback, workers and the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

DIGEST = sa.String(71)
ID = sa.String(36)


def upgrade() -> None:
    op.create_table(
        "manifest",
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_manifest"),
    )
    _create_job()
    _create_result()
    op.create_table(
        "feedback",
        sa.Column("id", ID, nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("code", sa.String(64)),
        sa.Column("text", sa.Text()),
        sa.Column("author", sa.String(255), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_feedback_job_id_job"),
    )
    op.create_index("ix_feedback_job_id", "feedback", ["job_id"])
    op.create_table(
        "worker",
        sa.Column("id", ID, nullable=False),
        sa.Column("bundle_digest", DIGEST, nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_worker"),
    )
    op.create_index("ix_worker_seen_at", "worker", ["seen_at"])
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False),
        sa.Column("event_id", ID, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("seq", name="pk_outbox"),
        sa.UniqueConstraint("event_id", name="uq_outbox_event_id"),
    )
    op.create_index("ix_outbox_sent_at", "outbox", ["sent_at"])


def _create_job() -> None:
    op.create_table(
        "job",
        sa.Column("id", ID, nullable=False),
        sa.Column("patient", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("priority", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(32)),
        sa.Column("error", sa.Text()),
        sa.Column("manifest_digest", DIGEST, nullable=False),
        sa.Column("as_of", UtcDateTime(), nullable=False),
        sa.Column("idempotency_key", sa.String(255)),
        sa.Column("request_digest", DIGEST, nullable=False),
        sa.Column("requester_issuer", sa.String(255), nullable=False),
        sa.Column("requester_subject", sa.String(255), nullable=False),
        sa.Column("requester_role", sa.String(32), nullable=False),
        sa.Column("requester_client_id", sa.String(255)),
        sa.Column("requester_jti", sa.String(255), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime()),
        sa.Column("not_before", UtcDateTime()),
        sa.Column("claimed_at", UtcDateTime()),
        sa.Column("finished_at", UtcDateTime()),
        sa.Column("lease_until", UtcDateTime()),
        sa.Column("worker", ID),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("deferrals", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
        sa.ForeignKeyConstraint(["manifest_digest"], ["manifest.digest"], name="fk_job_manifest_digest_manifest"),
        sa.UniqueConstraint(
            "requester_issuer", "requester_subject", "idempotency_key", name="uq_job_requester_idempotency_key"
        ),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'succeeded', 'abstained', 'failed')", name=op.f("ck_job_status")
        ),
        sa.CheckConstraint("priority IN ('stat', 'routine')", name=op.f("ck_job_priority")),
    )
    op.create_index("ix_job_status_priority", "job", ["status", "priority", "created_at"])
    op.create_index("ix_job_patient", "job", ["patient", "id"])


def _create_result() -> None:
    op.create_table(
        "result",
        sa.Column("id", ID, nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("manifest_digest", DIGEST, nullable=False),
        sa.Column("bundle_digest", DIGEST, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("consent_epoch", sa.BigInteger()),
        sa.Column("heatmaps", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("released_at", UtcDateTime()),
        sa.Column("withheld_at", UtcDateTime()),
        sa.Column("leaf_index", sa.BigInteger()),
        sa.Column("leaf_hash", sa.String(64)),
        sa.Column("total_ms", sa.Float()),
        sa.PrimaryKeyConstraint("id", name="pk_result"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_result_job_id_job"),
        sa.ForeignKeyConstraint(["manifest_digest"], ["manifest.digest"], name="fk_result_manifest_digest_manifest"),
        sa.UniqueConstraint("job_id", "manifest_digest", "bundle_digest", name="uq_result_job_manifest_bundle"),
    )
    op.create_index(
        "uq_result_job_standing",
        "result",
        ["job_id"],
        unique=True,
        sqlite_where=sa.text("withheld_at IS NULL"),
        postgresql_where=sa.text("withheld_at IS NULL"),
    )


def downgrade() -> None:
    for table in ("outbox", "worker", "feedback", "result", "job", "manifest"):
        op.drop_table(table)
