"""Words by which servers say why they refuse, in lower case, each row one cause.

Rows stand in the order in which they are looked for: what is special comes before what is
general.  Patterns are literals with at most a small bounded gap, so that looking is linear.
"""

import re
from typing import Final

from mailbox_server.model.bounce import Cause

Rows = tuple[tuple[Cause, re.Pattern[str]], ...]


def _row(cause: Cause, *patterns: str) -> tuple[Cause, re.Pattern[str]]:
    return cause, re.compile("|".join(patterns))


DISTRUST: Final[Rows] = (
    _row(
        Cause.SPAM,
        r"(?:classified|considered|detected|identified|flagged|marked|recogni[sz]ed|rejected) "
        r"(?:as|to be|due to) (?:spam|junk)",
        r"spam (?:classification|detected|message|content|score)|is spam\b|looks like spam",
        r"black ?listed url",
    ),
    _row(
        Cause.SENDER_CHECKS,
        r"\bdmarc\b",
        r"\bdkim\b.{0,40}(?:fail|did not pass|invalid|required|missing)",
        r"\bspf\b.{0,60}(?:fail|did not pass|check|record|violat|not authori|reject|deny)",
        r"\bspf\b.{0,60}(?:polic|error)",
        r"(?:fail|failed|violat|reject)[a-z ]{0,30}\bspf\b",
        r"openspf\.",
        r"sender policy framework",
        r"sender is unauthenticated|authentication information|purported responsible address",
        r"mismatch(?:es)? (?:the )?client ip|address is not verified",
        r"unauthenticated (?:email|mail|sender|message)",
        r"requires? all senders to authenticate",
        r"reverse[ -]?(?:dns|lookup|ip|resol|hostname)",
        r"\br?dns[ _](?:ptr|reverse)",
        r"\bptr (?:record|lookup|dns|name)",
        r"\bptr\b.{0,30}(?:missing|record|fail|not)",
        r"ip (?:name )?lookup failed",
        r"may not be mail exchanger",
        r"cannot (?:find|resolve) your (?:reverse )?(?:hostname|ip|address)",
        r"(?:cannot|unable to|could not|can't) (?:find your hostname|resolve your)",
        r"(?:helo|ehlo)[^.]{0,60}(?:reject|not found|resolv|fully.qualified|mismatch|valid)",
        r"(?:sender|from)[ '-]*(?:address |domain ){0,2}(?:rejected|denied|refused|not found)",
        r"domain of sender(?: address)?",
        r"(?:sender|from|return)[a-z ]{0,20}domain.{0,40}(?:exist|resolve|not found|mx record)",
        r"(?:sender|from|return)[a-z ]{0,20}domain.{0,40}valid",
        r"sender (?:verify|verification) failed|unroute?able sender",
        r"(?:could not|cannot|unable to) verify (?:the )?(?:sender|return)",
        r"without a valid sender domain",
        r"invalid (?:ip for sending mail|sender|return address|helo)",
        r"your (?:sending )?(?:ip|host|server).{0,30}(?:not|isn't) (?:allowed|permitted|authori)",
        r"mail from.{0,40}not (?:allowed|authori|permitted)",
        r"sender (?:is )?not (?:allowed|authori|permitted)",
    ),
    _row(
        Cause.RATE,
        r"too many (?:messages|recipients|mails|emails|connections?|concurrent|sessions|errors)",
        r"(?:rate|volume|connection|frequency|sending)[a-z ]{0,12}limit",
        r"limit(?:ed)?[a-z ]{0,20}(?:rate|frequency)",
        r"frequency limited",
        r"unexpected volume",
        r"exceeded (?:the )?(?:maximum|max|allowable|your|hourly|daily)[a-z ]{0,40}"
        r"(?:connections|messages|recipients|mails|emails|rate)",
        r"receiving mail (?:too quickly|at a rate)",
        r"throttl",
        r"quota for sending|(?:daily|hourly)[a-z ]{0,16}(?:quota|limit)",
        r"unusual rate",
        r"slow down",
    ),
    _row(
        Cause.REPUTATION,
        r"spamhaus",
        r"spamcop",
        r"\bsorbs\b",
        r"abuseat",
        r"barracuda(?:central|networks)",
        r"uceprotect",
        r"senderscore|senderbase",
        r"proofpoint\.com/dnsbl|csi\.cloudmark|cloudmark",
        r"\bdnsbl\b",
        r"\brbls?\b",
        r"black ?list",
        r"block ?list",
        r"deny ?list",
        r"(?:poor|bad|low|very low|negative|no) (?:sender |domain |ip |email )?reputation",
        r"reputation",
        r"(?:\b(?:client|host|ip|address|sender|server|network)\b|\])[^.]{0,60}"
        r"(?:block(?:ed|ing)|banned|bloqu)",
        r"blocked (?:ip|using|by|for|due|-|because of)",
        r"\bip\b[^.]{0,30}(?:listed|banned|refus)|banned[a-z ]{0,12}\bip\b",
        r"\[(?:ph|tss|bl|ts|cs|gl)[0-9]{2,3}\]",
        r"\bs3140\b|\bs3150\b",
        r"sc-00[0-9]|dy-00[0-9]",
        r"(?:dynamic|residential|generic|dial-?up)[^.]{0,30}(?:ip|address|host|range|rdns)",
        r"(?:insecure|open) (?:mail )?(?:relay|proxy)",
        r"(?<!not )listed (?:in|at|on|by)\b",
        r"too much spam|spamming|spam (?:source|incident)|incident de spam",
        r"user complaints",
        r"client host rejected",
        r"you are not allowed to (?:connect|send)",
        r"\(bl\)",
        r"mail from[^.]{0,40}(?:block|refus)ed",
    ),
    _row(
        Cause.CONTENT,
        r"\bvirus",
        r"\bmalware",
        r"\btrojan",
        r"\bworm\b",
        r"infected",
        r"attachment.{0,60}(?:not allowed|block|forbid|prohibit|reject|illegal|denied)",
        r"(?:banned|blocked|forbidden|prohibited|potentially|executable)[a-z ]{0,20}"
        r"(?:attachment|file|content|security)",
        r"(?:content|message).{0,30}potential security",
        r"content presents a potential",
        r"not rfc ?[0-9]{0,4} ?compliant|rfc ?[0-9]{3,4} compliant",
        r"multiple.{0,20}(?:addresses in from|headers?)",
        r"duplicate header",
        r"headers? too large|header (?:field )?(?:size|line)[^.]{0,30}(?:exceed|too|large|long)",
        r"bare (?:lf|cr|line)",
        r"line (?:is )?too long|line (?:limit|length) exceed",
        r"(?:missing|invalid|bad|no|malformed|illegal)[a-z :'\"]{0,20}"
        r"(?:from|date|message-id|subject|mime|header)[a-z ]{0,10}(?:header|field|:)",
        r"improper use of 8-?bit data",
        r"(?:8.?bit|non-?ascii)[a-z ]{0,20}(?:header|character)",
        r"mime (?:error|structure)",
    ),
    _row(
        Cause.SPAM,
        r"spam",
        r"\bube\b",
        r"\buce\b",
        r"unsolicited",
        r"\bbulk (?:mail|email)",
        r"junk ?mail",
        r"phish",
        r"(?:message|mail|email)?[a-z ]{0,12}content (?:rejected|denied|refused|not acceptable)",
        r"content.{0,20}(?:filter|reject)",
        r"considered (?:as )?(?:junk|suspicious)",
        r"suspicious",
        r"high probability of",
    ),
)
"""Refusals for what the sender is or says: they win even over a code that means a dead
address, because some providers misuse those."""

