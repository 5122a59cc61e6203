import type { AlertEvent } from './alert.ts';
import type { Report } from './alert-rules.ts';
import type { ExecutionStatus, ExecutionTrigger } from '../execution/execution.ts';
import type { FailureReason } from '../execution/outcome.ts';
import { encodePublicId } from '../values/public-id.ts';

/**
 * The content of a delivery, as it is stored and as a webhook gets it. It is part of the API: fields may be added but
 * not changed. Ids are public ids, instants are ISO 8601 in UTC, and names contain units.
 */
export interface AlertNotice {
  version: 1;
  /** The delivery's id, the same for every try. */
  id: string;
  event: AlertEvent;
  /** When it happened, or the last time if it happened more than once. */
  at: string;
  /** A test from testJobAlert: nothing has happened. */
  isTest: boolean;
  /** How many occurrences this delivery reports. */
  occurrences: number;
  /** The first of these occurrences. */
  firstAt: string;
  alert: { id: string };
  job: { id: string; key: string | null; name: string };
  /** The execution of the last occurrence; null in a test. */
  execution: NoticeExecution | null;
  /** FAILED executions in a row; for RECOVERED, how many there were. */
  failuresInRow: number;
  /** Whether the job counts as failing after these occurrences, by the alert's threshold. */
  isFailing: boolean;
}

/** An execution as it was at that time. */
export interface NoticeExecution {
  id: string;
  status: ExecutionStatus;
  trigger: ExecutionTrigger;
  scheduledAt: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  durationMs: number | null;
  latenessMs: number | null;
  /** Attempts begun. */
  attemptCount: number;
  failureReason: FailureReason | null;
  skipReason: string | null;
  responseStatus: number | null;
  errorMessage: string | null;
}

/** The same with the ids and instants of the database. */
export interface ExecutionFacts {
  executionId: string;
  status: ExecutionStatus;
  trigger: ExecutionTrigger;
  scheduledAt: Date | null;
  startedAt: Date | null;
  finishedAt: Date | null;
  durationMs: number | null;
  latenessMs: number | null;
  attempt: number | null;
  failureReason: FailureReason | null;
  skipReason: string | null;
  responseStatus: number | null;
  errorMessage: string | null;
}

/** The alert and its job, with the ids of the database. */
export interface NoticeSubject {
  alertId: string;
  jobId: string;
  jobKey: string | null;
  jobName: string;
}

/** Writes the notice of one event. */
export function writeNotice(
  deliveryId: string,
  subject: NoticeSubject,
  report: Report,
  { at, execution }: { at: Date; execution: ExecutionFacts },
): AlertNotice {
  return {
    ...noticeFrame(deliveryId, subject, report.event, at),
    execution: showExecution(execution),
    failuresInRow: report.failuresInRow,
    isFailing: report.isFailing,
  };
}

/** Writes the notice of a test. Its event is the first event of the alert. */
export function writeTestNotice(
  deliveryId: string,
  subject: NoticeSubject,
  event: AlertEvent,
  at: Date,
): AlertNotice {
  return { ...noticeFrame(deliveryId, subject, event, at), isTest: true };
}

/** Adds one notice to a gathering one. The result shows the latest occurrence and counts all. */
export function foldNotice(gathering: AlertNotice, added: AlertNotice): AlertNotice {
  return {
    ...added,
    id: gathering.id,
    occurrences: gathering.occurrences + added.occurrences,
    firstAt: gathering.firstAt,
  };
}

function noticeFrame(
  deliveryId: string,
  { alertId, jobId, jobKey, jobName }: NoticeSubject,
  event: AlertEvent,
  at: Date,
): AlertNotice {
  return {
    version: 1,
    id: encodePublicId('AlertDelivery', deliveryId),
    event,
    at: at.toISOString(),
    isTest: false,
    occurrences: 1,
    firstAt: at.toISOString(),
    alert: { id: encodePublicId('JobAlert', alertId) },
    job: { id: encodePublicId('Job', jobId), key: jobKey, name: jobName },
    execution: null,
    failuresInRow: 0,
    isFailing: false,
  };
}

function showExecution({ executionId, attempt, ...facts }: ExecutionFacts): NoticeExecution {
  return {
    id: encodePublicId('Execution', executionId),
    status: facts.status,
    trigger: facts.trigger,
    scheduledAt: facts.scheduledAt?.toISOString() ?? null,
    startedAt: facts.startedAt?.toISOString() ?? null,
    finishedAt: facts.finishedAt?.toISOString() ?? null,
    durationMs: facts.durationMs,
    latenessMs: facts.latenessMs,
    attemptCount: attempt ?? 0,
    failureReason: facts.failureReason,
    skipReason: facts.skipReason,
    responseStatus: facts.responseStatus,
    errorMessage: facts.errorMessage,
  };
}
