import { longestText, MAX_ERROR_CHARACTERS } from '../../answer-sizes.ts';
import { JOB_LIMITS } from '../../../domain/job/job-limits.ts';
import { builder } from '../../builder.ts';
import { AlertEvent } from './alert-enums.ts';

const DeliveryStatus = builder.enumType('DeliveryStatus', {
  description: 'Where a delivery stands.',
  values: {
    PENDING: { description: 'It is being sent, or waits for its time or its next try.' },
    DELIVERED: { description: 'The receiver has taken it.' },
    FAILED: { description: 'It was given up; `lastError` says why.' },
  } as const,
});

/** Of the name and key of a job, the message of its failure, and 1,500 of facts. */
const PAYLOAD_CHARACTERS = JOB_LIMITS.name.max + JOB_LIMITS.key.max + MAX_ERROR_CHARACTERS + 1_500;

export const AlertDelivery = builder.prismaNode('AlertDelivery', {
  id: { field: 'id' },
  nullable: true,
  description:
    'One message of an alert. It is sent at least once: a receiver may see it again, under the same id. Kept as long as executions are.',
  select: { id: true },
  fields: (t) => ({
    alert: t.relation('alert', { description: 'The alert that it is a message of.' }),
    event: t.expose('event', {
      type: AlertEvent,
      description: 'What it tells of; in a test, the first that its alert tells of.',
    }),
    status: t.expose('status', { type: DeliveryStatus, description: 'Where it stands.' }),
    attempts: t.exposeInt('attempts', { description: 'Tries begun.' }),
    lastError: t.exposeString('lastError', {
      extensions: longestText(1_000),
      nullable: true,
      description: 'What went wrong last, in words; null where nothing did.',
    }),
    occurrences: t.exposeInt('occurrences', {
      description:
        'How many times it happened that it tells of: above 1 where it gathers what came too often to be sent one by one.',
    }),
    test: t.exposeBoolean('isTest', { description: 'Whether `testJobAlert` asked for it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    nextAttemptAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it may be sent next; null unless PENDING.',
      select: { status: true, availableAt: true },
      resolve: ({ status, availableAt }) => (status === 'PENDING' ? availableAt : null),
    }),
    deliveredAt: t.expose('deliveredAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was delivered; null unless DELIVERED.',
    }),
    execution: t.relation('execution', {
      nullable: true,
      description:
        'The execution that it tells of, the latest of several; null in a test, and once the execution is pruned.',
    }),
    payload: t.expose('payload', {
      extensions: longestText(PAYLOAD_CHARACTERS),
      type: 'JSON',
      nullable: true,
      description: 'What it says, as a WEBHOOK gets it but for the `text`.',
    }),
  }),
});
