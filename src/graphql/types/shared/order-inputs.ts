import { builder } from '../../builder.ts';
import type { SortColumn } from '../../connection/ordering.ts';

const SortDirection = builder.enumType('SortDirection', {
  description: 'Which way a list is sorted. Rows without a value come last either way.',
  values: {
    ASC: { description: 'Smallest, or earliest, first.' },
    DESC: { description: 'Largest, or latest, first.' },
  } as const,
});

const JobOrderField = builder.enumType('JobOrderField', {
  description: 'What jobs may be sorted by.',
  values: {
    CREATED_AT: { description: 'When it was created.' },
    UPDATED_AT: { description: 'When it was last changed.' },
    NAME: { description: 'Its name, by the database’s collation.' },
    NEXT_RUN_AT: { description: 'When it runs next.' },
  } as const,
});

export const JobOrder = builder.inputType('JobOrder', {
  description: 'One step of a sorting of jobs.',
  fields: (t) => ({
    field: t.field({ type: JobOrderField, required: true, description: 'What to sort by.' }),
    direction: t.field({ type: SortDirection, required: true, description: 'Which way.' }),
  }),
});

const ExecutionOrderField = builder.enumType('ExecutionOrderField', {
  description: 'What executions may be sorted by.',
  values: {
    CREATED_AT: { description: 'When it was planned or triggered.' },
    SCHEDULED_AT: { description: 'The slot that it serves.' },
    STARTED_AT: { description: 'When its first attempt began.' },
    FINISHED_AT: { description: 'When it became final.' },
  } as const,
});

export const ExecutionOrder = builder.inputType('ExecutionOrder', {
  description: 'One step of a sorting of executions.',
  fields: (t) => ({
    field: t.field({ type: ExecutionOrderField, required: true, description: 'What to sort by.' }),
    direction: t.field({ type: SortDirection, required: true, description: 'Which way.' }),
  }),
});

/** Tells rows apart that are equal by what they are sorted by. */
export const ID_COLUMN: SortColumn = { column: 'id', type: 'id', nullable: false };

export const JOB_SORT_COLUMNS = {
  CREATED_AT: { column: 'createdAt', type: 'instant', nullable: false },
  UPDATED_AT: { column: 'updatedAt', type: 'instant', nullable: false },
  NAME: { column: 'name', type: 'text', nullable: false },
  NEXT_RUN_AT: { column: 'nextRunAt', type: 'instant', nullable: true },
} as const satisfies Record<string, SortColumn>;

/** Indexes by these instants hold what has ended; the rest is read before that, and sorted. */
const UNFINISHED_AND_ENDED = [{ finishedAt: null }, { finishedAt: { not: null } }];

export const EXECUTION_SORT_COLUMNS = {
  CREATED_AT: { column: 'createdAt', type: 'instant', nullable: false },
  SCHEDULED_AT: { column: 'scheduledAt', type: 'instant', nullable: true, sets: UNFINISHED_AND_ENDED },
  STARTED_AT: { column: 'startedAt', type: 'instant', nullable: true, sets: UNFINISHED_AND_ENDED },
  FINISHED_AT: { column: 'finishedAt', type: 'instant', nullable: true },
} as const satisfies Record<string, SortColumn>;

/** Newest first, where nothing else is asked for. */
export const NEWEST_FIRST = { field: 'CREATED_AT', direction: 'DESC' } as const;
