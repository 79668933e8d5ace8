// What a person does in Thunderbird, one function a deed; each returns what can be seen then.
// Evaluated in Thunderbird's own scope, before every call.

const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");

const server = () => MailServices.accounts.accounts[0].incomingServer;
const inbox = () => server().rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
const named = name => server().rootFolder.getChildNamed(name);
const shown = () => Services.wm.getMostRecentWindow("mail:3pane");
const subjects = folder => [...folder.messages].map(header => header.mime2DecodedSubject).sort();
const find = subject => [...inbox().messages].find(each => each.mime2DecodedSubject == subject);
const copiedHere = folder =>
  [...folder.messages].filter(header => header.flags & Ci.nsMsgMessageFlags.Offline);
const listening = (name, methods) => ({ ...methods, QueryInterface: ChromeUtils.generateQI([name]) });

/** Waits until a condition holds; the marionette's own time-out ends it. */
async function until(condition) {
  for (;;) {
    const value = await condition();
    if (value) {
      return value;
    }
    await new Promise(resolve => shown().setTimeout(resolve, 20));
  }
}

/** Waits until a folder has been read from the server. */
function loaded(folder) {
  return new Promise(resolve => {
    const listener = listening("nsIFolderListener", {
      onFolderEvent(which, event) {
        if (which == folder && event == "FolderLoaded") {
          MailServices.mailSession.RemoveFolderListener(listener);
          resolve();
        }
      },
    });
    MailServices.mailSession.AddFolderListener(listener, Ci.nsIFolderListener.event);
  });
}

/** Waits for a copy or a move, which starts with a listener; fails as it fails. */
async function copied(start) {
  const code = await new Promise(resolve =>
    start(
      listening("nsIMsgCopyServiceListener", {
        onStartCopy() {},
        onProgress() {},
        setMessageKey() {},
        getMessageId() {},
        onStopCopy: resolve,
      })
    )
  );
  if (code) {
    throw new Error(`the copy failed: ${code}`);
  }
}

const deeds = {
  async trust(certificate) {
    const known = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
    known.addCertFromBase64(certificate, "C,,");
  },

  async remember(user, password) {
    for (const place of ["imap://localhost", "smtp://localhost"]) {
      const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
      login.init(place, null, place, user, password, "", "");
      await Services.logins.addLoginAsync(login);
    }
  },

  async open(count) {
    const tabs = () => shown()?.document.getElementById("tabmail");
    const pane = await until(() => tabs()?.currentAbout3Pane);
    await until(() => pane.document.readyState == "complete" && pane.threadTree);
    const code = await new Promise(resolve =>
      inbox()
        .QueryInterface(Ci.nsIMsgImapMailFolder)
        .updateFolderWithListener(
          shown().msgWindow,
          listening("nsIUrlListener", {
            OnStartRunningUrl() {},
            OnStopRunningUrl: (_, status) => resolve(status),
          })
        )
    );
    if (code) {
      throw new Error(`the folder was not read: ${code}`);
    }
    // To show it, it is read once more; and all texts are copied, at a time of its own choice.
    // New mail of which a server tells meanwhile is overlooked until there is more.
    const readAgain = loaded(inbox());
    pane.displayFolder(inbox().URI);
    await until(() => pane.gDBView?.msgFolder == inbox());
    await readAgain;
    await until(() => copiedHere(inbox()).length >= count);
    return subjects(inbox());
  },

  async folders(count) {
    await until(() => server().rootFolder.subFolders.length >= count);
    return server().rootFolder.subFolders.map(folder => folder.name).sort();
  },

  async arrives(subject) {
    await until(() => find(subject));
    return subjects(inbox());
  },

  async read(subject) {
    const pane = shown().document.getElementById("tabmail").currentAbout3Pane;
    pane.threadTree.selectedIndex = pane.gDBView.findIndexOfMsgHdr(find(subject), true);
    const message = await until(() => pane.messageBrowser?.contentWindow?.getMessagePaneBrowser?.());
    const text = () => message.contentDocument?.body?.textContent ?? "";
    await until(() => text().includes(subject) && find(subject).isRead);
    return text();
  },

  async star(subject) {
    inbox().markMessagesFlagged([find(subject)], true);
  },

  async move(subject, name) {
    const messages = [find(subject)];
    await copied(listener =>
      MailServices.copy.copyMessages(
        inbox(), messages, named(name), true, listener, shown().msgWindow, false
      )
    );
    await until(() => !find(subject));
    return subjects(inbox());
  },

  async remove(subject) {
    inbox().deleteMessages([find(subject)], shown().msgWindow, false, false, null, false);
    await until(() => !find(subject));
    return subjects(inbox());
  },

  async search(text) {
    const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(
      Ci.nsIMsgSearchSession
    );
    for (const folder of server().rootFolder.subFolders) {
      session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, folder);
    }
    const term = session.createTerm();
    term.attrib = Ci.nsMsgSearchAttrib.Body;
    term.op = Ci.nsMsgSearchOp.Contains;
    const value = term.value;
    value.attrib = term.attrib;
    value.str = text;
    term.value = value;
    session.appendTerm(term);
    const hits = [];
    await new Promise(resolve => {
      session.registerListener(
        listening("nsIMsgSearchNotify", {
          onNewSearch() {},
          onSearchHit: header => hits.push(header.mime2DecodedSubject),
          onSearchDone: resolve,
        })
      );
      session.search(shown().msgWindow);
    });
    return hits.sort();
  },

  async send(to, bcc, subject, text) {
    const account = MailServices.accounts.accounts[0];
    const params = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(
      Ci.nsIMsgComposeParams
    );
    params.composeFields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(
      Ci.nsIMsgCompFields
    );
    params.identity = account.defaultIdentity;
    params.format = Ci.nsIMsgCompFormat.PlainText;
    Object.assign(params.composeFields, { to, bcc, subject, body: text });
    const compose = MailServices.compose.initCompose(params);
    const ended = new Promise(resolve =>
      compose.RegisterStateListener(
        listening("nsIMsgComposeStateListener", {
          NotifyComposeFieldsReady() {},
          NotifyComposeBodyReady() {},
          SaveInFolderDone() {},
          ComposeProcessDone: resolve,
        })
      )
    );
    await compose.sendMsg(
      Ci.nsIMsgCompDeliverMode.Now, account.defaultIdentity, account.key, null, null
    );
    const code = await ended;
    if (code) {
      throw new Error(`it was not sent: ${code}`);
    }
  },

  async makeFolder(name) {
    server().rootFolder.createSubfolder(name, shown().msgWindow);
    await until(() => server().rootFolder.subFolders.some(folder => folder.name == name));
  },

  async keepDraft(path) {
    const file = Cc["@mozilla.org/file/local;1"].createInstance(Ci.nsIFile);
    file.initWithPath(path);
    await copied(listener =>
      MailServices.copy.copyFileMessage(
        file, named("Drafts"), null, true, Ci.nsMsgMessageFlags.Read, "", listener, shown().msgWindow
      )
    );
  },
};
