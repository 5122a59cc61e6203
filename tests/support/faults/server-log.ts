import type { ServerProcess } from '../server-process.ts';

/** What the entry point says of errors that slipped through all hands. */
const UNHANDLED = [
  'An error that nobody handled',
  'An error that nobody caught; the process ends',
  'A part could not be stopped cleanly',
];

/** Entries that no fault may cause, and warnings of node itself such as of a leak. */
export function unhandledErrors({ logged, output }: ServerProcess): unknown[] {
  const warnings = output()
    .split('\n')
    .filter((line) => /^\(node:\d+\)|UnhandledPromiseRejection/.test(line));
  return [...UNHANDLED.flatMap(logged), ...warnings];
}
