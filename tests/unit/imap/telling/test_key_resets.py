"""Who hears that a mailbox's access key was reset."""

from mailbox_server.imap.telling.key_resets import KeyResets, KeyWatch
from mailbox_server.model.ids import AccountId, MailboxId

ANN, BOB = AccountId(1), AccountId(2)
INBOX, SENT = MailboxId(1), MailboxId(2)


def test_only_who_has_it_selected_is_told_and_once() -> None:
    resets, rang = KeyResets(), []
    watches = [KeyWatch(resets) for _ in range(4)]
    selected = ((ANN, INBOX), (ANN, INBOX), (ANN, SENT), (BOB, INBOX))
    for number, (account, mailbox) in enumerate(selected):
        watches[number].begin(account, mailbox, lambda number=number: rang.append(number))
    resets.tell(ANN, INBOX, watches[0])
    assert rang == [1]
    assert [watch.take() for watch in watches] == [False, True, False, False]
    assert not watches[1].take()
    resets.tell(ANN, None)
    assert [watch.take() for watch in watches] == [True, True, True, False]


def test_what_was_let_go_is_forgotten() -> None:
    resets = KeyResets()
    watch = KeyWatch(resets)
    watch.end()
    watch.begin(ANN, INBOX, lambda: None)
    resets.tell(ANN, INBOX)
    watch.end()
    assert not watch.take()
    resets.tell(ANN, INBOX)
    watch.begin(ANN, SENT, lambda: None)
    assert not watch.take()
    resets.tell(ANN, SENT)
    assert watch.take()
