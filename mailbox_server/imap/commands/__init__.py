"""Every IMAP command, one row each: name, states, grammar, handler, RFC."""

from functools import partial
from typing import Any, Final

from mailbox_server.imap.command_row import (
    AFTER_LOGIN,
    ANY_STATE,
    BEFORE_LOGIN,
    WHEN_SELECTED,
    CommandRow,
    CommandTable,
)
from mailbox_server.imap.commands.acl import delete_acl, get_acl, list_rights, my_rights, set_acl
from mailbox_server.imap.commands.any_state import capability, identify, logout, noop
from mailbox_server.imap.commands.append import append
from mailbox_server.imap.commands.authentication import (
    authenticate,
    login,
    starttls,
    unauthenticate,
)
from mailbox_server.imap.commands.compress import compress
from mailbox_server.imap.commands.copy import copy, move
from mailbox_server.imap.commands.enable import enable
from mailbox_server.imap.commands.esearch import esearch
from mailbox_server.imap.commands.expunge import expunge
from mailbox_server.imap.commands.fetch import fetch
from mailbox_server.imap.commands.idle import idle
from mailbox_server.imap.commands.language import language
from mailbox_server.imap.commands.listing import list_mailboxes, list_subscribed
from mailbox_server.imap.commands.mailboxes import (
    create,
    delete,
    namespace,
    rename,
    subscribe,
    unsubscribe,
)
from mailbox_server.imap.commands.metadata import get_metadata, set_metadata
from mailbox_server.imap.commands.notify import notify
from mailbox_server.imap.commands.quota import quota, quota_root, set_quota
from mailbox_server.imap.commands.replace import replace
from mailbox_server.imap.commands.search import cancel_update, search
from mailbox_server.imap.commands.select import close, examine, select, unselect
from mailbox_server.imap.commands.sort import sort
from mailbox_server.imap.commands.status import status
from mailbox_server.imap.commands.store import store
from mailbox_server.imap.commands.thread import thread
from mailbox_server.imap.commands.uid_batches import uid_batches
from mailbox_server.imap.commands.url_fetch import url_fetch
from mailbox_server.imap.commands.url_keys import gen_url_auth, reset_key
from mailbox_server.imap.grammar.acl_arguments import parse_identified, parse_set_acl
from mailbox_server.imap.grammar.append import parse_append, parse_replace
from mailbox_server.imap.grammar.batch_arguments import parse_batches
from mailbox_server.imap.grammar.esearch_arguments import parse_esearch
from mailbox_server.imap.grammar.fetch_items import parse_fetch
from mailbox_server.imap.grammar.mailbox_arguments import (
    parse_create,
    parse_list,
    parse_lsub,
    parse_one_mailbox,
    parse_quota,
    parse_rename,
    parse_select,
    parse_status,
)
from mailbox_server.imap.grammar.message_arguments import (
    parse_copy,
    parse_expunge,
    parse_store,
    parse_uid_expunge,
)
from mailbox_server.imap.grammar.metadata_arguments import parse_get_metadata, parse_set_metadata
from mailbox_server.imap.grammar.notify_arguments import parse_notify
from mailbox_server.imap.grammar.quota_arguments import parse_set_quota
from mailbox_server.imap.grammar.search_criteria import parse_search
from mailbox_server.imap.grammar.search_returns import parse_cancel_update
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.grammar.session_arguments import (
    parse_authenticate,
    parse_compress,
    parse_enable,
    parse_id,
    parse_language,
    parse_login,
    parse_nothing,
)
from mailbox_server.imap.grammar.sort_arguments import parse_sort, parse_thread
from mailbox_server.imap.grammar.url_arguments import (
    parse_gen_url_auth,
    parse_reset_key,
    parse_url_fetch,
)
from mailbox_server.imap.views.selected import Tells

