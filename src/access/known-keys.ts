import DataLoader from 'dataloader';
import { isKeyValid } from '../domain/access/api-key.ts';
import type { Clock } from '../domain/values/clock.ts';
import { findApiKeys, readApiKeys, type StoredApiKey } from '../store/access/api-keys.ts';
import type { Queryable } from '../store/statements/sql.ts';

/** Keys that were read again longer ago are not trusted: the database may have been away for all that time. */
const MAX_AGE_MS = 60_000;

export interface KnownKeysOptions {
  db: Queryable;
  clock: Clock;
  monotonicMs: () => number;
}

/** The API keys of the database, in memory. */
export interface KnownKeys {
  /** Reads all keys again. */
  reread: () => Promise<void>;
  /** Whether the keys were read again lately. */
  areFresh: () => boolean;
  /** The key where a caller may come in with this hash, by what is known now. */
  validKey: (id: string, hash: Uint8Array) => StoredApiKey | null;
  /**
   * The same. Where that is null, or the keys are not fresh, it asks the database: another instance may have created or rotated
   * the key a moment ago.
   */
  findValidKey: (id: string, hash: Uint8Array) => Promise<StoredApiKey | null>;
}

export function createKnownKeys({ db, clock, monotonicMs }: KnownKeysOptions): KnownKeys {
  let known = new Map<string, StoredApiKey>();
  let rereadAtMs = -Infinity;
  /** How often all keys were read again. */
  let rereads = 0;
  let finding: Promise<unknown> = Promise.resolve();

  const areFresh = () => monotonicMs() - rereadAtMs < MAX_AGE_MS;

  async function find(ids: readonly string[]): Promise<null[]> {
    let before: number;
    let found: StoredApiKey[];
    do {
      before = rereads;
      found = await findApiKeys(db, ids);
      // What is older than a reread may tell of a key that was revoked meanwhile.
    } while (before !== rereads);
    for (const key of found) known.set(key.id, key);
    return ids.map(() => null);
  }

  /** One statement at a time: whoever sends made-up keys must not hold many connections. */
  const finder = new DataLoader<string, null>(
    (ids) => {
      const found = find(ids);
      finding = found;
      return found;
    },
    { cache: false, batchScheduleFn: (run) => void finding.then(run, run) },
  );

  function validKey(id: string, hash: Uint8Array): StoredApiKey | null {
    const key = known.get(id);
    return key !== undefined && isKeyValid(key, hash, clock.now()) ? key : null;
  }

  return {
    async reread() {
      rereads += 1;
      const beganMs = monotonicMs();
      const keys = await readApiKeys(db);
      known = new Map(keys.map((key) => [key.id, key]));
      rereadAtMs = beganMs;
    },
    areFresh,
    validKey,
    async findValidKey(id, hash) {
      const key = areFresh() ? validKey(id, hash) : null;
      if (key) return key;
      await finder.load(id);
      return validKey(id, hash);
    },
  };
}
