import type { CommandError, CommandResult } from '../../../commands/command-result.ts';
import { MAX_TESTS_PER_MINUTE } from '../../../commands/alerts/test-job-alert.ts';
import { ALERT_DEFAULTS, ALERT_LIMITS } from '../../../domain/alert/alert.ts';
import { CHANNELS } from '../../../domain/alert/channels.ts';
import { encodePublicId } from '../../../domain/values/public-id.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { AlertDelivery } from './alert-delivery.ts';
import { AlertChannel, AlertEvent } from './alert-enums.ts';
import { DeletePayload } from '../shared/delete-payload.ts';
import { ALERT_NOT_FOUND, JOB_NOT_FOUND } from '../shared/error-texts.ts';
import { JobAlert } from './job-alert.ts';
import { MutationError } from '../shared/mutation-errors.ts';

const INPUT = 'What to do.';
const ERRORS = 'Why nothing was done; empty where it was.';
const FIELDS =
  'ValidationError where a field is not what it may be, or the channel is EMAIL and `SMTP_URL` is not set; TargetBlockedError where the operator has blocked the target’s address';
const ID = 'The alert’s id.';
const { failureThreshold, latenessThresholdMs } = ALERT_LIMITS;
const TARGETS = Object.entries(CHANNELS).map(
  ([channel, { target, maxTargetLength }]) => `${channel}: ${target}, up to ${maxTargetLength} characters`,
);
const TARGET = `${TARGETS.join('; ')}.`;
const EVENTS = 'What to tell of: at least one; one that is named twice counts once.';
const FAILURE_THRESHOLD = `FAILED executions in a row until FAILED is sent, ${failureThreshold.min} to ${failureThreshold.max}`;
const LATENESS_THRESHOLD_MS = `How long after its slot a run that has not started is LATE, in milliseconds, ${latenessThresholdMs.min} to ${latenessThresholdMs.max}; should be above the job’s \`jitterMs\``;

const CreateJobAlertInput = builder.inputType('CreateJobAlertInput', {
  description: 'Whom to tell of what happens to a job.',
  fields: (t) => ({
    jobId: t.id({ required: true, description: 'The job to watch.' }),
    channel: t.field({ type: AlertChannel, required: true, description: 'How to tell.' }),
    target: t.string({ required: true, description: TARGET }),
    events: t.field({ type: [AlertEvent], required: true, description: EVENTS }),
    failureThreshold: t.int({
      defaultValue: ALERT_DEFAULTS.failureThreshold,
      description: `${FAILURE_THRESHOLD}.`,
    }),
    latenessThresholdMs: t.int({
      defaultValue: ALERT_DEFAULTS.latenessThresholdMs,
      description: `${LATENESS_THRESHOLD_MS}.`,
    }),
    enabled: t.boolean({
      defaultValue: ALERT_DEFAULTS.enabled,
      description: 'Whether it tells of anything yet.',
    }),
  }),
});

const UpdateJobAlertInput = builder.inputType('UpdateJobAlertInput', {
  description: 'A change of an alert. Absent leaves as it is; none of its fields may be null.',
  fields: (t) => ({
    id: t.id({ required: true, description: ID }),
    target: t.string({
      description: `${TARGET} As it was read, masks included, it leaves the target as it is.`,
    }),
    events: t.field({ type: [AlertEvent], description: EVENTS }),
    failureThreshold: t.int({
      description: `${FAILURE_THRESHOLD}. Lowered below the failures that there are, it takes effect with the next one.`,
    }),
    latenessThresholdMs: t.int({ description: `${LATENESS_THRESHOLD_MS}.` }),
    enabled: t.boolean({
      description:
        'Whether it tells of anything. What is not sent yet is given up when it is disabled; enabled again, it counts failures anew.',
    }),
  }),
});

const DeleteJobAlertInput = builder.inputType('DeleteJobAlertInput', {
  description: 'Which alert to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: ID }) }),
});

