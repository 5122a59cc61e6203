import { readFile } from 'node:fs/promises';
import { createPersistedOperations, parsePersistedOperations } from './persisted-operations.ts';
import type { PersistedOperations, PersistedOperationsMode } from './persisted-operations.ts';

/** The persisted operations as configured. @throws Error in words for the operator, where the file cannot be used */
export async function readPersistedOperations(
  mode: PersistedOperationsMode,
  file: string | undefined,
): Promise<PersistedOperations> {
  if (mode === 'off' || file === undefined) return createPersistedOperations(mode, new Map());
  try {
    return createPersistedOperations(mode, parsePersistedOperations(await readFile(file, 'utf8')));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`PERSISTED_OPERATIONS_FILE ${file} cannot be used: ${reason}.`, { cause: error });
  }
}
