import { fieldsOf, holdsOfAnyCause } from './error-causes.ts';
import { isTooSlow, isTooSlowCode } from './failures.ts';

/** Whether something failed because a statement took longer than it may, however deep that stands in the error. */
export function isOverTime(error: unknown): boolean {
  return holdsOfAnyCause(error, (each) => {
    const { originalCode } = fieldsOf(each);
    return isTooSlow(each) || (typeof originalCode === 'string' && isTooSlowCode(originalCode));
  });
}