COMMANDS: Final[tuple[CommandRow[Any], ...]] = (
    CommandRow("CAPABILITY", ANY_STATE, parse_nothing, capability, "RFC 9051 §6.1.1"),
    CommandRow(
        "NOOP", ANY_STATE, parse_nothing, noop, "RFC 9051 §6.1.2", asks_news=True, repeats=True
    ),
    CommandRow("LOGOUT", ANY_STATE, parse_nothing, logout, "RFC 9051 §6.1.3", Tells.NOTHING),
    CommandRow("ID", ANY_STATE, parse_id, identify, "RFC 2971 §3.1"),
    CommandRow("STARTTLS", BEFORE_LOGIN, parse_nothing, starttls, "RFC 9051 §6.2.1"),
    CommandRow("LOGIN", BEFORE_LOGIN, parse_login, login, "RFC 9051 §6.2.3"),
    CommandRow(
        "AUTHENTICATE", BEFORE_LOGIN, parse_authenticate, authenticate, "RFC 9051 §6.2.2, RFC 4959"
    ),
    CommandRow("COMPRESS", AFTER_LOGIN, parse_compress, compress, "RFC 4978 §3"),
    CommandRow("UNAUTHENTICATE", AFTER_LOGIN, parse_nothing, unauthenticate, "RFC 8437 §3"),
    CommandRow("LANGUAGE", ANY_STATE, parse_language, language, "RFC 5255 §3.2"),
    CommandRow("ENABLE", AFTER_LOGIN, parse_enable, enable, "RFC 5161 §3.1"),
    CommandRow(
        "SELECT", AFTER_LOGIN, parse_select, select, "RFC 9051 §6.3.2", Tells.NOTHING, repeats=True
    ),
    CommandRow("EXAMINE", AFTER_LOGIN, parse_select, examine, "RFC 9051 §6.3.3", Tells.NOTHING),
    CommandRow("CREATE", AFTER_LOGIN, parse_create, create, "RFC 9051 §6.3.4, RFC 6154 §3"),
    CommandRow("DELETE", AFTER_LOGIN, parse_one_mailbox, delete, "RFC 9051 §6.3.5"),
    CommandRow("RENAME", AFTER_LOGIN, parse_rename, rename, "RFC 9051 §6.3.6"),
    CommandRow("SUBSCRIBE", AFTER_LOGIN, parse_one_mailbox, subscribe, "RFC 9051 §6.3.7"),
    CommandRow("UNSUBSCRIBE", AFTER_LOGIN, parse_one_mailbox, unsubscribe, "RFC 9051 §6.3.8"),
    CommandRow(
        "LIST",
        AFTER_LOGIN,
        parse_list,
        list_mailboxes,
        "RFC 9051 §6.3.9, RFC 6154 §5",
        repeats=True,
    ),
    CommandRow("LSUB", AFTER_LOGIN, parse_lsub, list_subscribed, "RFC 3501 §6.3.9"),
    CommandRow("NAMESPACE", AFTER_LOGIN, parse_nothing, namespace, "RFC 2342 §5"),
    CommandRow("GETQUOTA", AFTER_LOGIN, parse_quota, quota, "RFC 9208 §4.1.1"),
    CommandRow("GETQUOTAROOT", AFTER_LOGIN, parse_one_mailbox, quota_root, "RFC 9208 §4.1.2"),
    CommandRow("SETQUOTA", AFTER_LOGIN, parse_set_quota, set_quota, "RFC 9208 §4.1.3"),
    CommandRow("SETACL", AFTER_LOGIN, parse_set_acl, set_acl, "RFC 4314 §3.1"),
    CommandRow("DELETEACL", AFTER_LOGIN, parse_identified, delete_acl, "RFC 4314 §3.2"),
    CommandRow("GETACL", AFTER_LOGIN, parse_one_mailbox, get_acl, "RFC 4314 §3.3"),
    CommandRow("LISTRIGHTS", AFTER_LOGIN, parse_identified, list_rights, "RFC 4314 §3.4"),
    CommandRow("MYRIGHTS", AFTER_LOGIN, parse_one_mailbox, my_rights, "RFC 4314 §3.5"),
    CommandRow("GETMETADATA", AFTER_LOGIN, parse_get_metadata, get_metadata, "RFC 5464 §4.2"),
    CommandRow("SETMETADATA", AFTER_LOGIN, parse_set_metadata, set_metadata, "RFC 5464 §4.3"),
    CommandRow(
        "STATUS",
        AFTER_LOGIN,
        parse_status,
        status,
        "RFC 3501 §6.3.10, RFC 7162 §3.1.7",
        repeats=True,
    ),
    CommandRow(
        "APPEND", AFTER_LOGIN, parse_append, append, "RFC 9051 §6.3.12, RFC 3502", streams=True
    ),
    CommandRow("ESEARCH", AFTER_LOGIN, parse_esearch, esearch, "RFC 7377 §2"),
    CommandRow(
        "REPLACE",
        WHEN_SELECTED,
        partial(parse_replace, by=By.NUMBER),
        replace,
        "RFC 8508 §3.2",
        streams=True,
        names_message=True,
        by_number=True,
    ),
    CommandRow("RESETKEY", AFTER_LOGIN, parse_reset_key, reset_key, "RFC 4467 §7"),
    CommandRow("GENURLAUTH", AFTER_LOGIN, parse_gen_url_auth, gen_url_auth, "RFC 4467 §7"),
    CommandRow("URLFETCH", AFTER_LOGIN, parse_url_fetch, url_fetch, "RFC 4467 §7"),
    CommandRow("IDLE", AFTER_LOGIN, parse_nothing, idle, "RFC 2177 §3", repeats=True),
    CommandRow("NOTIFY", AFTER_LOGIN, parse_notify, notify, "RFC 5465 §3.1"),
    CommandRow("CHECK", WHEN_SELECTED, parse_nothing, noop, "RFC 3501 §6.4.1", asks_news=True),
    CommandRow("CLOSE", WHEN_SELECTED, parse_nothing, close, "RFC 9051 §6.4.1", Tells.NOTHING),
    CommandRow("UNSELECT", WHEN_SELECTED, parse_nothing, unselect, "RFC 3691 §2", Tells.NOTHING),
    CommandRow("EXPUNGE", WHEN_SELECTED, parse_expunge, expunge, "RFC 9051 §6.4.3"),
    CommandRow(
        "SEARCH",
        WHEN_SELECTED,
        partial(parse_search, by=By.NUMBER),
        search,
        "RFC 9051 §6.4.4, RFC 7162 §3.1.5",
        Tells.NO_EXPUNGE,
        by_number=True,
        repeats=True,
    ),
    CommandRow(
        "FETCH",
        WHEN_SELECTED,
        partial(parse_fetch, by=By.NUMBER),
        fetch,
        "RFC 9051 §6.4.5, RFC 7162 §3.1.4",
        Tells.NO_EXPUNGE,
        by_number=True,
    ),
    CommandRow(
        "STORE",
        WHEN_SELECTED,
        partial(parse_store, by=By.NUMBER),
        store,
        "RFC 9051 §6.4.6, RFC 7162 §3.1.3",
        Tells.NO_EXPUNGE,
        by_number=True,
    ),
    CommandRow(
        "SORT",
        WHEN_SELECTED,
        partial(parse_sort, by=By.NUMBER),
        sort,
        "RFC 5256 §3, RFC 5267 §3, §4",
        Tells.NO_EXPUNGE,
        by_number=True,
        repeats=True,
    ),
    CommandRow(
        "THREAD",
        WHEN_SELECTED,
        partial(parse_thread, by=By.NUMBER),
        thread,
        "RFC 5256 §3",
        Tells.NO_EXPUNGE,
        by_number=True,
        repeats=True,
    ),
    CommandRow(
        "CANCELUPDATE", WHEN_SELECTED, parse_cancel_update, cancel_update, "RFC 5267 §4.3.5"
    ),
    CommandRow(
        "COPY",
        WHEN_SELECTED,
        partial(parse_copy, by=By.NUMBER),
        copy,
        "RFC 9051 §6.4.7",
        by_number=True,
    ),
    CommandRow(
        "MOVE",
        WHEN_SELECTED,
        partial(parse_copy, by=By.NUMBER),
        move,
        "RFC 6851 §3.1",
        by_number=True,
    ),
    CommandRow("UIDBATCHES", WHEN_SELECTED, parse_batches, uid_batches, "RFC 10022 §3.1"),
    CommandRow("UID EXPUNGE", WHEN_SELECTED, parse_uid_expunge, expunge, "RFC 4315 §2.1"),
    CommandRow(
        "UID SEARCH",
        WHEN_SELECTED,
        partial(parse_search, by=By.UID),
        search,
        "RFC 9051 §6.4.9",
        repeats=True,
    ),
    CommandRow(
        "UID SORT", WHEN_SELECTED, partial(parse_sort, by=By.UID), sort, "RFC 5256 §3", repeats=True
    ),
    CommandRow(
        "UID THREAD",
        WHEN_SELECTED,
        partial(parse_thread, by=By.UID),
        thread,
        "RFC 5256 §3",
        repeats=True,
    ),
    CommandRow(
        "UID FETCH", WHEN_SELECTED, partial(parse_fetch, by=By.UID), fetch, "RFC 9051 §6.4.9"
    ),
    CommandRow(
        "UID STORE", WHEN_SELECTED, partial(parse_store, by=By.UID), store, "RFC 9051 §6.4.9"
    ),
    CommandRow("UID COPY", WHEN_SELECTED, partial(parse_copy, by=By.UID), copy, "RFC 9051 §6.4.9"),
    CommandRow(
        "UID REPLACE",
        WHEN_SELECTED,
        partial(parse_replace, by=By.UID),
        replace,
        "RFC 8508 §3.3",
        streams=True,
        names_message=True,
    ),
    CommandRow("UID MOVE", WHEN_SELECTED, partial(parse_copy, by=By.UID), move, "RFC 6851 §3.2"),
)

COMMAND_TABLE: Final = CommandTable(COMMANDS)
