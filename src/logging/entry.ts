import winston from 'winston';
import type { LogLevel } from './level.ts';
import { putValue, toPlainValue, type PlainValue } from './plain-value.ts';

/** One log entry as it passes through winston. {@link plainFields} makes its fields safe to write. */
export interface LogEntry {
  /** ISO 8601, UTC. */
  readonly timestamp: string;
  readonly level: LogLevel;
  /** The part of the program that logs, as given to `createLogger`. */
  readonly context: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, PlainValue>>;
}

const OWN_KEYS = new Set(['timestamp', 'level', 'context', 'message']);

/** A winston format that masks credentials in the fields and makes the fields fit JSON. */
export const plainFields = winston.format((info) => {
  info['fields'] = toPlainValue(info['fields']);
  return info;
});

/** A winston format: the entry as one line of JSON, its fields beside its own keys. */
export const jsonLine = (): winston.Logform.Format =>
  winston.format.printf((info) => formatJson(asEntry(info)));

/** winston types what it carries as a loose record; every entry here comes from `createLogger`. */
export function asEntry(info: winston.Logform.TransformableInfo): LogEntry {
  return info as unknown as LogEntry;
}

/** A field with the name of one of the entry's own keys becomes `field.<name>`. */
function formatJson({ timestamp, level, context, message, fields }: LogEntry): string {
  const line: Record<string, PlainValue> = { timestamp, level, context, message };
  for (const [key, value] of Object.entries(fields))
    putValue(line, OWN_KEYS.has(key) ? `field.${key}` : key, value);
  return JSON.stringify(line);
}
