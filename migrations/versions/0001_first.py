"""The first schema: accounts, mailboxes, messages, contents."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import FLAG, INTEGER, OCTETS, TEXT

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
# The lowest SCHEMA_VERSION of a program that can use the store after this revision.
oldest_program = 1


def upgrade() -> None:
    op.create_table(
        "content",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("size", INTEGER, nullable=False),
        sa.Column("digest", OCTETS, nullable=False),
        sa.Column("checksums", OCTETS, nullable=False),
        sa.Column("ends_line", FLAG, nullable=False),
        sa.Column("file", TEXT),
        sa.Column("holders", INTEGER, nullable=False),
        sa.Column("released", INTEGER),
        sa.Column("raw_since", INTEGER),
        sa.Column("frames", OCTETS),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content")),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_content_file"),
        "content",
        ["file"],
        unique=True,
        sqlite_where=sa.text("file IS NOT NULL"),
        postgresql_where=sa.text("file IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_content_released"),
        "content",
        ["released"],
        sqlite_where=sa.text("released IS NOT NULL"),
        postgresql_where=sa.text("released IS NOT NULL"),
    )
    op.create_table(
        "content_chunk",
        sa.Column("id", INTEGER, nullable=False, autoincrement=False),
        sa.Column("expands_to", INTEGER),
        sa.Column("octets", OCTETS, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content_chunk")),
        sqlite_strict=True,
    )
    op.create_table(
        "domain",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("catch_all", TEXT),
        sa.Column("created", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_domain")),
        sa.UniqueConstraint("name", name=op.f("uq_domain_name")),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_table(
        "job_run",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("ended", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_job_run")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "receipt",
        sa.Column("fingerprint", OCTETS, nullable=False, autoincrement=False),
        sa.Column("at", INTEGER, nullable=False),
        sa.Column("messages", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_receipt")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "receipt_floor",
        sa.Column("message", INTEGER, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("message", name=op.f("pk_receipt_floor")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "schema",
        sa.Column("id", INTEGER, nullable=False, autoincrement=False),
        sa.Column("version", INTEGER, nullable=False),
        sa.Column("oldest_program", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schema")),
        sqlite_strict=True,
    )
    op.create_table(
        "uid_validity_floor",
        sa.Column("id", INTEGER, nullable=False, autoincrement=False),
        sa.Column("next", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uid_validity_floor")),
        sqlite_strict=True,
    )
    op.create_table(
        "account",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("domain", INTEGER),
        sa.Column("address", TEXT, nullable=False),
        sa.Column("key", TEXT),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("quota_octets", INTEGER, nullable=False),
        sa.Column("created", INTEGER, nullable=False),
        sa.Column("modseq", INTEGER, nullable=False),
        sa.Column("forgotten_at", INTEGER, nullable=False),
        sa.Column("octets", INTEGER, nullable=False),
        sa.Column("messages", INTEGER, nullable=False),
        sa.Column("uid_validity_next", INTEGER, nullable=False),
        sa.Column("password_hash", TEXT),
        sa.Column("scram_salt", OCTETS),
        sa.Column("scram_iterations", INTEGER),
        sa.Column("scram_stored_key", OCTETS),
        sa.Column("scram_server_key", OCTETS),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.ForeignKeyConstraint(["domain"], ["domain.id"], name=op.f("fk_account_domain")),
        sa.UniqueConstraint("key", name=op.f("uq_account_key")),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_account_domain"), "account", ["domain"])
    op.create_table(
        "alias",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("domain", INTEGER, nullable=False),
        sa.Column("address", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("created", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alias")),
        sa.ForeignKeyConstraint(["domain"], ["domain.id"], name=op.f("fk_alias_domain")),
        sa.UniqueConstraint("key", name=op.f("uq_alias_key")),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_alias_domain"), "alias", ["domain"])
    op.create_table(
        "alias_target",
        sa.Column("alias", INTEGER, nullable=False),
        sa.Column("position", INTEGER, nullable=False),
        sa.Column("address", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("alias", "position", name=op.f("pk_alias_target")),
        sa.ForeignKeyConstraint(["alias"], ["alias.id"], name=op.f("fk_alias_target_alias")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "keyword",
        sa.Column("account", INTEGER, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("account", "key", name=op.f("pk_keyword")),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_keyword_account")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "keyword_set",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("account", INTEGER, nullable=False),
        sa.Column("names", TEXT, nullable=False),
        sa.Column("seen", INTEGER, nullable=False),
        sa.UniqueConstraint("account", "names", name=op.f("uq_keyword_set_account_names")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keyword_set")),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_keyword_set_account")),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mailbox",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("account", INTEGER, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("role", TEXT),
        sa.Column("uid_validity", INTEGER, nullable=False),
        sa.Column("uid_next", INTEGER, nullable=False),
        sa.Column("recent_from", INTEGER, nullable=False),
        sa.Column("highest_modseq", INTEGER, nullable=False),
        sa.Column("forgotten_at", INTEGER, nullable=False),
        sa.Column("messages", INTEGER, nullable=False),
        sa.Column("unseen", INTEGER, nullable=False),
        sa.Column("deleted", INTEGER, nullable=False),
        sa.Column("octets", INTEGER, nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("updated_at", INTEGER, nullable=False),
        sa.Column("counts_at", INTEGER, nullable=False),
        sa.Column("destroyed_at", INTEGER),
        sa.Column("destroyed_on", INTEGER),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailbox")),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_mailbox_account")),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_mailbox_account"), "mailbox", ["account"])
    op.create_index(
        op.f("uq_mailbox_account_name"),
        "mailbox",
        ["account", "name"],
        unique=True,
        sqlite_where=sa.text("destroyed_at IS NULL"),
        postgresql_where=sa.text("destroyed_at IS NULL"),
    )
    op.create_index(
        op.f("uq_mailbox_account_role"),
        "mailbox",
        ["account", "role"],
        unique=True,
        sqlite_where=sa.text("destroyed_at IS NULL AND role IS NOT NULL"),
        postgresql_where=sa.text("destroyed_at IS NULL AND role IS NOT NULL"),
    )
    op.create_table(
        "message",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("account", INTEGER, nullable=False),
        sa.Column("thread", INTEGER, nullable=False),
        sa.Column("content", INTEGER),
        sa.Column("size", INTEGER, nullable=False),
        sa.Column("received", INTEGER, nullable=False),
        sa.Column("zone_minutes", INTEGER, nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("destroyed_at", INTEGER),
        sa.Column("destroyed_on", INTEGER),
        sa.Column("gone_at", INTEGER),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_message_account")),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_message_forgettable"),
        "message",
        ["destroyed_on"],
        sqlite_where=sa.text("destroyed_on IS NOT NULL AND content IS NOT NULL"),
        postgresql_where=sa.text("destroyed_on IS NOT NULL AND content IS NOT NULL"),
    )
    op.create_table(
        "known_network",
        sa.Column("account", INTEGER, nullable=False),
        sa.Column("network", TEXT, nullable=False),
        sa.Column("seen", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("account", "network", name=op.f("pk_known_network")),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_known_network_account")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_message_thread"), "message", ["thread"])
    op.create_table(
        "annotation",
        sa.Column("id", INTEGER, nullable=False, autoincrement=True),
        sa.Column("account", INTEGER, nullable=False),
        sa.Column("mailbox", INTEGER, nullable=False),
        sa.Column("entry", TEXT, nullable=False),
        sa.Column("value", OCTETS, nullable=True),
        sa.Column("updated_at", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotation")),
        sa.UniqueConstraint(
            "account", "mailbox", "entry", name=op.f("uq_annotation_account_mailbox_entry")
        ),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_annotation_account")),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_annotation_account_updated_at"), "annotation", ["account", "updated_at"]
    )
    op.create_table(
        "subscription",
        sa.Column("account", INTEGER, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("account", "name", name=op.f("pk_subscription")),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_subscription_account")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "thread_link",
        sa.Column("account", INTEGER, nullable=False),
        sa.Column("digest", INTEGER, nullable=False),
        sa.Column("thread", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("account", "digest", name=op.f("pk_thread_link")),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_thread_link_account")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "token",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("account", INTEGER, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("secret_digest", OCTETS, nullable=False),
        sa.Column("created", INTEGER, nullable=False),
        sa.Column("expires", INTEGER),
        sa.Column("last_used", INTEGER),
        sa.UniqueConstraint(
            "account", "secret_digest", name=op.f("uq_token_account_secret_digest")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_token_account")),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mailbox_keyword",
        sa.Column("mailbox", INTEGER, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "key", name=op.f("pk_mailbox_keyword")),
        sa.ForeignKeyConstraint(
            ["mailbox"], ["mailbox.id"], name=op.f("fk_mailbox_keyword_mailbox")
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "message_listing",
        sa.Column("message", INTEGER, nullable=False, autoincrement=False),
        sa.Column("size", INTEGER, nullable=False),
        sa.Column("dated", OCTETS, nullable=False),
        sa.Column("header_octets", INTEGER, nullable=False),
        sa.Column("trace", OCTETS, nullable=False),
        sa.Column("listed", OCTETS),
        sa.Column("envelope", OCTETS, nullable=False),
        sa.Column("body_structure", OCTETS, nullable=False),
        sa.Column("listed_rest", OCTETS),
        sa.Column("listed_order", OCTETS),
        sa.Column("sent", INTEGER),
        sa.Column("has_attachment", FLAG, nullable=False),
        sa.Column("subject_base", TEXT, nullable=False),
        sa.Column("preview", TEXT, nullable=False),
        sa.Column("thread_keys", OCTETS, nullable=False),
        sa.Column("body", OCTETS, nullable=False),
        sa.Column("parts", OCTETS, nullable=False),
        sa.PrimaryKeyConstraint("message", name=op.f("pk_message_listing")),
        sa.ForeignKeyConstraint(
            ["message"], ["message.id"], name=op.f("fk_message_listing_message")
        ),
        sqlite_strict=True,
    )
    op.create_table(
        "message_text",
        sa.Column("message", INTEGER, nullable=False, autoincrement=False),
        sa.Column("header", TEXT, nullable=False),
        sa.Column("cut", FLAG, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("message", name=op.f("pk_message_text")),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name=op.f("fk_message_text_message")),
        sqlite_strict=True,
    )
    op.create_table(
        "passport",
        sa.Column("message", INTEGER, nullable=False, autoincrement=False),
        sa.Column("evidence", TEXT, nullable=False),
        sa.Column("fingerprint", OCTETS, nullable=True),
        sa.PrimaryKeyConstraint("message", name=op.f("pk_passport")),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name=op.f("fk_passport_message")),
        sqlite_strict=True,
    )
    op.create_table(
        "placement",
        sa.Column("mailbox", INTEGER, nullable=False),
        sa.Column("uid", INTEGER, nullable=False),
        sa.Column("message", INTEGER, nullable=False),
        sa.Column("keyword_set", INTEGER, nullable=False),
        sa.Column("deleted", FLAG, nullable=False),
        sa.Column("shared", FLAG, nullable=False),
        sa.Column("saved", INTEGER, nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("updated_at", INTEGER, nullable=False),
        sa.Column("expunged_at", INTEGER),
        sa.Column("expunged_on", INTEGER),
        sa.PrimaryKeyConstraint("mailbox", "uid", name=op.f("pk_placement")),
        sa.ForeignKeyConstraint(["mailbox"], ["mailbox.id"], name=op.f("fk_placement_mailbox")),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name=op.f("fk_placement_message")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_placement_deleted"),
        "placement",
        ["mailbox", "deleted", "expunged_at", "uid"],
        sqlite_where=sa.text("deleted = 1 AND expunged_at IS NULL"),
        postgresql_where=sa.text("deleted = 1 AND expunged_at IS NULL"),
    )
    op.create_index(
        op.f("ix_placement_expunged_on"),
        "placement",
        ["expunged_on"],
        sqlite_where=sa.text("expunged_on IS NOT NULL"),
        postgresql_where=sa.text("expunged_on IS NOT NULL"),
    )
    op.create_index(op.f("ix_placement_mailbox_updated_at"), "placement", ["mailbox", "updated_at"])
    op.create_index(op.f("ix_placement_message"), "placement", ["message"])
