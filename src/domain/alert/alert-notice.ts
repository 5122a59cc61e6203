import type { AlertEvent } from './alert.ts';
import type { Report } from './alert-rules.ts';
import type { ExecutionStatus, ExecutionTrigger } from '../execution/execution.ts';
import type { FailureReason } from '../execution/outcome.ts';
import { encodePublicId } from '../values/public-id.ts';

/**
 * What a delivery says, as it is stored and as a webhook gets it. Part of the API: fields may be added, never changed.
 * Ids are public ones, instants ISO 8601 in UTC, units stand in names.
 */
export interface AlertNotice {
  version: 1;
  /** The delivery's id, the same however often it is sent. */
  id: string;
  event: AlertEvent;
  /** When it happened; the last time, where it happened more than once. */
  at: string;
  /** Asked for by testJobAlert: nothing has happened. */
  isTest: boolean;
  /** How many times it happened that this one delivery tells of. */
  occurrences: number;
  /** The first of these times. */
  firstAt: string;
  alert: { id: string };
  job: { id: string; key: string | null; name: string };
  /** The execution of the last time; null in a test. */
  execution: NoticeExecution | null;
  /** FAILED executions in a row; for RECOVERED, how many there were. */
  failuresInRow: number;
  /** Whether the job fails, by the alert's threshold, after what is told here. */
  isFailing: boolean;
}

/** An execution as it stood when it happened. */
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

/** Whose alert it is, by the ids of the database. */
export interface NoticeSubject {
  alertId: string;
  jobId: string;
  jobKey: string | null;
  jobName: string;
}

/** Writes what one delivery says of one event. */
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

/** Writes what a test of an alert says: its event is the first of those that the alert tells of. */
export function writeTestNotice(
  deliveryId: string,
  subject: NoticeSubject,
  event: AlertEvent,
  at: Date,
): AlertNotice {
  return { ...noticeFrame(deliveryId, subject, event, at), isTest: true };
}

/** The notice of a delivery that gathers, after one more: it shows the latest, and counts. */
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
