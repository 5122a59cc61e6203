/** Errors are nested: a resolver's error contains Prisma's, which contains the driver's. */
const MAX_DEPTH = 8;

/** Whether a condition holds for an error or for one inside it. */
export function holdsOfAnyCause(error: unknown, holds: (error: unknown) => boolean): boolean {
  return holdsOfAny([error], holds, 0);
}

function holdsOfAny(errors: readonly unknown[], holds: (error: unknown) => boolean, depth: number): boolean {
  return (
    depth < MAX_DEPTH && errors.some((error) => holds(error) || holdsOfAny(causesOf(error), holds, depth + 1))
  );
}

function causesOf(error: unknown): unknown[] {
  const { cause, errors, originalError, meta } = fieldsOf(error);
  const { driverAdapterError } = fieldsOf(meta);
  const several = Array.isArray(errors) ? (errors as unknown[]) : [];
  return [cause, originalError, driverAdapterError, ...several].filter((each) => typeof each === 'object');
}

/** The fields of an error; none for a value that is no object. */
export function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