PLAIN: Final[Rows] = (
    _row(
        Cause.GREYLISTED,
        r"gr[ea]y[ -]?list",
        r"\bgreytrap",
        r"come back (?:later|in)",
        r"temporarily rejected. try again later",
    ),
    _row(
        Cause.INSECURE,
        r"must issue a starttls",
        r"starttls (?:is )?(?:required|failed|not)",
        r"requiretls",
        r"(?:tls|ssl|encryption|secure connection)[a-z :]{0,30}(?:required|needed|fail|error)",
        r"(?:tls|ssl|encryption|secure connection)[a-z :]{0,30}(?:handshake|not available)",
        r"certificate.{0,40}(?:expired|verif|not trusted|untrusted|mismatch|invalid)",
        r"mta-sts|\bdane\b|\btlsa\b",
        r"(?:does not|doesn't|not) support (?:starttls|tls|ssl)",
        r"no (?:shared )?cipher",
        r"handshake fail",
    ),
    _row(
        Cause.LOOP,
        r"too many hops",
        r"hop count",
        r"(?:mail|message|routing|forwarding|delivery)[a-z ]{0,10}loop",
        r"loops? back to (?:myself|me)",
        r"loop detected|looping",
        r"too many .?received",
        r"config(?:uration)? error: mail loops",
    ),
    _row(
        Cause.MAILBOX_FULL,
        r"(?:over|exceed(?:ed|s|ing)?|above|beyond)[a-z' ]{0,40}(?:quota|allowed size|storage)",
        r"quota (?:is )?(?:exceed|full|violation|limit|reached)",
        r"quotaexceeded",
        r"(?:mail|in)?box[a-z' ]{0,20}(?:is )?(?:full|over ?quota)",
        r"boite pleine|boîte pleine",
        r"mailbox (?:size|has exceeded|exceed)",
        r"(?:too much|not enough|insufficient)[a-z ]{0,20}(?:space|storage|mail data|quota)",
        r"(?:no|out of)[a-z ]{0,10}(?:room|storage|disk space)",
        r"storage (?:space )?(?:exceeded|full|limit)",
        r"\bover ?quota\b",
        r"(?:account|user|recipient|mailbox)[^.]{0,40}(?:full|out of storage|disk quota)",
        r"would exceed",
        r"容量",
    ),
    _row(
        Cause.TOO_LARGE,
        r"(?:message|mail|msg|size|letter|body)[a-z :]{0,30}(?:too (?:big|large)|exceeds|over)",
        r"too (?:big|large)",
        r"(?:message|mail)? ?(?:size|length)[a-z :]{0,20}(?:limit|exceed|maxim)",
        r"exceeds?[a-z ]{0,30}(?:size|length|limit set by recipient)",
        r"maximum (?:message|allowed) size",
        r"size restriction",
    ),
    _row(
        Cause.NO_MAIL_DOMAIN,
        r"null ?mx",
        r"domain.{0,60}(?:doesn't|does not) (?:receive|accept) (?:e?mail|any mail)",
    ),
    _row(
        Cause.DISABLED,
        r"(?:account|mailbox|user|recipient|address|inbox|email|service)[^.;:]{0,60}"
        r"(?:disabled|inactive|suspended|discontinued|deactivated|locked|closed|expired|terminated"
        r"|no longer (?:in use|available|valid|active|accept|work)|not active|has been removed"
        r"|administratively|blocked by admin|frozen)",
        r"account is blocked|compte[a-z ]{0,20}bloqu",
        r"(?:inactive|disabled|suspended|deactivated|closed)[a-z -]{0,12}"
        r"(?:account|user|mailbox|recipient|address|email)",
        r"no longer (?:in use|employed|works|with (?:us|the))",
        r"not (?:accepting|receiving) (?:messages|mail|email|e-mail)[a-z ]{0,20}(?:at this time)?",
        r"account that you tried to reach is (?:disabled|inactive)",
        r"left the (?:company|organi[sz]ation)",
    ),
    _row(
        Cause.MOVED,
        r"(?:has|have) moved",
        r"user not local",
        r"(?:changed|new) (?:his |her |their )?(?:e-?mail )?address",
        r"please (?:use|try|forward)[^.]{0,30}@",
        r"no longer on server",
    ),
    _row(
        Cause.NO_SUCH_DOMAIN,
        r"(?:no such|unknown|invalid|bad|nonexistent|non-existent|unrouteable|unroutable)"
        r"[a-z -]{0,20}(?:domain|host)\b",
        r"(?:host|domain|domain name|name)(?: name)?[^.;<>]{0,60}"
        r"(?:not found|unknown|does not exist|doesn't exist|could not be found|couldn't be found)",
        r"host unknown",
        r"\bnxdomain\b",
        r"unroutable address|unrouteable (?:mail )?(?:address|domain)",
        r"couldn't find any host|couldn't find a mail exchanger|host name lookup fail",
        r"(?:no|had no|any) (?:mx|mail server|mail exchanger|relevant answers?)\b",
        r"all relevant mx records point to non-existent",
        r"name service error",
        r"(?:dns|mx)[a-z ]{0,20}(?:lookup|query|record)[a-z ]{0,20}(?:fail|error|not found)",
        r"unable to route|no route to (?:domain)|cannot route|relay lookup failure",
        r"domain is not (?:hosted|reachable)|illegal host/domain",
        r"unknown mail domain",
    ),
    _row(
        Cause.NO_SUCH_MAILBOX,
        r"(?:no such|unknown|invalid|bad|non-?existent|unrecognized|not a valid|no valid|wrong)"
        r"[a-z:' -]{0,24}"
        r"(?:user|recipient|mailbox|address|account|person|name|local|customer|subscriber|member|here)",
        r"(?:user|recipient|mailbox|account|address|person|inbox|e-?mail|name|alias|who|customer)"
        r"[^;]{0,90}?"
        r"(?:unknown|not (?:found|exist|known|recogni[sz]ed|valid|a valid|listed|local|our)"
        r"|doesn't (?:exist|have)|does not (?:exist|have)|doesn.t exist|isn't (?:valid|known)"
        r"|invalid|couldn't be found|could not be found|no account|not in (?:directory|list))",
        r"(?:user|mailbox|recipient|address)s? unknown",
        r"recipnotfound|recipient ?not ?found",
        r"(?:doesn't|does not|didn't) (?:have|like) (?:a|an|any|recipient)[^.;]{0,60}"
        r"(?:account|mailbox|here)?",
        r"(?:does not|doesn't|did not) (?:exist|recogni[sz]e)",
        r"no (?:mailbox|account|user|recipient|one|such)[a-z ]{0,20}(?:here|by|with|of|at|named)?\b"
        r"[^.]{0,20}(?:here|name|exist|found|user|address)",
        r"not our customer",
        r"mailbox (?:is )?(?:unavailable|not available)",
        r"undeliverable (?:address|recipient)",
        r"adresse (?:destinataire|d au moins un destinataire)? ?invalide",
        r"is not a known|unable to find user|cannot find (?:user|recipient)",
        r"group you tried to contact|check if (?:the )?address is correct",
        r"宛先|見つか|あて先|ディレクトリ",
        r"unknown in|reject recipient|not a member",
    ),
    _row(
        Cause.MALFORMED,
        r"syntax error|bad (?:destination|address)[a-z ]{0,20}syntax|malformed",
        r"incorrectly constructed|illegal (?:address|character)",
        r"mailbox name not allowed",
    ),
    _row(
        Cause.UNSUPPORTED,
        r"smtputf8|8bitmime|not supported[a-z ]{0,20}(?:by|here)?|utf-?8",
    ),
    _row(
        Cause.UNREACHABLE,
        r"connection (?:timed out|refused|reset|lost|dropped|closed|was)",
        r"(?<!retry )(?<!delivery )(?:timed?[ -]?out)|not reachable",
        r"(?:no|without) (?:answer|response)|did not (?:respond|accept our requests to connect)",
        r"(?:network|host)[a-z ]{0,12}(?:unreachable|is down|error)",
        r"no route to host",
        r"lost connection|could not connect|can ?not connect|unable to connect|can't connect"
        r"|connect to .{1,80}(?:fail|refus|timed)",
        r"(?:wasn't able|unable) to establish an smtp connection",
        r"network error",
    ),
    _row(
        Cause.NOT_SERVED,
        r"relay(?:ing)? (?:access )?(?:denied|not|prohibit|is not|disallow)|no relaying",
        r"(?:not|unable|refus|denied)[a-z ]{0,24}(?:to )?relay(?![^.]{0,60}authenticat)",
    ),
    _row(
        Cause.POLICY,
        r"polic(?:y|ies)",
        r"message filtered",
        r"(?:access|permission)(?: is)? denied",
        r"not (?:authori[sz]ed|permitted|allowed)",
        r"authentication (?:is )?required|auth(?:entication)?required",
        r"administrative prohibition|prohibited|forbidden|denied",
        r"(?:rejected|refused|denied|blocked) (?:by|due to|for|because)",
        r"not in my allowed|you are not a member|moderat",
    ),
    _row(
        Cause.NO_SUCH_MAILBOX,
        r"(?:mailbox|recipient|address|rcpt)[a-z ]{0,16}(?:rejected|refused)(?!:)",
    ),
    _row(
        Cause.BUSY,
        r"try (?:again )?later|try again",
        r"(?:service|server|system|resources?)[a-z ]{0,24}(?:unavailable|not available)",
        r"(?:service|server|system|resources?)[a-z ]{0,24}(?:busy|overload|shutting)",
        r"temporar(?:y|ily)",
        r"not accepting (?:messages|connections|network messages)",
        r"insufficient system|system resources|local (?:error|configuration)",
        r"internal (?:server |system )?error",
        r"mailbox (?:is )?(?:busy|locked)",
    ),
    _row(
        Cause.EXPIRED,
        r"(?:retry|delivery) ?time(?:out)?[a-z ]{0,12}(?:exceeded|expired)",
        r"(?:message|delivery|queue|envelope)[a-z ]{0,24}(?:expired|too long|time ?out)",
        r"giv(?:e|en|ing) up|failing for a long time",
        r"not (?:be |been )?deliver(?:ed|able)? (?:within|after|for)",
        r"failed [0-9]{1,4} attempts",
        r"aborted after",
        r"in the queue too long",
    ),
)
"""Everything else, looked for where the codes leave the cause open."""

CHECKS: Final = (
    ("SPF", re.compile(r"\bspf\b|sender policy framework|openspf")),
    ("DKIM", re.compile(r"\bdkim\b")),
    ("DMARC", re.compile(r"\bdmarc\b")),
    (
        "the reverse name of our address",
        re.compile(r"\bptr\b|reverse[ -]?(?:dns|name|lookup|ip|resol|hostname)|lookup failed"),
    ),
)
"""How to name what a server found missing."""
