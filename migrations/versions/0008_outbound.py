"""Mail on its way out."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import FLAG, INSTANT, INTEGER, OCTETS, TEXT

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
# An older program would find contents held by more than name them.
oldest_program = 8


def upgrade() -> None:
    op.create_table(
        "departure",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("origin", TEXT, nullable=False),
        sa.Column("account", INTEGER),
        sa.Column("reverse_path", TEXT, nullable=False),
        sa.Column("reverse_key", TEXT, nullable=False),
        sa.Column("content", INTEGER),
        sa.Column("trace", OCTETS, nullable=False),
        sa.Column("size", INTEGER, nullable=False),
        sa.Column("message_id", TEXT),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("smtputf8", FLAG, nullable=False),
        sa.Column("require_tls", FLAG, nullable=False),
        sa.Column("tls_optional", FLAG, nullable=False),
        sa.Column("ret", TEXT, nullable=False),
        sa.Column("envelope_id", TEXT),
        sa.Column("priority", INTEGER, nullable=False),
        sa.Column("by_until", INSTANT),
        sa.Column("by_mode", TEXT),
        sa.Column("by_trace", FLAG, nullable=False),
        sa.Column("held_until", INSTANT),
        sa.Column("arrived", INSTANT, nullable=False),
        sa.Column("open", INTEGER, nullable=False),
        sa.Column("ended", INSTANT),
        sa.Column("evidence", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_departure")),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    for column in ("message_id", "reverse_key", "account"):
        op.create_index(op.f(f"ix_departure_{column}"), "departure", [column])
    op.create_index(
        op.f("ix_departure_ended"),
        "departure",
        ["ended"],
        sqlite_where=sa.text("ended IS NOT NULL"),
        postgresql_where=sa.text("ended IS NOT NULL"),
    )
    op.create_table(
        "outbound",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("departure", INTEGER, nullable=False),
        sa.Column("address", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("lane", TEXT, nullable=False),
        sa.Column("rank", INTEGER, nullable=False),
        sa.Column("sender", INTEGER, nullable=False),
        sa.Column("notify", INTEGER, nullable=False),
        sa.Column("original_type", TEXT),
        sa.Column("original_address", TEXT),
        sa.Column("return_path", TEXT),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("due", INSTANT, nullable=False),
        sa.Column("turn", INSTANT),
        sa.Column("attempts", INTEGER, nullable=False),
        sa.Column("expires", INSTANT),
        sa.Column("delay_told", INSTANT),
        sa.Column("route", TEXT),
        sa.Column("ended", INSTANT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbound")),
        sa.ForeignKeyConstraint(
            ["departure"], ["departure.id"], name=op.f("fk_outbound_departure")
        ),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    for column in ("departure", "key"):
        op.create_index(op.f(f"ix_outbound_{column}"), "outbound", [column])
    for name, columns, condition in (
        ("ix_outbound_turn", ["rank", "turn", "id", "lane", "sender"], "turn IS NOT NULL"),
        ("ix_outbound_open", ["lane", "id"], "ended IS NULL"),
    ):
        op.create_index(
            op.f(name),
            "outbound",
            columns,
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )
    op.create_table(
        "attempt",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("outbound", INTEGER, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("finding", TEXT, nullable=False),
        sa.Column("phase", TEXT, nullable=False),
        sa.Column("code", INTEGER, nullable=False),
        sa.Column("enhanced", TEXT, nullable=False),
        sa.Column("words", TEXT, nullable=False),
        sa.Column("is_theirs", FLAG, nullable=False),
        sa.Column("is_shared", FLAG, nullable=False),
        sa.Column("host", TEXT),
        sa.Column("ip", TEXT),
        sa.Column("tls_version", TEXT),
        sa.Column("tls_cipher", TEXT),
        sa.Column("tls_bits", INTEGER),
        sa.Column("policy", TEXT, nullable=False),
        sa.Column("passes_dsn", FLAG, nullable=False),
        sa.Column("milliseconds", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
        sa.ForeignKeyConstraint(["outbound"], ["outbound.id"], name=op.f("fk_attempt_outbound")),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_attempt_outbound"), "attempt", ["outbound"])