const TestJobAlertInput = builder.inputType('TestJobAlertInput', {
  description: 'Which alert to try.',
  fields: (t) => ({ id: t.id({ required: true, description: ID }) }),
});

interface JobAlertPayloadShape {
  alertId: string | null;
  errors: CommandError[];
}

const JobAlertPayload = builder.objectRef<JobAlertPayloadShape>('JobAlertPayload').implement({
  description: 'What became of an alert.',
  fields: (t) => ({
    alert: t.prismaField({
      type: JobAlert,
      nullable: true,
      description: 'The alert as it is now; null where there are errors.',
      resolve: (query, { alertId }, _args, { prisma }) =>
        alertId === null ? null : prisma.jobAlert.findUnique({ ...query, where: { id: alertId } }),
    }),
    errors: t.expose('errors', { type: [MutationError], description: ERRORS }),
  }),
});

const AlertDeliveryPayload = builder
  .objectRef<{ deliveryId: string | null; errors: CommandError[] }>('AlertDeliveryPayload')
  .implement({
    description: 'What became of a message.',
    fields: (t) => ({
      delivery: t.prismaField({
        type: AlertDelivery,
        nullable: true,
        description: 'The message, whose status says whether it arrived; null where there are errors.',
        resolve: (query, { deliveryId }, _args, { prisma }) =>
          deliveryId === null
            ? null
            : prisma.alertDelivery.findUnique({ ...query, where: { id: deliveryId } }),
      }),
      errors: t.expose('errors', { type: [MutationError], description: ERRORS }),
    }),
  });

builder.mutationFields((t) => ({
  createJobAlert: t.field({
    authScopes: needs('EDITOR'),
    type: JobAlertPayload,
    description: `Creates an alert, which tells of what happens from now on. A job may have ${ALERT_LIMITS.perJob}. ${JOB_NOT_FOUND}; ${FIELDS}; ValidationError also where it has as many already.`,
    args: { input: t.arg({ type: CreateJobAlertInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      alertPayloadOf(await commands.createJobAlert(caller, input)),
  }),
  updateJobAlert: t.field({
    authScopes: needs('EDITOR'),
    type: JobAlertPayload,
    description: `Changes an alert. A change that changes nothing writes nothing. ${ALERT_NOT_FOUND}; ${FIELDS}, where the target is a new one.`,
    args: { input: t.arg({ type: UpdateJobAlertInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      alertPayloadOf(await commands.updateJobAlert(caller, input)),
  }),
  deleteJobAlert: t.field({
    authScopes: needs('EDITOR'),
    type: DeletePayload,
    description: `Deletes an alert with all its deliveries; what is not sent yet is not sent. ${ALERT_NOT_FOUND}.`,
    args: { input: t.arg({ type: DeleteJobAlertInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) => {
      const result = await commands.deleteJobAlert(caller, input);
      return result.ok
        ? { deletedId: encodePublicId('JobAlert', result.value.alertId), errors: [] }
        : { deletedId: null, errors: result.errors };
    },
  }),
  testJobAlert: t.field({
    authScopes: needs('EDITOR'),
    type: AlertDeliveryPayload,
    description: `Sends a message by an alert now, whether it is enabled or not, and answers when it has arrived or failed: one try, within \`ALERT_TIMEOUT_MS\`. ${MAX_TESTS_PER_MINUTE} a minute are allowed for one alert, then a ConflictError. ${ALERT_NOT_FOUND}.`,
    args: { input: t.arg({ type: TestJobAlertInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands }) => {
      const result = await commands.testJobAlert(input);
      return result.ok
        ? { deliveryId: result.value.deliveryId, errors: [] }
        : { deliveryId: null, errors: result.errors };
    },
  }),
}));

function alertPayloadOf(result: CommandResult<{ id: string }>): JobAlertPayloadShape {
  return result.ok ? { alertId: result.value.id, errors: [] } : { alertId: null, errors: result.errors };
}
