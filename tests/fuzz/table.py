"""Every target, in the order in which `all` runs them."""

from typing import Final

from tests.fuzz.bounce_targets import BOUNCE_TARGETS
from tests.fuzz.document_targets import DOCUMENT_TARGETS
from tests.fuzz.imap_stream_targets import STREAM_TARGETS
from tests.fuzz.imap_targets import IMAP_TARGETS
from tests.fuzz.message_targets import MESSAGE_TARGETS
from tests.fuzz.other_targets import OTHER_TARGETS
from tests.fuzz.policy_targets import POLICY_TARGETS
from tests.fuzz.pop3_targets import POP3_TARGETS
from tests.fuzz.relay_targets import RELAY_TARGETS
from tests.fuzz.search_targets import SEARCH_TARGETS
from tests.fuzz.sending_targets import SENDING_TARGETS
from tests.fuzz.smtp_targets import SMTP_TARGETS
from tests.fuzz.text_targets import TEXT_TARGETS

TARGETS: Final = (
    *SMTP_TARGETS,
    *SENDING_TARGETS,
    *RELAY_TARGETS,
    *POLICY_TARGETS,
    *IMAP_TARGETS,
    *STREAM_TARGETS,
    *POP3_TARGETS,
    *MESSAGE_TARGETS,
    *TEXT_TARGETS,
    *SEARCH_TARGETS,
    *DOCUMENT_TARGETS,
    *BOUNCE_TARGETS,
    *OTHER_TARGETS,
)
