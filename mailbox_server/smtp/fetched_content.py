"""Content that a URL names (RFC 4468), held to the same rules as content that is sent."""

from contextlib import aclosing

from mailbox_server.delivery.replies import URL_NOT_RESOLVED
from mailbox_server.model.errors import ContentDamaged, ContentMissing
from mailbox_server.model.reply import Reply
from mailbox_server.smtp import replies
from mailbox_server.smtp.data import ContentRules
from mailbox_server.smtp.limits import SmtpLimits
from mailbox_server.smtp.policy import Transaction


async def fetched(
    journey: Transaction, url: str, limits: SmtpLimits, taken: int
) -> tuple[int, Reply | None]:
    """Hand it to the journey, behind so many octets; how many there are then, or the refusal.

    What was stored long ago may hold what nobody may send: then it is refused.
    """
    found = await journey.fetch(url)
    if isinstance(found, Reply):
        return taken, found
    rules = ContentRules(limits.message_octets, limits.line_octets)
    rules.taken = taken
    try:
        async with aclosing(found) as blocks:
            async for block in blocks:
                octets = rules.take(block)
                if octets and journey.feed(octets):
                    await journey.drained()
                if rules.problem is not None:
                    break
    except (ContentMissing, ContentDamaged):
        return taken, URL_NOT_RESOLVED
    problem = rules.finish()
    return rules.taken, None if problem is None else replies.FOR_PROBLEM[problem]
