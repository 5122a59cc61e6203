import { longestBytes } from '../../answer-sizes.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';

export const AuditAction = builder.enumType('AuditAction', {
  description: 'What was done.',
  values: {
    CREATED: { description: 'The job was created.' },
    UPDATED: { description: 'The job was changed, or one of its runs left out.' },
    PAUSED: { description: 'The job was paused, or its pause changed.' },
    RESUMED: { description: 'The job was resumed: by somebody, or because its `pausedUntil` had come.' },
    DELETED: { description: 'The job was deleted.' },
    TRIGGERED: {
      description:
        'The job was run by hand. `after` has the id of the execution, `bodyReplaced: true` where the run has a body of its own, and the `idempotencyKey` where there is one.',
    },
    CANCELLED: { description: 'The cancellation of an execution was asked for.' },
    REDRIVEN: {
      description:
        'Executions were run again. `after` has the id of the new one; or, where dead letters were redriven, up to 500 of a job in one entry: their number, their ids, and in the same order the ids of the new executions.',
    },
    DISCARDED: {
      description:
        'Dead letters were given up: `after` has their number and ids, up to 500 of a job in one entry.',
    },
    TAGGED: { description: 'The job got tags.' },
    UNTAGGED: { description: 'The job lost tags.' },
    DEPENDENCY_ADDED: { description: 'The job began to wait for another.' },
    DEPENDENCY_REMOVED: { description: 'The job waits for another no longer.' },
    ALERT_CREATED: { description: 'The job got an alert.' },
    ALERT_UPDATED: { description: 'An alert of the job was changed.' },
    ALERT_DELETED: { description: 'An alert of the job was deleted.' },
    TAG_CREATED: {
      description: 'A tag was created by itself. A tag that is created with a job has no entry.',
    },
    TAG_UPDATED: { description: 'A tag’s name or color was changed.' },
    TAG_DELETED: { description: 'A tag was deleted. Each job that had it has an entry UNTAGGED.' },
    API_KEY_CREATED: { description: 'An API key was created.' },
    API_KEY_ROTATED: {
      description: 'An API key got a new text; the former one is valid until `previousUntil`.',
    },
    API_KEY_REVOKED: { description: 'An API key was revoked.' },
  } as const,
});

/**
 * The one size that a value may exceed: a snapshot of a job with the longest body has some 350,000 bytes. Counted by that, a page
 * of 100 ordinary entries, of less than a kilobyte each, would be refused.
 */
const SNAPSHOT_BYTES = 75_000;

export const AuditLogEntry = builder.prismaNode('AuditLogEntry', {
  id: { field: 'id' },
  nullable: true,
  description: 'One action and its actor, written in the same transaction as the change itself.',
  authScopes: needs('ADMIN'),
  select: { id: true },
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When it was done.' }),
    action: t.expose('action', { type: AuditAction, description: 'What was done.' }),
    actor: t.exposeString('actor', {
      description: 'Who did it; `scheduler` for what the scheduler does by itself.',
    }),
    job: t.relation('job', {
      nullable: true,
      description:
        'The job that it was done to, which may be deleted by now; null where it was a tag or an API key.',
    }),
    before: t.expose('before', {
      extensions: longestBytes(SNAPSHOT_BYTES),
      type: 'JSON',
      nullable: true,
      description:
        'What was changed, as it was: the changed fields only, secrets as `***`; null where there was nothing before.',
    }),
    after: t.expose('after', {
      extensions: longestBytes(SNAPSHOT_BYTES),
      type: 'JSON',
      nullable: true,
      description: 'The same, as it is since; null where nothing is left.',
    }),
    requestId: t.exposeString('requestId', {
      nullable: true,
      description:
        'The request by which it was done: its `X-Request-Id`, under which the log has it; null for what the scheduler does by itself.',
    }),
    address: t.exposeString('address', {
      nullable: true,
      description:
        'Network address that the request came from, which is the proxy’s where there is one; null where it did not come over the network.',
    }),
  }),
});
