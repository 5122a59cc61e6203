import { MAX_BLOCKED } from '../../../domain/job/concurrency.ts';
import { builder } from '../../builder.ts';

export const JobEventKind = builder.enumType('JobEventKind', {
  description: 'What was done to a job.',
  values: {
    CREATED: { description: 'It was created.' },
    UPDATED: { description: 'It was changed.' },
    PAUSED: { description: 'It was paused, or its pause changed.' },
    RESUMED: { description: 'It was resumed.' },
    COMPLETED: { description: 'It has no runs left.' },
    DELETED: { description: 'It was deleted.' },
  } as const,
});

export const JobStatus = builder.enumType('JobStatus', {
  description: 'Whether a job fires.',
  values: {
    ACTIVE: { description: 'Fires by its schedule.' },
    PAUSED: { description: 'Does not fire until it is resumed; can be triggered by hand.' },
    COMPLETED: { description: 'Has no runs left: its `runAt` or its `endAt` has passed.' },
    DELETED: { description: 'Never fires again; kept for its history.' },
  } as const,
});

export const JobType = builder.enumType('JobType', {
  description: 'What is promised when a process dies during a call.',
  values: {
    ATLEAST_ONCE: {
      description: 'The call is made again under the same execution id: none is lost, one may come twice.',
    },
    ATMOST_ONCE: { description: 'The call is never made again: none comes twice, one may be lost.' },
  } as const,
});

export const JobCompletion = builder.enumType('JobCompletion', {
  description: 'What makes an attempt of a job a success.',
  values: {
    RESPONSE: { description: 'An answer with one of the job’s `successStatuses`.' },
    CALLBACK: {
      description:
        'Such an answer only starts the work: the attempt ends when the target posts to the URL in the header X-Callback-Url, within `completionTimeoutMs`.',
    },
  } as const,
});

export const HttpMethod = builder.enumType('HttpMethod', {
  description: 'The HTTP method of a call.',
  values: {
    GET: { description: 'GET; the body, where there is one, is sent.' },
    HEAD: { description: 'HEAD; it sends no body, and a job with one is refused.' },
    POST: { description: 'POST.' },
    PUT: { description: 'PUT.' },
    PATCH: { description: 'PATCH.' },
    DELETE: { description: 'DELETE.' },
  } as const,
});

export const BackoffStrategy = builder.enumType('BackoffStrategy', {
  description: 'How the wait grows from retry to retry; n is the number of retries made, from 0.',
  values: {
    EXPONENTIAL: { description: 'initialDelayMs × 2^n.' },
    LINEAR: { description: 'initialDelayMs × (n + 1).' },
    FIXED: { description: 'initialDelayMs.' },
  } as const,
});

export const ConcurrencyPolicy = builder.enumType('ConcurrencyPolicy', {
  description:
    'What happens to an execution whose job has as many unfinished ones as `maxConcurrency` allows.',
  values: {
    ALLOW: { description: 'Any number may run at once; with a `maxConcurrency`, the rest waits as BLOCKED.' },
    FORBID: {
      description:
        'It is recorded as SKIPPED, with reason OVERLAP. Where one may run at a time, a slot that is on time takes the place of a catch-up that has not begun.',
    },
    QUEUE: {
      description: `It waits as BLOCKED and runs in its turn; beyond ${MAX_BLOCKED} waiting ones it is SKIPPED.`,
    },
    REPLACE: {
      description:
        'It cancels the unfinished ones, and runs when they have ended. Those with trigger REDRIVE are not cancelled.',
    },
  } as const,
});

export const MisfirePolicy = builder.enumType('MisfirePolicy', {
  description: 'What happens to slots that nobody served within the grace, because every instance was down.',
  values: {
    RUN_ONCE: { description: 'The latest of them runs, with trigger CATCH_UP.' },
    RUN_ALL: { description: 'All of them run in order, the latest 1,000 at most, with trigger CATCH_UP.' },
    SKIP: { description: 'None of them runs; one SKIPPED execution records them.' },
  } as const,
});

export const DstGapPolicy = builder.enumType('DstGapPolicy', {
  description: 'What happens to a slot that falls into the hour skipped by a clock change.',
  values: {
    SHIFT: { description: 'It moves by the length of the gap: 02:30 becomes 03:30.' },
    SKIP: { description: 'It does not exist on that day.' },
  } as const,
});

export const DstOverlapPolicy = builder.enumType('DstOverlapPolicy', {
  description: 'Which of the two equal local times fires when the clock is set back.',
  values: {
    FIRST: { description: 'The earlier one.' },
    LAST: { description: 'The later one.' },
    BOTH: { description: 'Each of them.' },
  } as const,
});
