import { styleText } from 'node:util';
import type { LogEntry } from './entry.ts';
import type { LogLevel } from './level.ts';
import type { PlainValue } from './plain-value.ts';

const COLORS = { error: 'red', warn: 'yellow', info: 'green', debug: 'gray' } as const satisfies Record<
  LogLevel,
  string
>;

/** Control characters that JSON does not escape and that could control a terminal. */
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const TERMINAL_CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/g;

/** The entry for a person: one line, and beneath it the stacks of the errors among its fields. */
export function formatReadable(
  { timestamp, level, context, message, fields }: LogEntry,
  colored: boolean,
): string {
  const paint = (color: Parameters<typeof styleText>[0], text: string): string =>
    // The caller has checked the terminal. In some versions of Node, styleText would check stdout itself.
    colored ? styleText(color, text, { validateStream: false }) : text;

  const stacks: string[] = [];
  const facts = Object.entries(fields).map(([key, value]) => `${key}=${formatField(value, stacks)}`);
  const line = [
    paint('gray', timestamp),
    paint(COLORS[level], level.padEnd(5)),
    paint('cyan', `[${context}]`),
    escapeControls(message.replaceAll('\n', ' ')),
    ...(facts.length > 0 ? [paint('gray', facts.join(' '))] : []),
  ].join(' ');
  return [line, ...stacks].join('\n');
}

function formatField(value: PlainValue, stacks: string[]): string {
  if (isErrorShape(value)) {
    stacks.push(...describeError(value, '    '));
    return escapeControls(JSON.stringify(`${value.name}: ${value.message}`));
  }
  // Plain text needs no quotes. Text with blanks or other signs gets them.
  if (typeof value === 'string' && /^[\w.:/@+-]+$/.test(value)) return value;
  return escapeControls(JSON.stringify(value));
}

function describeError(error: ErrorShape, indent: string): string[] {
  const text = error.stack ?? `${error.name}: ${error.message}`;
  const lines = text.split('\n').map((line) => `${indent}${escapeControls(line)}`);
  const members = Array.isArray(error['errors']) ? error['errors'].filter(isErrorShape) : [];
  for (const member of members) lines.push(...describeError(member, `${indent}    `));

  const cause = error['cause'] ?? null;
  if (isErrorShape(cause)) lines.push(`${indent}caused by:`, ...describeError(cause, `${indent}  `));
  return lines;
}

interface ErrorShape {
  name: string;
  message: string;
  stack?: string;
  [key: string]: PlainValue | undefined;
}

function isErrorShape(value: PlainValue): value is ErrorShape & Record<string, PlainValue> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  return (
    typeof value['name'] === 'string' &&
    typeof value['message'] === 'string' &&
    typeof value['stack'] === 'string'
  );
}

function escapeControls(text: string): string {
  return text.replace(TERMINAL_CONTROLS, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
