import { GraphQLError } from 'graphql';
import { describe, expect, it } from 'vitest';
import { isUnavailable } from '../../../src/store/statements/unavailability.ts';

const withFields = (message: string, fields: object) => Object.assign(new Error(message), fields);
const refused = withFields('connect ECONNREFUSED 127.0.0.1:5432', { code: 'ECONNREFUSED' });
/** As Prisma 7 throws it over a driver adapter. */
const prisma = (code: string, cause: object) =>
  withFields('Invalid `prisma.job.findMany()` invocation', {
    code,
    meta: { modelName: 'Job', driverAdapterError: withFields('DriverAdapterError', { cause }) },
  });

describe('a database that is away', () => {
  it.each([
    ['a refused connection', refused],
    ['one that was refused at all of a name’s addresses', new AggregateError([refused], 'all failed')],
    ['a session that was ended', withFields('terminating connection', { code: '57P01' })],
    ['no connection within the time', new Error('timeout exceeded when trying to connect')],
    ['Prisma that reaches nobody', prisma('P1001', { kind: 'DatabaseNotReachable' })],
    ['Prisma whose session was ended', prisma('P2010', { kind: 'postgres', originalCode: '57P01' })],
    ['what a resolver makes of it', new GraphQLError('x', { originalError: prisma('P1017', {}) })],
    ['what something else says about it', new Error('The event log cannot be read', { cause: refused })],
  ])('is seen in %s', (_what, error) => {
    expect(isUnavailable(error)).toBe(true);
  });

  it.each([
    ['a bug', new TypeError('x is not a function')],
    ['a statement that is wrong', withFields('syntax error', { code: '42601' })],
    ['a constraint', prisma('P2002', { kind: 'UniqueConstraintViolation', originalCode: '23505' })],
    ['an argument of Node’s that is wrong', withFields('x', { code: 'ERR_INVALID_ARG_TYPE' })],
    ['no error at all', undefined],
    ['a text', 'ECONNREFUSED'],
    ['an error that is its own cause', ownCause()],
  ])('is not seen in %s', (_what, error) => {
    expect(isUnavailable(error)).toBe(false);
  });
});

function ownCause(): Error {
  const error = new Error('round');
  error.cause = error;
  return error;
}
