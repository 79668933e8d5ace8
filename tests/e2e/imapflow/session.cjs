// A whole session of imapflow on one mailbox; prints what it saw as JSON.
//
// node session.cjs PORT CA-FILE LOGIN PASSWORD MAILBOX

const { readFileSync } = require("node:fs");
const { ImapFlow } = require("imapflow");

const [port, authority, user, pass, mailbox] = process.argv.slice(2);
const message = (number) =>
  `From: a@example.net\r\nSubject: flow ${number}\r\nMessage-ID: <flow-${number}@example.net>\r\n` +
  `MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nBody ${number}: Grüße\r\n`;

const options = {
  host: "localhost",
  port: Number(port),
  secure: true,
  tls: { ca: readFileSync(authority) },
  auth: { user, pass },
  logger: false,
};

async function text(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function main() {
  const told = {};
  const client = new ImapFlow({ ...options, qresync: true });
  const other = new ImapFlow(options);
  await client.connect();
  await other.connect();
  told.enabled = [...client.enabled].sort();
  const roles = (await client.list()).map((each) => each.specialUse).filter(Boolean);
  told.roles = roles.sort();

  await client.mailboxCreate(mailbox);
  for (const number of [1, 2, 3, 4]) await client.append(mailbox, message(number), ["\\Seen"]);
  const opened = await client.mailboxOpen(mailbox);
  told.exists = opened.exists;

  told.subjects = [];
  for await (const each of client.fetch("1:*", { envelope: true, bodyStructure: true, flags: true }))
    told.subjects.push([each.envelope.subject, each.bodyStructure.type, [...each.flags]]);
  told.text = await text((await client.download("2", "1")).content);
  told.source = (await client.fetchOne("3", { source: true })).source.toString() === message(3);

  told.found = await client.search({ header: { "Message-ID": "flow-2@" } }, { uid: true });
  told.body = await client.search({ body: "Grüße" }, { uid: true });

  await client.messageFlagsAdd("1", ["\\Flagged", "blue"]);
  told.flagged = await client.search({ flagged: true, keyword: "blue" }, { uid: true });

  // An idling client is told what the other does.
  const heard = [];
  const enough = new Promise((resolve) => {
    client.on("exists", (news) => heard.push(["exists", news.count]) === 3 && resolve());
    client.on("flags", (news) => heard.push(["flags", [...news.flags]]) === 3 && resolve());
    client.on("expunge", (news) => heard.push(["expunge", news.uid]) === 3 && resolve());
  });
  const idling = client.idle();
  await other.append(mailbox, message(5));
  await other.mailboxOpen(mailbox);
  await other.messageFlagsSet("4", ["\\Answered"]);
  await other.messageDelete("3");
  await enough;
  told.heard = heard;

  const moved = await client.messageMove("1", "Archive");
  await idling;
  told.moved = [...moved.uidMap.keys()];
  told.left = await client.search({ all: true }, { uid: true });
  const status = await client.status(mailbox, { messages: true, uidNext: true, unseen: true });
  told.status = [status.messages, status.uidNext, status.unseen];

  await client.mailboxClose();
  await other.mailboxClose();
  await client.mailboxRename(mailbox, `${mailbox} again`);
  await client.mailboxDelete(`${mailbox} again`);
  await other.logout();
  await client.logout();
  console.log(JSON.stringify(told));
}

main().catch((fault) => {
  console.error(fault);
  process.exit(1);
});
