import type { Role } from './role.ts';

/** Who asks, and what they may do. */
export interface Viewer {
  /** The name in the audit log and in the logs. */
  name: string;
  kind: ViewerKind;
  role: Role;
  /**
   * Equal for two callers only where both may read the same. Whatever several callers share is kept under it, and never
   * under a name.
   */
  fingerprint: string;
}

/** ANONYMOUS: a caller without a key, where none is needed. API_KEY: a caller with an API key. */
export type ViewerKind = 'ANONYMOUS' | 'API_KEY';

/** A caller of a server that asks for no key (AUTH_MODE=none). */
export const ANONYMOUS: Viewer = Object.freeze({
  name: 'anonymous',
  kind: 'ANONYMOUS',
  role: 'ADMIN',
  fingerprint: 'anonymous',
});

/** Actors of the audit log that are no keys. No key may have such a name. */
export const RESERVED_NAMES: readonly string[] = [ANONYMOUS.name, 'scheduler', 'command-line'];
