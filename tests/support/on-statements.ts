import type { Pool } from 'pg';
import type { Statement } from '../../src/store/statements/sql.ts';

export type Send = () => Promise<unknown>;

/** Has statements of a pool whose names begin so do something of their own. */
export function onStatements(pool: Pool, name: string, act: (send: Send) => Promise<unknown>): void {
  const query = pool.query.bind(pool) as (...args: unknown[]) => Promise<unknown>;
  Object.assign(pool, {
    query(...args: [string | Statement, ...unknown[]]) {
      const [statement] = args;
      const isMeant = typeof statement !== 'string' && statement.name?.startsWith(name);
      return isMeant ? act(() => query(...args)) : query(...args);
    },
  });
}
