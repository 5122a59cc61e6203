import type { LogLevel } from './level.ts';
import { putValue, type PlainValue } from './plain-value.ts';

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
export function formatJson({ timestamp, level, context, message, fields }: LogEntry): string {
  const line: Record<string, PlainValue> = { timestamp, level, context, message };
  for (const [key, value] of Object.entries(fields))
    putValue(line, OWN_KEYS.has(key) ? `field.${key}` : key, value);
  return JSON.stringify(line);
}
