import { z } from 'zod';

/** Checks an optional argument that is a whole number; the message names what is allowed and what it is. */
export function wholeNumber(min: number, max: number) {
  const error = ({ input }: { input?: unknown }) =>
    `must be a whole number from ${min} to ${max}; it is ${String(input)}.`;
  return z.number().min(min, { error }).max(max, { error }).nullish();
}
