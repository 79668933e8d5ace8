"""What NOTIFY asks for, put together (RFC 5465 §6)."""

from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.notify_arguments import Event, parse_notify
from mailbox_server.imap.telling.wishes import Wishes, wishes_of
from mailbox_server.imap.views.selected import Hears


def wished(text: bytes) -> Wishes:
    groups = parse_notify(Lexer(b" SET " + text)).groups
    assert groups is not None
    return wishes_of(groups)


def test_groups_of_one_mailbox_add_up() -> None:
    wishes = wished(
        b"(MAILBOXES INBOX (MessageNew MessageExpunge)) (PERSONAL (SubscriptionChange)) "
        b"(SUBTREE a/b (MailboxName)) (SUBSCRIBED (MailboxMetadataChange)) (MAILBOXES INBOX NONE)"
    )
    about = Event.SUBSCRIPTION_CHANGE
    assert wishes.of("INBOX", is_subscribed=False) == {
        about,
        Event.MESSAGE_NEW,
        Event.MESSAGE_EXPUNGE,
    }
    assert wishes.of("a/b", is_subscribed=False) == {about, Event.MAILBOX_NAME}
    assert wishes.of("a/b/c/d", is_subscribed=False) == {about, Event.MAILBOX_NAME}
    assert wishes.of("a/bc", is_subscribed=False) == wishes.of("a", is_subscribed=False) == {about}
    assert Event.MAILBOX_METADATA_CHANGE in wishes.of("a", is_subscribed=True)
    assert wishes.reach_elsewhere and wishes.are_about_annotations and not wishes.of_server


def test_mailboxes_of_others_are_not_personal() -> None:
    others = "Other users/ann@example.test/INBOX"
    wishes = wished(b"(PERSONAL (MailboxName)) (INBOXES (SubscriptionChange))")
    assert wishes.of("INBOX", is_subscribed=False) and not wishes.of(others, is_subscribed=True)
    assert not wishes.reach_others
    for group in (b"SUBSCRIBED", b'SUBTREE "Other users"', b'MAILBOXES ("%b")' % others.encode()):
        wishes = wished(b"(" + group + b" (MailboxName))")
        assert wishes.reach_others and wishes.of(others, is_subscribed=True)
    assert not wished(b"(SUBTREE a (MailboxName))").reach_others


def test_the_selected_mailbox() -> None:
    assert wished(b"(PERSONAL (MailboxName))").hears is Hears.OWN
    assert wished(b"(SELECTED NONE)") == Wishes() and not Wishes().are_any
    some = wished(b"(SELECTED-DELAYED (MessageNew MessageExpunge AnnotationChange))")
    assert some.hears is Hears.NO_FLAGS and some.delays_expunges and not some.reach_elsewhere
    every = wished(b"(SELECTED (MessageNew (FLAGS) MessageExpunge FlagChange))")
    assert every.hears is Hears.ALL and [item.value for item in every.items] == [b"UID", b"FLAGS"]


def test_metadata_of_the_server_are_wished_for_in_any_group() -> None:
    wishes = wished(b"(MAILBOXES a (ServerMetadataChange))")
    assert wishes.of_server and wishes.are_about_annotations
    assert not wished(b"(MAILBOXES a NONE)").reach_elsewhere
