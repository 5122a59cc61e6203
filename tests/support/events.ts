import type { Pool } from 'pg';
import { appendEvents, type NewEvent } from '../../src/store/events/append-events.ts';
import { inTransaction } from '../../src/store/statements/sql.ts';
import { START } from './manual-clock.ts';

/** Appends so many events in one transaction, each with its number in `errorMessage`. */
export async function appendTestEvents(
  pool: Pool,
  events: number,
  at: Date = START,
  facts: Partial<NewEvent> = {},
): Promise<void> {
  await inTransaction(pool, (tx) =>
    appendEvents(
      tx,
      Array.from({ length: events }, (_, index) => testEvent({ at, errorMessage: `${index}`, ...facts })),
    ),
  );
}

export function testEvent(facts: Partial<NewEvent> = {}): NewEvent {
  return { at: START, kind: 'EXECUTION_PLANNED', ...facts };
}
