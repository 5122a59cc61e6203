import type { LogLevel } from './level.ts';
import type { PlainValue } from './plain-value.ts';

/** One log entry, its fields already safe to write: masked, bounded, free of cycles. */
export interface LogEntry {
  /** ISO 8601, UTC. */
  readonly timestamp: string;
  readonly level: LogLevel;
  /** The part of the program that speaks, as given to `createLogger`. */
  readonly context: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, PlainValue>>;
}

const OWN_KEYS = new Set(['timestamp', 'level', 'context', 'message']);

/** The entry as one line of JSON, fields beside the entry's own keys; a field of such a name is put as `field.<name>`. */
export function formatJson({ fields, ...entry }: LogEntry): string {
  const renamed = Object.entries(fields).map(([key, value]) => [
    OWN_KEYS.has(key) ? `field.${key}` : key,
    value,
  ]);
  const { timestamp, level, context, message } = entry;
  return JSON.stringify({ timestamp, level, context, message, ...Object.fromEntries(renamed) });
}
