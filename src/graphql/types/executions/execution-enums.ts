import { builder } from '../../builder.ts';

export const ExecutionStatus = builder.enumType('ExecutionStatus', {
  description: 'Where an execution stands. SUCCESS, FAILED, CANCELLED and SKIPPED are final.',
  values: {
    PENDING: { description: 'Waits for an instance to start it.' },
    BLOCKED: { description: 'Waits for an earlier execution of its job.' },
    RUNNING: { description: 'Its call is being made, or its callback is awaited.' },
    RETRYING: { description: 'Waits for `nextAttemptAt` after a failed attempt.' },
    SUCCESS: {
      description:
        'The target answered with one of the job’s `successStatuses` or, where the job’s completion is CALLBACK, called back with success.',
    },
    FAILED: { description: 'Failed for good; stands in the dead letter queue.' },
    CANCELLED: { description: 'Taken back before it was done.' },
    SKIPPED: { description: 'Never ran, for the `skipReason`.' },
  } as const,
});

export const ExecutionTrigger = builder.enumType('ExecutionTrigger', {
  description: 'How an execution came about.',
  values: {
    SCHEDULE: { description: 'Its slot came.' },
    MANUAL: { description: 'Somebody triggered the job.' },
    DEPENDENCY: { description: 'Executions of other jobs ended.' },
    REDRIVE: { description: 'A failed execution is run again.' },
    CATCH_UP: { description: 'Its slot passed while no instance was running.' },
  } as const,
});

export const FailureReason = builder.enumType('FailureReason', {
  description: 'Why an attempt or an execution failed.',
  values: {
    HTTP_STATUS: { description: 'The target answered with a status that does not count as success.' },
    TIMEOUT: {
      description:
        'The call took longer than the job’s `timeoutMs`, or no callback came within its `completionTimeoutMs`.',
    },
    CONNECTION: { description: 'The connection could not be made, or broke.' },
    DNS: { description: 'The host’s name could not be resolved.' },
    TLS: { description: 'The TLS handshake failed, by a bad certificate for example.' },
    BLOCKED_TARGET: { description: 'The host’s address is one that the scheduler may not call.' },
    TOO_MANY_REDIRECTS: { description: 'The target redirected without end.' },
    INSTANCE_LOST: { description: 'The instance that made the call died, and it may not be made again.' },
    INVALID_REQUEST: { description: 'The request cannot be sent as the job defines it.' },
    CALLBACK: { description: 'The target called back with a failure.' },
  } as const,
});

export const SkipReason = builder.enumType('SkipReason', {
  description: 'Why an execution never ran.',
  values: {
    OVERLAP: { description: 'Another of the job was not finished, or took its place.' },
    MISFIRE: { description: 'Its slot passed unserved, and the misfire policy leaves it out.' },
    DEPENDENCY_NOT_MET: { description: 'The executions that it depends on did not end as required.' },
    OPERATOR: { description: 'Somebody left out this slot.' },
  } as const,
});

export const LogLevel = builder.enumType('LogLevel', {
  description: 'How grave a log line is.',
  values: {
    ERROR: { description: 'The execution failed.' },
    WARN: { description: 'An attempt failed.' },
    INFO: { description: 'What happened.' },
    DEBUG: { description: 'Details that help to find a fault.' },
  } as const,
});

export const ExecutionEventKind = builder.enumType('ExecutionEventKind', {
  description: 'How an execution moved: the name of the transition.',
  values: {
    PLANNED: { description: 'It came into being and waits.' },
    SKIPPED: { description: 'It came into being as one that never runs.' },
    UNBLOCKED: { description: 'What it waited for has ended.' },
    STARTED: {
      description: 'An attempt has begun; where no call could be made after all, it is INTERRUPTED and none.',
    },
    CALLBACK_AWAITED: {
      description: 'Its target has answered, and is to call back; it goes on running until then.',
    },
    SUCCEEDED: { description: 'It is done.' },
    RETRY_SCHEDULED: { description: 'An attempt failed, another will follow.' },
    FAILED: { description: 'It failed for good.' },
    CANCELLED: { description: 'It was taken back.' },
    INTERRUPTED: {
      description: 'Its instance stopped, died, or had no place to call it from; it waits again.',
    },
  } as const,
});
