import { badArgument } from './errors.ts';

/** What a whole number may be, and what it is where it is left out. */
export interface WholeNumber {
  readonly min: number;
  readonly max: number;
  readonly fallback: number;
}

/**
 * Reads an optional argument that is a whole number.
 *
 * @throws GraphQLError BAD_USER_INPUT that names what is allowed and what it is
 */
export function readWholeNumber(
  argument: string,
  value: number | null | undefined,
  { min, max, fallback }: WholeNumber,
): number {
  const number = value ?? fallback;
  if (number >= min && number <= max) return number;
  throw badArgument(argument, `must be a whole number from ${min} to ${max}; it is ${number}.`);
}
