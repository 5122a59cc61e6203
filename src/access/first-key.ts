import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { unusableFolder, makeFolder } from '../async/usable-folder.ts';
import { createFirstApiKey } from '../commands/access/create-api-key.ts';
import type { AccessDeps } from '../commands/access/api-key-checks.ts';
import type { KeyText } from '../domain/access/api-key.ts';
import { SCHEDULER_ACTOR } from '../store/events/audit-log.ts';

/** The file of the first key, in DATA_DIR. */
export const FIRST_KEY_FILE = 'first-admin-key';

export interface FirstKeyOptions {
  deps: AccessDeps;
  dataDir: string;
  /** The key that the operator has chosen (BOOTSTRAP_ADMIN_KEY). */
  bootstrapKey: KeyText | undefined;
}

/** What became of the first key: `exists` where the server has keys already. */
export type FirstKey = { kind: 'written'; file: string } | { kind: 'given' } | { kind: 'exists' };

const BY_SCHEDULER = { actor: SCHEDULER_ACTOR, requestId: null, address: null };

/**
 * Sees to it that a server has a key: where none was ever created, it takes the one that the operator gives, or writes a new one
 * to a file that only this user can read. The log never has it: logs are kept, and read by others.
 */
export async function provideFirstKey({ deps, dataDir, bootstrapKey }: FirstKeyOptions): Promise<FirstKey> {
  const file = join(dataDir, FIRST_KEY_FILE);
  const handOver = async ({ text }: { text: string }) => {
    if (bootstrapKey === undefined) await writeSecretFile(dataDir, file, `${text}\n`);
  };
  const isCreated = await createFirstApiKey(deps, BY_SCHEDULER, bootstrapKey ?? null, handOver);
  if (!isCreated) return { kind: 'exists' };
  return bootstrapKey === undefined ? { kind: 'written', file } : { kind: 'given' };
}

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;

/** Writes a file whole, or not at all. A file or link that has its name is replaced, and nothing is written through a link. */
async function writeSecretFile(folder: string, path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  try {
    makeFolder(folder);
    // O_EXCL opens no link.
    const file = await open(draft, NEW_FILE, 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw unusableFolder('DATA_DIR', folder, error, ', or set BOOTSTRAP_ADMIN_KEY') ?? error;
  }
}
