import { JOB_LIMITS } from './job-limits.ts';
import { checkJsonValue } from '../values/json-value.ts';

/** From here on JavaScript writes numbers with an exponent. Such a number is not meant to be exact. */
const FIRST_WITH_EXPONENT = 1e21;

/**
 * Checks the body of a job or of a manual run. JavaScript rounds large whole numbers, such as the id of an order. The
 * call would then carry another number, and nobody would notice.
 *
 * @returns what is wrong and what is allowed, or null
 */
export function checkJobBody(body: unknown): string | null {
  const problem = checkJsonValue(body, JOB_LIMITS.bodyBytes);
  if (problem !== null) return problem;
  return mayBeRounded(body)
    ? `Holds a whole number beyond ±${Number.MAX_SAFE_INTEGER}, which may have been rounded; allowed as text.`
    : null;
}

function mayBeRounded(value: unknown): boolean {
  if (typeof value === 'number')
    return Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < FIRST_WITH_EXPONENT;
  return typeof value === 'object' && value !== null && Object.values(value).some(mayBeRounded);
}
