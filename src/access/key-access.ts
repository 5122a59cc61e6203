import { createLoop, extendLoop, type Loop } from '../async/loop.ts';
import { hashApiKey, readApiKey } from '../domain/access/api-key.ts';
import type { Authentication, Authenticator, Session } from '../domain/access/session.ts';
import type { Clock } from '../domain/values/clock.ts';
import type { StoredApiKey } from '../store/access/api-keys.ts';
import type { Queryable } from '../store/statements/sql.ts';
import { createKeyUses } from './key-uses.ts';
import { createKnownKeys } from './known-keys.ts';

/** How often the keys are read again. A revocation that no wake-up announces takes effect within this time. */
const REREAD_MS = 30_000;

export interface KeyAccessOptions {
  db: Queryable;
  clock: Clock;
  monotonicMs?: () => number;
  onError: (error: unknown) => void;
}

/** An authenticator that knows the API keys of the database. Its loop reads them again and writes when they were used. */
export type KeyAccess = Authenticator & Loop;

/** The session of a key, and whether that is valid. */
type KeySession = Session & { isValid: () => boolean };

/** Lets in who has an API key. All keys are held in memory, so a request with a known key costs no statement. */
export function createKeyAccess(options: KeyAccessOptions): KeyAccess {
  const { db, clock, monotonicMs = () => performance.now(), onError } = options;
  const keys = createKnownKeys({ db, clock, monotonicMs });
  const uses = createKeyUses({ db, clock });
  /** What ends a session whose key is not valid any longer. */
  const checks = new Set<() => void>();
  /**
   * The sessions of valid keys by their texts. To read and to hash a key with each request costs a tenth of the requests per
   * second.
   */
  const sessions = new Map<string, KeySession>();

  function sessionOf({ id, name, role }: StoredApiKey, hash: Buffer): KeySession {
    const isValid = () => keys.validKey(id, hash) !== null;
    return {
      viewer: { name, kind: 'API_KEY', role, fingerprint: `${id} ${role}` },
      isValid,
      use() {
        uses.note(id);
        return isValid();
      },
      onEnd(listener) {
        const check = () => {
          if (isValid()) return;
          checks.delete(check);
          listener();
        };
        checks.add(check);
        return () => checks.delete(check);
      },
    };
  }

  async function admit(text: string): Promise<Authentication> {
    const known = sessions.get(text);
    if (known?.use() && keys.areFresh()) return { ok: true, session: known };
    const sent = readApiKey(text);
    const hash = hashApiKey(text);
    const key = sent && (await keys.findValidKey(sent.id, hash));
    if (!key) return { ok: false, reason: 'INVALID' };
    uses.note(key.id);
    const session = sessionOf(key, hash);
    sessions.set(text, session);
    return { ok: true, session };
  }

  const loop = createLoop({
    name: 'API keys',
    monotonicMs,
    onError,
    step: async () => {
      await keys.reread();
      for (const check of [...checks]) check();
      for (const [text, { isValid }] of sessions) if (!isValid()) sessions.delete(text);
      await uses.write();
      return REREAD_MS;
    },
  });

  return extendLoop<KeyAccess>(loop, {
    async authenticate(authorization) {
      if (authorization === undefined) return { ok: false, reason: 'MISSING' };
      const [, text] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
      if (text === undefined) return { ok: false, reason: 'INVALID' };
      try {
        return await admit(text);
      } catch (error) {
        onError(error);
        return { ok: false, reason: 'UNAVAILABLE' };
      }
    },
    async stop() {
      await loop.stop();
      await uses.write().catch(onError);
    },
  });
}
