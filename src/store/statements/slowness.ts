import { fieldsOf, holdsOfAnyCause } from './error-causes.ts';
import { isTooSlow, isTooSlowCode } from './failures.ts';

/** Whether an error, or one inside it, says that a statement took too long. */
export function isOverTime(error: unknown): boolean {
  return holdsOfAnyCause(error, (each) => {
    const { originalCode } = fieldsOf(each);
    return isTooSlow(each) || (typeof originalCode === 'string' && isTooSlowCode(originalCode));
  });
}
