import { CHANNELS } from '../../../domain/alert/channels.ts';
import { builder } from '../../builder.ts';

export const AlertChannel = builder.enumType('AlertChannel', {
  description: 'How an alert is sent.',
  values: CHANNELS,
});

export const AlertEvent = builder.enumType('AlertEvent', {
  description: 'What an alert tells of. Runs of any trigger count.',
  values: {
    FAILED: {
      description:
        'As many executions FAILED in a row, each after all its retries, as `failureThreshold` says. Told once, until one succeeds.',
    },
    RECOVERED: { description: 'The first SUCCESS after as many failures.' },
    DEAD_LETTERED: { description: 'An execution FAILED, whatever those before it did.' },
    LATE: {
      description:
        'A run has not started within `latenessThresholdMs` of its slot. One message is sent when that time is up, or when the run starts if nobody was there before.',
    },
    SKIPPED: { description: 'A run was left out, but not by somebody’s `skipRun`.' },
    SUCCEEDED: { description: 'An execution ended with SUCCESS.' },
  } as const,
});
