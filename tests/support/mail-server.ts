import type { AddressInfo } from 'node:net';
import { simpleParser, type ParsedMail } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { createGate, type Gate } from './target-server.ts';

/** A mail as the server took it. */
export type ReceivedMail = {
  /** Of the envelope: whom it is really for. */
  recipients: string[];
  parsed: ParsedMail;
};

/** How the server treats mail: takes it, refuses it with a code of SMTP, or says nothing until a gate is opened. */
export type MailManner = 'take' | { code: number; text: string } | { until: Promise<unknown> };

export type MailServer = {
  /** smtp://127.0.0.1:port */
  url: string;
  mails: ReceivedMail[];
  /** Users who tried to log in, in order, and whether they did so over TLS. */
  logins: { user: string; overTls: boolean }[];
  /** From now on. */
  treat: (manner: MailManner) => void;
  /** Resolves as soon as there are that many mails. */
  received: (count?: number) => Promise<ReceivedMail[]>;
  connections: () => number;
  close: () => Promise<void>;
};

/** Whom a server knows, and whether it offers STARTTLS, with a certificate that nobody trusts. */
export type MailLogin = { user: string; password: string; offersTls?: boolean };

/** Starts a real mail server of the test's own. With `login`, it takes mail from those who log in only. */
export async function startMailServer(login?: MailLogin): Promise<MailServer> {
  const mails: ReceivedMail[] = [];
  const logins: MailServer['logins'] = [];
  let manner: MailManner = 'take';
  let change: Gate & { opened: Promise<void> } = createGate();
  const tell = () => {
    const waiting = change;
    change = createGate();
    waiting.open();
  };

  const server = new SMTPServer({
    authOptional: login === undefined,
    allowInsecureAuth: true,
    disabledCommands: [...(login?.offersTls ? [] : ['STARTTLS']), ...(login === undefined ? ['AUTH'] : [])],
    logger: false,
    closeTimeout: 100,
    onAuth(auth, session, done) {
      logins.push({ user: auth.username ?? '', overTls: session.secure });
      const isKnown = auth.username === login?.user && auth.password === login?.password;
      if (isKnown) done(null, { user: auth.username });
      else done(Object.assign(new Error('Authentication failed'), { responseCode: 535 }));
    },
    onRcptTo(_address, _session, done) {
      if (typeof manner === 'object' && 'code' in manner) {
        done(Object.assign(new Error(manner.text), { responseCode: manner.code }));
      } else done();
    },
    onData(stream, session, done) {
      void simpleParser(stream).then(async (parsed) => {
        if (typeof manner === 'object' && 'until' in manner) await manner.until;
        mails.push({ recipients: session.envelope.rcptTo.map(({ address }) => address), parsed });
        tell();
        done();
      }, done);
    },
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.server.address() as AddressInfo;
  return {
    url: `smtp://${login ? `${login.user}:${encodeURIComponent(login.password)}@` : ''}127.0.0.1:${port}`,
    mails,
    logins,
    treat(next) {
      manner = next;
    },
    async received(count = 1) {
      while (mails.length < count) await change.opened;
      return mails;
    },
    connections: () => server.connections.size,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
      }),
  };
}
